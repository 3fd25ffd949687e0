//! What happened to a cell since this process knows it, for the operator: states and what went wrong, never what was said in it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::Millis;
use serde::Serialize;

use super::CellState;
use crate::{limits, now_ms};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellEvent {
    pub at: Millis,
    /// The state that the cell came into; the one that it stayed in, where there is only a problem.
    pub state: CellState,
    /// What went wrong, where something did.
    pub problem: Option<String>,
}

/// The last events, oldest first, and since when the state is what it is.
pub(crate) struct History(Mutex<Kept>);

struct Kept {
    since: Millis,
    problem: Option<String>,
    events: VecDeque<CellEvent>,
}

impl History {
    pub fn new() -> Self {
        Self(Mutex::new(Kept {
            since: now_ms(),
            problem: None,
            events: VecDeque::new(),
        }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cell came into another state.
    pub fn came_into(&self, state: CellState) {
        let mut kept = self.kept();
        kept.since = now_ms();
        // A start that went well is the end of what went wrong before.
        if state == CellState::Awake {
            kept.problem = None;
        }
        kept.add(state, None);
    }

    /// Something went wrong; the state stays, or is about to change.
    pub fn problem(&self, state: CellState, problem: String) {
        let mut kept = self.kept();
        kept.problem = Some(problem.clone());
        kept.add(state, Some(problem));
    }

    pub fn since(&self) -> Millis {
        self.kept().since
    }

    /// What last went wrong, if nothing went well since.
    pub fn last_problem(&self) -> Option<String> {
        self.kept().problem.clone()
    }

    pub fn events(&self) -> Vec<CellEvent> {
        self.kept().events.iter().cloned().collect()
    }
}

impl Kept {
    fn add(&mut self, state: CellState, problem: Option<String>) {
        if self.events.len() == limits::EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(CellEvent {
            at: now_ms(),
            state,
            problem,
        });
    }
}
