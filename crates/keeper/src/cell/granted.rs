//! While the agent may work with nobody there, the cell counts as busy: it is not paused for not being used.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::Cell;

/// The clock is looked at no less often: a machine that slept moves the wall clock, not the timer.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Runs as long as the vault does.
pub(super) async fn run(cell: Cell) {
    let mut notices = cell.vault().notices();
    let mut held = None;
    loop {
        held = match (cell.vault().granted_until(), held) {
            (Some(_), None) => Some(cell.busy()),
            (Some(_), held) => held,
            (None, _) => None,
        };
        // Any notice may be that it was granted, ended or locked.
        tokio::select! {
            notice = notices.recv() => if matches!(notice, Err(RecvError::Closed)) { return; },
            () = tokio::time::sleep(LOOK_AGAIN), if held.is_some() => {}
        }
    }
}
