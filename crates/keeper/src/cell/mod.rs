//! The cell's life, as its keeper leads it: unlocked → home restored → agent started and warm → turns, each sealed →
//! paused, locked or asleep. One step of it runs at a time; whoever asks meanwhile waits or is told that it is busy.

mod agent_port;
mod busy;
mod freeze;
mod furnished;
mod granted;
mod ladder;
mod lookout;
mod openclaw;
mod phases;
mod prepare;
mod replace;
mod reseal;
mod save;
mod seat;
mod start;
mod told;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use protocol::channel::{ChannelError, VaultState};
use protocol::chat::{CellEvent, CellPhase};
use protocol::control::KeeperStatus;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::broker::{Broker, ModelPublic};
use crate::chat::NOT_SAVED;
use crate::clock::Clock;
use crate::guide::Guide;
use crate::home::{Home, HomeError};
use crate::limits;
use crate::platform::Platform;
use crate::template::Templates;
use crate::vault_service::VaultService;
pub use agent_port::AgentPort;
pub use busy::TurnGuard;
use busy::{Busy, Holds};
use phases::Phases;
pub use seat::CellSeat;
use start::Asked;

/// How long an agent that failed is left alone.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What a cell is made of.
pub struct Parts {
    pub vault: VaultService,
    pub home: Home,
    pub agent: Arc<dyn AgentPort>,
    pub platform: Platform,
    pub broker: Broker,
    pub clock: Arc<dyn Clock>,
    /// What the agent is told of its keeper.
    pub guide: Option<Guide>,
    /// What the agent is.
    pub templates: Option<Templates>,
}

/// The cell. Cheap to clone.
#[derive(Clone)]
pub struct Cell {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    phases: Phases,
    holds: Holds,
    /// Turns that the agent works on, or will as soon as it answers.
    turns: Arc<watch::Sender<usize>>,
    /// The agent's code is loaded, and it waits for its home.
    prepared: AtomicBool,
    /// Who waits for a snapshot.
    savers: mpsc::UnboundedSender<oneshot::Sender<Result<(), ChannelError>>>,
    /// Told each time that the home is sealed.
    seals: watch::Sender<()>,
    /// Held by whoever tries again to seal it, for all who wait.
    saving_again: tokio::sync::Mutex<()>,
    /// The models that the agent was started with.
    started_for: Mutex<Option<Vec<ModelPublic>>>,
    /// Held by the step that is under way.
    step: tokio::sync::Mutex<Step>,
    /// The start that is under way.
    starting: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

/// What one step leaves for the next.
#[derive(Default)]
struct Step {
    /// The folder holds the sealed home and what came after it. False until it is restored.
    home_is_live: bool,
    /// Everything that was there at the last lock is sealed.
    sealed: bool,
    /// The version of its template that the agent was started with.
    furnished_with: Option<String>,
    /// The last start failed.
    failed: bool,
    /// When the agent ended by itself lately.
    crashes: VecDeque<Instant>,
}

impl Cell {
    /// A cell that does nothing until [`Self::run`]. Adds itself to what happens before the vault locks.
    pub fn new(parts: Parts) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (savers, to_save) = mpsc::unbounded_channel();
        let cell = Self {
            inner: Arc::new(Inner {
                phases: Phases::new(parts.clock.clone()),
                holds: Holds::new(parts.platform.clone()),
                turns: Arc::new(watch::Sender::new(0)),
                prepared: AtomicBool::new(false),
                savers,
                seals: watch::Sender::new(()),
                saving_again: tokio::sync::Mutex::new(()),
                started_for: Mutex::default(),
                step: tokio::sync::Mutex::default(),
                starting: Mutex::default(),
                parts,
            }),
        };
        cell.inner
            .parts
            .vault
            .before_lock(Arc::new(ladder::SealBeforeLock::new(&cell)));
        let lookout = lookout::run(cell.clone());
        let saver = save::run(cell.clone(), to_save);
        let granted = granted::run(cell.clone());
        let told = told::run(cell.clone());
        let furnished = furnished::run(cell.clone());
        let life = async move {
            tokio::join!(lookout, saver, granted, told, furnished);
        };
        (cell, life)
    }

    /// Waits until the agent answers; starts, thaws and resumes it if need be.
    ///
    /// # Errors
    /// `vault_locked`, `no_model`, `agent_failed`.
    pub async fn ready(&self) -> Result<(), ChannelError> {
        // Busy wakes a paused cell, and keeps it from being paused meanwhile.
        let _busy = self.busy();
        let mut phases = self.inner.phases.watch();
        self.start(Asked::ByTheWay)?;
        let mut vault = self.vault().watch();
        loop {
            let now = phases.borrow_and_update().clone();
            match now.as_ref().map(|event| event.phase) {
                Some(CellPhase::Ready) => return Ok(()),
                Some(CellPhase::Failed) => {
                    let message = now.and_then(|event| event.message);
                    return Err(ChannelError::new(
                        "agent_failed",
                        message.unwrap_or_else(|| "The agent could not be started.".to_owned()),
                    ));
                }
                _ => {}
            }
            tokio::select! {
                changed = phases.changed() => if changed.is_err() { return Err(locked()); },
                changed = vault.changed() => {
                    if changed.is_err() || *vault.borrow_and_update() != VaultState::Unlocked {
                        return Err(locked());
                    }
                }
            }
        }
    }

    /// Begins to start the agent if it is not started, and says how far it is. One that has failed just now is started a moment later
    /// if a person asks.
    ///
    /// # Errors
    /// `vault_locked`, `no_model`.
    fn start(&self, asked: Asked) -> Result<CellEvent, ChannelError> {
        if self.vault().state() != VaultState::Unlocked {
            return Err(locked());
        }
        if self.vault().model()?.is_none() {
            return Err(ChannelError::new(
                "no_model",
                "Connect a model first: its address, key and name.",
            ));
        }
        self.begin_start(asked);
        Ok(self.current())
    }

    /// Says that a turn begins: the cell is not paused while the guard lives.
    pub fn turn_started(&self) -> TurnGuard {
        TurnGuard::new(self.busy(), self.inner.turns.clone())
    }

    /// Says that a turn has ended, and waits until the home is sealed: then the turn survives anything.
    ///
    /// # Errors
    /// `not_saved`, with the reason: it is still in the agent's home, and the next snapshot seals it.
    pub async fn turn_finished(&self, turn: TurnGuard) -> Result<(), ChannelError> {
        let _busy = turn.finish();
        self.saved().await
    }

    /// Waits for a snapshot that begins from now on.
    ///
    /// # Errors
    /// `not_saved`, with the reason.
    pub async fn saved(&self) -> Result<(), ChannelError> {
        let (sender, result) = oneshot::channel();
        let ending = || ChannelError::new(NOT_SAVED, "The keeper is ending.");
        self.inner.savers.send(sender).map_err(|_| ending())?;
        result.await.map_err(|_| ending())?
    }

    /// Waits, after [`Self::saved`] has failed, until the home is sealed: by whatever seals it next, or by a try every
    /// [`limits::SAVE_AGAIN`], one for all who wait.
    ///
    /// # Errors
    /// `vault_locked`.
    pub async fn saved_at_last(&self) -> Result<(), ChannelError> {
        let mut seals = self.inner.seals.subscribe();
        tokio::select! {
            _ = seals.changed() => Ok(()),
            tried = self.try_to_save() => tried,
        }
    }

    async fn try_to_save(&self) -> Result<(), ChannelError> {
        let _one = self.inner.saving_again.lock().await;
        loop {
            if self.vault().state() != VaultState::Unlocked {
                return Err(locked());
            }
            // What is paused was sealed before, and sealing it would wake it.
            if self.inner.phases.is(CellPhase::Paused) {
                return Ok(());
            }
            tokio::time::sleep(limits::SAVE_AGAIN).await;
            if !self.inner.phases.is(CellPhase::Paused) && self.saved().await.is_ok() {
                return Ok(());
            }
        }
    }

    /// How far the cell is.
    pub fn current(&self) -> CellEvent {
        self.inner.phases.current()
    }

    /// Follows [`Self::current`].
    pub fn events(&self) -> broadcast::Receiver<CellEvent> {
        self.inner.phases.events()
    }

    /// Whether a turn, a start or a sealing is under way.
    pub fn is_busy(&self) -> bool {
        self.inner.holds.any()
    }

    /// Removes files of the home, given relative to it; those that are not there are passed over.
    ///
    /// # Errors
    /// [`HomeError::Files`]; symbolic links are removed themselves and never followed.
    pub async fn remove_files(&self, paths: &[String]) -> Result<(), HomeError> {
        self.inner.parts.home.remove_files(paths).await
    }

    fn busy(&self) -> Busy {
        self.inner.holds.hold()
    }

    fn vault(&self) -> &VaultService {
        &self.inner.parts.vault
    }

    fn platform(&self) -> &Platform {
        &self.inner.parts.platform
    }

    fn agent(&self) -> &dyn AgentPort {
        &*self.inner.parts.agent
    }

    fn set_status(&self, change: impl FnOnce(&mut KeeperStatus)) {
        self.platform().set_status(change);
    }

    fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.inner)
    }

    fn starting(&self) -> MutexGuard<'_, Option<tokio::task::JoinHandle<()>>> {
        self.inner.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn locked() -> ChannelError {
    ChannelError::new("vault_locked", "The vault is locked: unlock it first.")
}
