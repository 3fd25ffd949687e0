//! The relay in this process, unless the configuration names one that runs by itself: it has its own role in the database, and
//! listens to cells alone.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::map_request_with_state;
use axum::serve::{IncomingStream, Listener};
use cells::{FromCell, RelayAddress};
use management::Management;
use relay::{RelayConfig, Waker};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::database::Database;
use super::waiting::{Reporter, Reports, Whose, reports};
use crate::config::Config;
use crate::refusal::Refusal;

/// Connections that wait to be taken.
const BACKLOG: usize = 64;

/// A relay of this process, or none where another is named.
pub struct Relay {
    running: Option<Running>,
    /// Where cells find it.
    pub address: RelayAddress,
}

struct Running {
    relay: relay::Relay,
    serving: AbortHandle,
    /// Until somebody listens.
    reports: Option<Reports>,
    telling: Option<AbortHandle>,
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
        let (reporter, reports) = reports();
        let relay = open(&source, Arc::new(reporter.clone())).await?;
        let (sender, connections) = mpsc::channel(BACKLOG);
        let router = router(&relay, reporter).into_make_service_with_connect_info::<Caller>();
        let serving = tokio::spawn(axum::serve(Cells(connections), router).into_future());
        Ok(Self {
            running: Some(Running {
                relay,
                serving: serving.abort_handle(),
                reports: Some(reports),
                telling: None,
            }),
            address: RelayAddress::Here(sender),
        })
    }

    /// From now on management hears what waits. A relay that runs by itself has no way to it.
    pub fn tell(&mut self, management: &Arc<Management>) {
        let Some(running) = &mut self.running else { return };
        if let Some(reports) = running.reports.take() {
            let (before, lookout) = (running.relay.waiting(), running.relay.lookout());
            let telling = tokio::spawn(reports.tell(Arc::clone(management), before, lookout));
            running.telling = Some(telling.abort_handle());
        }
    }

    /// Ends it, after the cells that use it.
    pub async fn stop(self) {
        if let Some(running) = self.running {
            running.serving.abort();
            if let Some(telling) = running.telling {
                telling.abort();
            }
            running.relay.stop().await;
        }
    }
}

/// A relay on this database.
///
/// # Errors
/// It cannot be opened, or another relay uses it.
pub async fn open(source: &relay::Source, waker: Arc<dyn Waker>) -> Result<relay::Relay, Refusal> {
    let failed = |error: relay::DatabaseError| Refusal::Database(format!("The relay cannot start: {error}."));
    let database = relay::Database::open(source).await.map_err(failed)?;
    relay::Relay::start(RelayConfig::default(), database, waker)
        .await
        .map_err(failed)
}

/// The relay's routes; each connection is reported as its cell's, once a mailbox is proved over it.
fn router(relay: &relay::Relay, reporter: Reporter) -> Router {
    async fn carried(
        State(reporter): State<Reporter>,
        ConnectInfo(Caller(whose)): ConnectInfo<Caller>,
        mut request: Request,
    ) -> Request {
        if let Some(whose) = whose {
            request.extensions_mut().insert(reporter.carrier(whose));
        }
        request
    }
    relay.router().layer(map_request_with_state(reporter, carried))
}

/// Connections from the cells of this process.
struct Cells(mpsc::Receiver<FromCell>);

/// Whose cell's keeper connects; none at our own end.
#[derive(Debug, Clone, Copy)]
struct Caller(Option<Whose>);

impl Listener for Cells {
    type Io = DuplexStream;
    type Addr = Caller;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.0.recv().await {
            Some(FromCell { cell, tenant, stream }) => (stream, Caller(Some(Whose { cell, tenant }))),
            // The platform stops, and this with it.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(Caller(None))
    }
}

impl Connected<IncomingStream<'_, Cells>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Cells>) -> Self {
        *stream.remote_addr()
    }
}
