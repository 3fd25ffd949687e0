//! The keeper's hand on the agent: waits for the bridge, starts OpenClaw in a home that was prepared, watches it, suspends
//! and ends it. What the agent says or writes decides nothing here but its own state.

mod config;
mod error;
mod files;
mod furnish;
mod lifecycle;
mod link;
mod shared_skills;
mod suspend;
mod warm_up;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use protocol::Millis;
use protocol::control::AgentState;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub use config::StartWith;
pub use error::AgentError;
pub use files::HomeFileError;
#[cfg(test)]
pub(crate) use furnish::furnish;

use crate::gateway::Gateway;
use crate::guide::Told;
use crate::template::Furnishing;
use link::Link;

/// Where the agent's things are.
#[derive(Debug, Clone)]
pub struct AgentPaths {
    /// The keeper's folder of sockets.
    pub sockets: PathBuf,
    /// The agent's home.
    pub home: PathBuf,
}

/// Why the agent stopped working by itself: for its owner only.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub last_output: String,
}

/// The agent of this cell. Cheap to clone; the socket closes with the last clone.
#[derive(Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

type Asks = Box<dyn Fn() -> bool + Send + Sync>;

struct Inner {
    paths: AgentPaths,
    link: Link,
    state: watch::Sender<AgentState>,
    gateway: watch::Sender<Option<Gateway>>,
    failure: Mutex<Option<Failure>>,
    /// Whether its owner is asked before it runs a command.
    asks: OnceLock<Asks>,
    /// The suspension that is, or may be, in force.
    suspension: tokio::sync::Mutex<Option<suspend::Held>>,
    /// One start or stop at a time.
    changing: tokio::sync::Mutex<()>,
    watcher: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Agent {
    /// Begins to wait for the bridge.
    ///
    /// # Errors
    /// [`AgentError::Listen`] when the socket cannot be made.
    pub fn listen(paths: AgentPaths) -> Result<Self, AgentError> {
        let state = watch::Sender::new(AgentState::Absent);
        let gateway = watch::Sender::new(None);
        let link = Link::listen(&paths.sockets).map_err(AgentError::Listen)?;
        let agent = Self {
            inner: Arc::new(Inner {
                paths,
                link,
                state,
                gateway,
                failure: Mutex::new(None),
                asks: OnceLock::new(),
                suspension: tokio::sync::Mutex::new(None),
                changing: tokio::sync::Mutex::new(()),
                watcher: Mutex::new(None),
            }),
        };
        agent.watch_link();
        Ok(agent)
    }

    /// Says, at each start, whether OpenClaw is to ask before it runs a command; set once.
    pub fn ask_before_commands(&self, asks: impl Fn() -> bool + Send + Sync + 'static) {
        let _first_one_stays = self.inner.asks.set(Box::new(asks));
    }

    /// How far the agent is.
    pub fn state(&self) -> watch::Receiver<AgentState> {
        self.inner.state.subscribe()
    }

    /// Why it failed, while its state is [`AgentState::Failed`].
    pub fn failure(&self) -> Option<Failure> {
        self.inner.failure().clone()
    }

    /// The connection to OpenClaw while there is one.
    pub fn gateway(&self) -> Option<Gateway> {
        self.inner.gateway.borrow().clone()
    }

    /// Each new connection; `None` while there is none.
    pub fn gateways(&self) -> watch::Receiver<Option<Gateway>> {
        self.inner.gateway.subscribe()
    }

    /// Tells the agent about its keeper and of what others share; takes away what it was told before and is not now. OpenClaw sees it at
    /// its next turn.
    ///
    /// # Errors
    /// [`AgentError::Home`] when the home cannot be written.
    pub async fn tell(&self, told: Told) -> Result<(), AgentError> {
        let home = self.inner.paths.home.clone();
        let write = move || {
            config::tell(&home, told.own.as_deref())?;
            shared_skills::put(&home, &told.shared)
        };
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|error| AgentError::Listen(std::io::Error::other(error)))??;
        Ok(())
    }

    /// Puts what its template says into its home, if that is another version than the one that it was given last. It must not run.
    ///
    /// # Errors
    /// [`AgentError::Home`] when the home cannot be written.
    pub async fn furnish(&self, furnishing: Furnishing) -> Result<(), AgentError> {
        let home = self.inner.paths.home.clone();
        let version = furnishing.version();
        let written = tokio::task::spawn_blocking(move || furnish::furnish(&home, &furnishing))
            .await
            .map_err(|error| AgentError::Listen(std::io::Error::other(error)))??;
        if written {
            tracing::info!(version, "the home was furnished as the template says");
        }
        Ok(())
    }

    /// When the agent next wants to be awake by itself.
    pub async fn next_wake_at(&self) -> Option<Millis> {
        let gateway = self.gateway()?;
        gateway.next_wake_at().await.unwrap_or_else(|error| {
            tracing::info!("OpenClaw's schedule is not known: {error}");
            None
        })
    }

    /// Says that the bridge came or went, for as long as the agent lives.
    fn watch_link(&self) {
        let weak = Arc::downgrade(&self.inner);
        let mut connected = self.inner.link.connected();
        tokio::spawn(async move {
            loop {
                let is_connected = *connected.borrow_and_update();
                let Some(inner) = weak.upgrade() else { return };
                if is_connected {
                    inner.set_state(AgentState::Waiting);
                } else {
                    inner.gateway.send_replace(None);
                    inner.set_state(AgentState::Absent);
                }
                drop(inner);
                if connected.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}

impl Inner {
    fn set_state(&self, state: AgentState) {
        self.state.send_if_modified(|current| {
            let changed = *current != state;
            *current = state;
            changed
        });
    }

    fn failure(&self) -> MutexGuard<'_, Option<Failure>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// OpenClaw does not work any more, and nobody asked it to end.
    fn fail(&self, error: &AgentError) {
        let last_output = match error {
            AgentError::Ended { last_output, .. } => last_output.clone(),
            _ => String::new(),
        };
        *self.failure() = Some(Failure {
            message: error.to_string(),
            last_output,
        });
        self.gateway.send_replace(None);
        let state = if *self.link.connected().borrow() {
            AgentState::Failed
        } else {
            AgentState::Absent
        };
        self.set_state(state);
    }
}
