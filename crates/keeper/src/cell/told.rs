//! The agent is told what it may call and see: before it starts, and again when that changes.

use super::Cell;

/// Tells it anew at each change, between the steps of the cell's life.
pub(super) async fn run(cell: Cell) {
    let Some(guide) = cell.inner.parts.guide.clone() else {
        return;
    };
    loop {
        guide.changed().await;
        let step = cell.inner.step.lock().await;
        // Otherwise it is told when it starts.
        if step.home_is_live {
            cell.tell_agent().await;
        }
    }
}

impl Cell {
    /// What cannot be told is no reason not to work.
    pub(super) async fn tell_agent(&self) {
        let Some(guide) = &self.inner.parts.guide else { return };
        let told = match guide.told() {
            Ok(told) => self.agent().tell(told).await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = told {
            tracing::warn!("the agent is not told what it may call: {error}");
        }
    }
}
