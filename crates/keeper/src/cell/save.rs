//! Sealing the home after turns: those that end together share one snapshot.

use std::time::Duration;

use futures::FutureExt as _;
use protocol::channel::ChannelError;
use protocol::control::AgentState;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::freeze::{FrozenByPlatform, Suspending, suspended_already};
use super::{Cell, Step};
use crate::chat::NOT_SAVED;
use crate::home::{AlreadyStill, Depth, HomeError, HomeVault, Snapshot, Still, UnlockedVault};
use crate::limits;
use crate::platform::BlobError;

type Waiting = oneshot::Sender<Result<(), ChannelError>>;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Makes one snapshot for everyone who waits when it begins.
pub(super) async fn run(cell: Cell, mut to_save: mpsc::UnboundedReceiver<Waiting>) {
    while let Some(first) = to_save.recv().await {
        let _busy = cell.busy();
        let mut step = cell.inner.step.lock().await;
        let mut waiting = vec![first];
        while let Ok(another) = to_save.try_recv() {
            waiting.push(another);
        }
        let (result, suspended) = cell.save_after_turn(&mut step).await;
        for one in waiting {
            let answer = match &result {
                Ok(_) => Ok(()),
                Err(HomeError::Locked) => Err(super::locked()),
                Err(error) => Err(ChannelError::new(NOT_SAVED, in_plain_words(error))),
            };
            // Whoever no longer waits does not need to know.
            let _gone = one.send(answer);
        }
        // After the answer: whoever waits for the seal need not wait for this.
        if suspended {
            cell.resume_agent().await;
        }
        drop(step);
        match result {
            Ok(snapshot) => {
                let ms = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                tracing::debug!(
                    number = snapshot.number,
                    chunks = snapshot.chunks_sent,
                    live_ms = ms(snapshot.took.live),
                    hold_ms = ms(snapshot.took.hold),
                    still_ms = ms(snapshot.still),
                    chunks_ms = ms(snapshot.took.chunks),
                    manifest_ms = ms(snapshot.took.manifest),
                    pin_ms = ms(snapshot.took.pin),
                    "home sealed"
                );
                cell.tidy_later();
                cell.ask_wake_at().await;
            }
            Err(error) => tracing::warn!("the home is not sealed: {error}"),
        }
    }
}

/// Why the home is not sealed, for its owner.
fn in_plain_words(error: &HomeError) -> String {
    match error {
        HomeError::Store(BlobError::Full(_)) => {
            "This is not saved yet: the disk of the server, or your share of it, is full. Tell the person who runs the server.".to_owned()
        }
        HomeError::Store(_) => format!(
            "This is not saved yet: the server's storage does not take it ({error}). If it stays so, tell the person who runs the server."
        ),
        _ => format!("This is not saved yet: {error}."),
    }
}

impl Cell {
    /// Seals the home with the agent suspended if no turn runs. While it cannot be stored, the agent goes on.
    /// Also says whether the agent is suspended.
    async fn save_after_turn(&self, step: &mut Step) -> (Result<Snapshot, HomeError>, bool) {
        if !step.home_is_live {
            return (Err(HomeError::NotRestored), false);
        }
        let until = Instant::now() + limits::SNAPSHOT_RETRY;
        let mut pause = FIRST_PAUSE;
        loop {
            let suspending = self.begin_to_suspend();
            let result = self.seal_once(Depth::Changed, suspending.clone()).await;
            let suspended = suspending.await;
            match result {
                Err(error) if error.passes() && Instant::now() + pause < until => {
                    if suspended {
                        self.resume_agent().await;
                    }
                    tracing::info!("sealing again in {} ms: {error}", pause.as_millis());
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                done => return (done, suspended),
            }
        }
    }

    /// Suspends the agent if no turn runs, while what is large in its home is read already.
    fn begin_to_suspend(&self) -> Suspending {
        if *self.inner.turns.borrow() > 0 {
            return suspended_already();
        }
        let cell = self.clone();
        let suspending = tokio::spawn(async move { cell.suspend_for_snapshot().await });
        suspending.map(|done| done.unwrap_or(true)).boxed().shared()
    }

    /// Has the agent put everything on its disk; true if it must be resumed afterwards.
    pub(super) async fn suspend_for_snapshot(&self) -> bool {
        if *self.agent().state().borrow() != AgentState::Ready {
            return false;
        }
        match timeout(limits::SUSPEND_FOR_SNAPSHOT, self.agent().suspend()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) | Err(_) => tracing::debug!("the agent is too busy to suspend: it is frozen as it is"),
            Ok(Err(error)) => tracing::info!("the agent is frozen as it is: {error}"),
        }
        true
    }

    pub(super) async fn resume_agent(&self) {
        if let Err(error) = self.agent().resume().await {
            tracing::warn!("the agent resumes by itself within two minutes: {error}");
        }
    }

    /// Seals the home; what passes is tried again for so long.
    pub(super) async fn seal(&self, depth: Depth, patience: Duration) -> Result<Snapshot, HomeError> {
        let until = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.seal_once(depth, suspended_already()).await {
                Ok(snapshot) => return Ok(snapshot),
                Err(error) => error,
            };
            if !error.passes() || Instant::now() + pause > until {
                return Err(error);
            }
            tracing::info!("sealing again in {} ms: {error}", pause.as_millis());
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn seal_once(&self, depth: Depth, suspending: Suspending) -> Result<Snapshot, HomeError> {
        let vault: Arc<dyn HomeVault> = Arc::new(UnlockedVault::new(self.vault())?);
        let still = self.still(suspending);
        let sealed = self.inner.parts.home.snapshot(&vault, &*still, depth).await?;
        self.inner.seals.send_replace(());
        Ok(sealed)
    }

    /// How the agent is held still now. An agent that is paused stays so: the platform sees to it.
    fn still(&self, suspending: Suspending) -> Box<dyn Still> {
        if matches!(*self.agent().state().borrow(), AgentState::Absent | AgentState::Waiting) {
            Box::new(AlreadyStill)
        } else {
            Box::new(FrozenByPlatform {
                platform: self.platform().clone(),
                suspending,
            })
        }
    }
}
