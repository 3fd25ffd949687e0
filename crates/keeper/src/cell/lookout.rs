//! Watches the vault and the agent, tells the platform, and begins what follows.

use protocol::channel::VaultState;
use protocol::chat::CellPhase;
use protocol::control::AgentState;
use tokio::sync::broadcast::error::RecvError;

use super::Cell;
use super::start::Asked;
use crate::vault_service::{LockReason, VaultNotice};

/// Runs as long as the vault does.
pub(super) async fn run(cell: Cell) {
    let mut notices = cell.vault().notices();
    let mut vault = cell.vault().watch();
    let mut agent = cell.agent().state();
    let mut phases = cell.inner.phases.watch();
    loop {
        phases.mark_unchanged();
        let vault_state = *vault.borrow_and_update();
        let agent_state = *agent.borrow_and_update();
        cell.set_status(|status| {
            status.vault = vault_state;
            status.agent = agent_state;
            status.claim = cell.vault().claim();
        });
        if matches!(
            agent_state,
            AgentState::Absent | AgentState::Waiting | AgentState::Failed
        ) && cell.inner.phases.is(CellPhase::Ready)
            && vault_state == VaultState::Unlocked
        {
            let cell = cell.clone();
            tokio::spawn(async move { cell.recover().await });
        }
        tokio::select! {
            changed = vault.changed() => if changed.is_err() { return; },
            changed = agent.changed() => if changed.is_err() { return; },
            changed = phases.changed() => if changed.is_err() { return; },
            notice = notices.recv() => match notice {
                Ok(VaultNotice::Unlocked) => {
                    // Without a model there is nothing to start yet.
                    let _no_model = cell.start(Asked::ByTheWay);
                }
                Ok(VaultNotice::ModelChanged) => {
                    let cell = cell.clone();
                    tokio::spawn(async move { cell.restart_for_model().await });
                }
                Ok(VaultNotice::Rotated) => {
                    let cell = cell.clone();
                    tokio::spawn(async move { cell.seal_anew().await });
                }
                Ok(VaultNotice::Locked { reason: LockReason::Asked, .. }) => {
                    let cell = cell.clone();
                    tokio::spawn(async move { cell.sleep_after_lock().await });
                }
                // What was missed may be anything: each of these does nothing where there is nothing to do. After a lock the platform puts the
                // cell to sleep in its own time.
                Err(RecvError::Lagged(_)) if cell.vault().state() == VaultState::Unlocked => {
                    let _no_model = cell.start(Asked::ByTheWay);
                    let cell = cell.clone();
                    tokio::spawn(async move {
                        cell.restart_for_model().await;
                        cell.seal_anew().await;
                    });
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}
