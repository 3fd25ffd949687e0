//! The keeper's side of the platform's socket (`docs/protocol.md`, section 3): the control connection, which is made
//! again for ever when the platform restarts, the channels that it asks for, and the cell's sealed objects.

pub mod blobs;
mod connection;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use protocol::control::{CellConfig, FromKeeper, KeeperOp, KeeperStatus, Outcome, PlatformOp, TenantPolicy};
use protocol::{CellId, TenantId};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::WebSocketStream;

use crate::limits;
pub use blobs::{BlobError, Blobs};

/// A client's messages, as the platform forwards them.
pub type ChannelSocket = WebSocketStream<UnixStream>;

/// What the platform said when it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    pub cell: CellId,
    pub tenant: TenantId,
    pub config: CellConfig,
    /// Whether it takes what was done, for the audit log.
    pub deeds: bool,
    /// Whether it says who is suspended or removed.
    pub stands: bool,
    /// The kinds of notices that it knows.
    pub notices: Box<[String]>,
}

/// Why the platform did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    #[error("the platform is not connected: it is starting again, or its socket is missing")]
    Disconnected,
    #[error("the platform did not answer within {} s", limits::PLATFORM_ANSWER.as_secs())]
    Silent,
    #[error("the platform refused ({code}): {message}")]
    Refused { code: String, message: String },
}

/// What the keeper does when the platform asks.
pub trait PlatformRequests: Send + Sync {
    /// Called at each connection, before anything else is answered. An error ends the keeper's attempts: this is not its platform.
    fn welcome<'a>(&'a self, welcome: &'a Welcome) -> BoxFuture<'a, Result<(), String>>;
    /// What the organisation of who opens a channel wants.
    fn policy(&self, policy: TenantPolicy);
    /// The organisation of the vault's owner demands a second person from now on.
    fn second_demanded(&self);
    /// A client's channel; the future is the channel's life.
    fn channel(&self, socket: ChannelSocket) -> BoxFuture<'static, ()>;
    /// A request; the future is polled beside the connection.
    fn request(&self, op: PlatformOp) -> BoxFuture<'static, Outcome>;
}

/// Handle on the platform.
#[derive(Clone)]
pub struct Platform {
    shared: Arc<Shared>,
}

struct Shared {
    socket: PathBuf,
    blobs: Blobs,
    status: watch::Sender<KeeperStatus>,
    welcome: watch::Sender<Option<Welcome>>,
    line: Mutex<Line>,
    next_id: AtomicU64,
}

/// The connection of this moment, if there is one, and who waits for an answer on it.
#[derive(Default)]
struct Line {
    outgoing: Option<mpsc::UnboundedSender<FromKeeper>>,
    waiting: HashMap<u64, oneshot::Sender<Outcome>>,
}

impl Platform {
    /// A handle on the platform at this socket; nothing is connected until [`Self::run`].
    pub fn new(socket: &Path, status: KeeperStatus) -> Self {
        Self {
            shared: Arc::new(Shared {
                socket: socket.to_owned(),
                blobs: Blobs::new(socket),
                status: watch::Sender::new(status),
                welcome: watch::Sender::new(None),
                line: Mutex::default(),
                next_id: AtomicU64::new(1),
            }),
        }
    }

    /// Attaches, serves, and attaches again, until the platform is found to be a foreign one.
    ///
    /// # Errors
    /// The words of [`PlatformRequests::welcome`].
    pub async fn run(&self, requests: Arc<dyn PlatformRequests>) -> Result<(), String> {
        connection::run(self, requests).await
    }

    /// A connection to the relay, which the platform joins and does not read.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn dial_relay(&self) -> Result<ChannelSocket, String> {
        connection::dial(self, protocol::relay::PATH)
            .await
            .map_err(|error| error.to_string())
    }

    /// This cell's sealed objects.
    pub fn blobs(&self) -> Blobs {
        self.shared.blobs.clone()
    }

    /// What the platform last said; `None` before the first connection.
    pub fn welcome(&self) -> watch::Receiver<Option<Welcome>> {
        self.shared.welcome.subscribe()
    }

    /// The operator's settings; `None` before the first connection.
    pub fn config(&self) -> Option<CellConfig> {
        self.shared.welcome.borrow().as_ref().map(|w| w.config.clone())
    }

    /// Changes what the platform knows of this keeper; sent when it differs.
    pub fn set_status(&self, change: impl FnOnce(&mut KeeperStatus)) {
        self.shared.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    /// What the platform knows, or will know, of this keeper.
    pub fn status(&self) -> KeeperStatus {
        self.shared.status.borrow().clone()
    }

    /// Whether a control connection stands now.
    pub fn connected(&self) -> bool {
        self.line().outgoing.is_some()
    }

    /// Asks the platform to do something and waits until it is done.
    ///
    /// # Errors
    /// [`PlatformError`]; `Disconnected` and `Silent` leave it open whether it was done.
    pub async fn request(&self, op: KeeperOp) -> Result<(), PlatformError> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        {
            let mut line = self.line();
            let outgoing = line.outgoing.as_ref().ok_or(PlatformError::Disconnected)?;
            outgoing
                .send(FromKeeper::Request { id, op })
                .map_err(|_| PlatformError::Disconnected)?;
            line.waiting.insert(id, sender);
        }
        let outcome = tokio::time::timeout(limits::PLATFORM_ANSWER, answer).await;
        self.line().waiting.remove(&id);
        match outcome {
            Err(_) => Err(PlatformError::Silent),
            Ok(Err(_)) => Err(PlatformError::Disconnected),
            Ok(Ok(Outcome::Ok)) => Ok(()),
            Ok(Ok(Outcome::Error { code, message })) => Err(PlatformError::Refused { code, message }),
        }
    }

    fn line(&self) -> std::sync::MutexGuard<'_, Line> {
        self.shared.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
