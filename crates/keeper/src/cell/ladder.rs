//! Down and up the ladder: paused, asleep, locked, and back. Nothing is given up before it is sealed.

use std::sync::Weak;
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::channel::VaultState;
use protocol::chat::CellPhase;
use protocol::control::{AgentState, KeeperOp, Outcome, PlatformOp};

use super::{Cell, Inner, Step};
use crate::home::{Depth, HomeError};
use crate::vault_service::{BeforeLock, LockReason};

/// How long sealing is tried before a pause, a sleep or a lock. The vault gives its hooks a minute.
const PATIENCE: Duration = Duration::from_secs(30);
/// The answer to `vault.lock` reaches the person before the platform removes the containers.
const FAREWELL: Duration = Duration::from_millis(300);

impl Cell {
    /// Does what the platform asks.
    pub async fn handle(&self, op: PlatformOp) -> Outcome {
        match op {
            PlatformOp::Pause => self.pause().await,
            PlatformOp::Resumed => self.resumed().await,
            PlatformOp::PrepareSleep => self.prepare_sleep().await,
            PlatformOp::SleepNow => self.sleep_now().await,
        }
    }

    async fn pause(&self) -> Outcome {
        if self.is_busy() {
            return busy();
        }
        let mut step = self.inner.step.lock().await;
        if self.is_busy() {
            return busy();
        }
        self.unprepare().await;
        let was_ready = self.inner.phases.is(CellPhase::Ready);
        if was_ready {
            // From here on, a turn that comes waits until the agent is resumed.
            self.inner.phases.enter(CellPhase::Paused, None);
        }
        let refusal = self.suspend_and_seal(&mut step).await;
        match refusal {
            None => Outcome::Ok,
            Some(refusal) => {
                if was_ready {
                    self.resume_agent().await;
                    self.inner.phases.enter(CellPhase::Ready, None);
                }
                refusal
            }
        }
    }

    async fn suspend_and_seal(&self, step: &mut Step) -> Option<Outcome> {
        if *self.agent().state().borrow() == AgentState::Ready {
            self.ask_wake_at().await;
            match self.agent().suspend().await {
                Ok(true) => {}
                Ok(false) => return Some(busy()),
                Err(error) => return Some(refused("agent", error)),
            }
        }
        if step.home_is_live && self.vault().state() == VaultState::Unlocked {
            if let Err(error) = self.seal(Depth::Changed, PATIENCE).await {
                return Some(refused("not_saved", error.to_string()));
            }
            step.sealed = true;
        }
        None
    }

    async fn resumed(&self) -> Outcome {
        let mut step = self.inner.step.lock().await;
        if !self.inner.phases.is(CellPhase::Paused) || self.vault().state() != VaultState::Unlocked {
            return Outcome::Ok;
        }
        if *self.agent().state().borrow() == AgentState::Suspended {
            self.resume_agent().await;
        }
        step.sealed = false;
        self.inner.phases.enter(CellPhase::Ready, None);
        Outcome::Ok
    }

    async fn prepare_sleep(&self) -> Outcome {
        if *self.inner.turns.borrow() > 0 {
            return busy();
        }
        let _busy = self.busy();
        self.stop_starting().await;
        if self.vault().state() == VaultState::Unlocked {
            let mut step = self.inner.step.lock().await;
            if let Err(error) = self.seal_and_stop_using(&mut step, Depth::Everything).await {
                return refused("not_saved", error.to_string());
            }
            drop(step);
            if let Err(error) = self.vault().lock(LockReason::Sleep).await {
                return refused("vault", error.to_string());
            }
        } else {
            let step = self.inner.step.lock().await;
            if step.home_is_live && !step.sealed {
                return refused(
                    "not_saved",
                    "the home could not be sealed before the vault was locked: unlock it to seal it".to_owned(),
                );
            }
        }
        self.leave()
    }

    /// The owner may not use the cell any more: turns are broken off where they are, and the keys are wiped, whether or not all could be
    /// sealed before.
    async fn sleep_now(&self) -> Outcome {
        let _busy = self.busy();
        if let Err(error) = self.vault().lock(LockReason::Sleep).await {
            return refused("vault", error.to_string());
        }
        self.leave()
    }

    /// The containers may go, if nobody has unlocked meanwhile.
    fn leave(&self) -> Outcome {
        if !self.vault().leave() {
            return busy();
        }
        self.inner.phases.enter(CellPhase::Asleep, None);
        Outcome::Ok
    }

    /// Suspends the agent for good and seals the home.
    async fn seal_and_stop_using(&self, step: &mut Step, depth: Depth) -> Result<(), HomeError> {
        if !step.home_is_live {
            return Ok(());
        }
        let suspended = self.suspend_for_snapshot().await;
        let result = self.seal(depth, PATIENCE).await.map(drop);
        step.sealed = result.is_ok();
        if result.is_err() && suspended {
            self.resume_agent().await;
        }
        result
    }

    /// The vault was locked by its owner: nothing is left to do here, so the containers can go.
    pub(super) async fn sleep_after_lock(&self) {
        if !self.inner.step.lock().await.sealed {
            tracing::warn!("the cell stays awake: its home could not be sealed");
            return;
        }
        tokio::time::sleep(FAREWELL).await;
        if !self.vault().leave() {
            return;
        }
        self.inner.phases.enter(CellPhase::Asleep, None);
        if let Err(error) = self.ask_platform(KeeperOp::Sleep).await {
            tracing::info!("the cell is not put to sleep: {error}");
            self.vault().stay();
        }
    }
}

fn busy() -> Outcome {
    refused("busy", "a turn, a start or a sealing is under way".to_owned())
}

fn refused(code: &str, message: String) -> Outcome {
    Outcome::Error {
        code: code.to_owned(),
        message,
    }
}

/// Seals the home while the keys are still there.
pub(super) struct SealBeforeLock(Weak<Inner>);

impl SealBeforeLock {
    pub fn new(cell: &Cell) -> Self {
        Self(cell.downgrade())
    }
}

impl BeforeLock for SealBeforeLock {
    fn before_lock(&self, reason: LockReason) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let Some(inner) = self.0.upgrade() else {
                return true;
            };
            let cell = Cell { inner };
            // Not while it is paused: being busy would wake it.
            let _busy = (!cell.inner.phases.is(CellPhase::Paused)).then(|| cell.busy());
            cell.stop_starting().await;
            let mut step = cell.inner.step.lock().await;
            let depth = match reason {
                LockReason::Idle => Depth::Changed,
                LockReason::Asked | LockReason::Sleep | LockReason::Unusual => Depth::Everything,
            };
            let sealed_just_now = reason == LockReason::Sleep && step.sealed;
            if !step.home_is_live || sealed_just_now {
                step.sealed = true;
            } else if let Err(error) = cell.seal_and_stop_using(&mut step, depth).await {
                tracing::error!("locked without sealing what is newest: {error}");
            }
            cell.inner.parts.home.forget_files().await;
            cell.inner.parts.broker.forget();
            if step.home_is_live {
                cell.inner.phases.enter(CellPhase::Paused, None);
            }
            step.sealed
        })
    }
}
