//! Loading the agent's code while its person still types their password: from the first greeting of a client to a keeper whose
//! home is sealed. What is loaded knows nothing of the home; it is freed again when nobody unlocks.

use std::sync::atomic::Ordering;

use protocol::control::{AgentState, KeeperOp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::Cell;
use crate::limits;

impl Cell {
    /// Prepares the agent at each greeting that finds it not started. Ends with the greetings.
    pub async fn prepare_at(self, mut greetings: watch::Receiver<u64>) {
        while greetings.changed().await.is_ok() {
            while self.prepare(&mut greetings).await {}
        }
    }

    /// Returns when the agent was started, is gone, or was not started in time; true when somebody came who needs it anew.
    async fn prepare(&self, greetings: &mut watch::Receiver<u64>) -> bool {
        let mut state = self.agent().state();
        let starts = |state: &AgentState| !matches!(state, AgentState::Absent | AgentState::Waiting);
        if starts(&state.borrow()) || self.is_busy() {
            return false;
        }
        if let Err(error) = self.platform().request(KeeperOp::Prepare).await {
            tracing::info!("the agent is not prepared: {error}");
            return false;
        }
        let waits = {
            let there = timeout(
                limits::BRIDGE_APPEARS,
                state.wait_for(|state| *state != AgentState::Absent),
            )
            .await;
            matches!(there, Ok(Ok(now)) if *now == AgentState::Waiting)
        };
        if !waits || self.agent().prepare().await.is_err() {
            self.not_prepared().await;
            return false;
        }
        self.inner.prepared.store(true, Ordering::SeqCst);
        let mut until = Instant::now() + limits::PREPARED;
        loop {
            tokio::select! {
                is_used = async { state.wait_for(|state| *state != AgentState::Waiting).await.is_ok_and(|now| starts(&now)) } => {
                    self.inner.prepared.store(false, Ordering::SeqCst);
                    if !is_used {
                        self.not_prepared().await;
                    }
                    return false;
                }
                greeted = greetings.changed() => match greeted {
                    Ok(()) if self.inner.prepared.load(Ordering::SeqCst) => until = Instant::now() + limits::PREPARED,
                    // A pause has freed it meanwhile.
                    Ok(()) => return true,
                    Err(_) => return false,
                },
                () = sleep_until(until) => {
                    tracing::info!("nobody unlocked: the prepared agent is freed");
                    self.unprepare().await;
                    return false;
                }
            }
        }
    }

    /// Frees what was prepared, if anything is.
    pub(super) async fn unprepare(&self) {
        if self.inner.prepared.swap(false, Ordering::SeqCst) {
            // Without a bridge it is gone with the container.
            let _gone = self.agent().unprepare().await;
            self.not_prepared().await;
        }
    }

    async fn not_prepared(&self) {
        if let Err(error) = self.platform().request(KeeperOp::Unprepare).await {
            tracing::info!("the platform is not told that nothing is prepared: {error}");
        }
    }
}
