//! The relay in this process, unless the configuration names one that runs by itself: it has its own role in the database, and
//! listens to cells alone.

use std::io;
use std::sync::Arc;

use axum::serve::Listener;
use cells::{Cells, RelayAddress};
use management::Management;
use relay::RelayConfig;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::warn;

use super::database::Database;
use super::news::{self, Far, Source, Telling};
use crate::config::Config;
use crate::refusal::Refusal;

/// Connections that wait to be taken.
const BACKLOG: usize = 64;

/// A relay of this process, or the way to one that is named.
pub struct Relay {
    running: Option<Running>,
    /// Until they are heard; none where a relay runs by itself whose token is not known.
    news: Option<Source>,
    telling: Option<Telling>,
    /// Where cells find it.
    pub address: RelayAddress,
}

struct Running {
    relay: relay::Relay,
    serving: AbortHandle,
}

impl Relay {
    /// Starts it, or takes the address of the one that is named.
    ///
    /// # Errors
    /// Its database cannot be opened, or the file with the token of the other one holds none.
    pub async fn start(config: &Config, database: &Database) -> Result<Self, Refusal> {
        if let Some(address) = &config.relay.address {
            return Self::far(address, &config.relay);
        }
        let source = database.for_relay(config).await?;
        let relay = open(&source).await?;
        let (sender, connections) = mpsc::channel(BACKLOG);
        let serving = tokio::spawn(axum::serve(FromCells(connections), relay.router()).into_future());
        Ok(Self {
            news: Some(Source::Here(relay.lookout())),
            running: Some(Running {
                relay,
                serving: serving.abort_handle(),
            }),
            telling: None,
            address: RelayAddress::Here(sender),
        })
    }

    fn far(address: &str, config: &crate::config::Relay) -> Result<Self, Refusal> {
        let news = match &config.news_token_file {
            Some(file) => Some(Source::Far(Far::new(address, file.clone())?)),
            None => {
                warn!(
                    "`relay.news_token_file` names no token: nobody is told that something waits for their locked vault"
                );
                None
            }
        };
        Ok(Self {
            running: None,
            news,
            telling: None,
            address: RelayAddress::Tcp(address.to_owned()),
        })
    }

    /// From now on management hears what waits, and whose mailbox is whose.
    pub fn tell(&mut self, management: &Arc<Management>, cells: &Cells) {
        self.telling = self.news.take().map(|news| news::tell(news, management, cells));
    }

    /// Ends it, after the cells that use it.
    pub async fn stop(self) {
        drop(self.telling);
        if let Some(running) = self.running {
            running.serving.abort();
            running.relay.stop().await;
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
    relay::Relay::start(RelayConfig::default(), database)
        .await
        .map_err(failed)
}

/// Connections from the cells of this process.
struct FromCells(mpsc::Receiver<DuplexStream>);

impl Listener for FromCells {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            // The platform stops, and this with it.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(())
    }
}
