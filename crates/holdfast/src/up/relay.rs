//! The relay in this process, unless the configuration names one that runs by itself: it has its own role in the database, and
//! listens to cells alone.

use std::io;
use std::sync::Arc;

use axum::serve::Listener;
use cells::RelayAddress;
use relay::{NobodyWakes, RelayConfig};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::database::Database;
use crate::config::Config;
use crate::refusal::Refusal;

/// Connections that wait to be taken.
const BACKLOG: usize = 64;

/// A relay of this process, or none where another is named.
pub struct Relay {
    running: Option<(relay::Relay, AbortHandle)>,
    /// Where cells find it.
    pub address: RelayAddress,
}

impl Relay {
    /// Starts it, or takes the address of the one that is named.
    ///
    /// # Errors
    /// Its database cannot be opened.
    pub async fn start(config: &Config, database: &Database) -> Result<Self, Refusal> {
        if let Some(address) = &config.relay.address {
            return Ok(Self {
                running: None,
                address: RelayAddress::Tcp(address.clone()),
            });
        }
        let source = database.for_relay(config).await?;
        let relay = open(&source).await?;
        let (sender, connections) = mpsc::channel(BACKLOG);
        let serving = tokio::spawn(axum::serve(Cells(connections), relay.router()).into_future());
        Ok(Self {
            running: Some((relay, serving.abort_handle())),
            address: RelayAddress::Here(sender),
        })
    }

    /// Ends it, after the cells that use it.
    pub async fn stop(self) {
        if let Some((relay, serving)) = self.running {
            serving.abort();
            relay.stop().await;
        }
    }
}

/// A relay on this database.
///
/// # Errors
/// It cannot be opened, or another relay uses it.
pub async fn open(source: &relay::Source) -> Result<relay::Relay, Refusal> {
    let failed = |error: relay::DatabaseError| Refusal::Database(format!("The relay cannot start: {error}."));
    let database = relay::Database::open(source).await.map_err(failed)?;
    relay::Relay::start(RelayConfig::default(), database, Arc::new(NobodyWakes))
        .await
        .map_err(failed)
}

/// Connections from the cells of this process.
struct Cells(mpsc::Receiver<DuplexStream>);

impl Listener for Cells {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.0.recv().await {
            Some(connection) => (connection, ()),
            // The platform stops, and this with it.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(())
    }
}
