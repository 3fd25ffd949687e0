//! A pause that somebody asks for: the same step down that idleness takes, but at once and with an answer.

use tokio::time::Instant;

use super::actor::{Actor, Stage};
use crate::CellsError;

impl Actor {
    /// Whoever asked for a pause gets it where the cell is at a stage for it.
    pub(super) fn pause_if_asked(&mut self) {
        self.pause_problem = None;
        if self.stage == Stage::Awake && self.keeper.is_some() {
            self.ask_to_pause(Instant::now());
        }
    }

    /// Answers once the pause is in force, or did not come about.
    pub(super) fn answer_pausers(&mut self) {
        if self.pausers.is_empty() || matches!(self.stage, Stage::Pausing { .. }) {
            return;
        }
        let cell = self.shared.cell;
        let result = match self.stage {
            Stage::Paused => Ok(()),
            Stage::Awake => Err(self.pause_problem.take().unwrap_or(CellsError::InUse { cell })),
            _ => Err(CellsError::NotAwake { cell }),
        };
        for reply in self.pausers.drain(..) {
            let _ = reply.send(result.clone());
        }
    }
}
