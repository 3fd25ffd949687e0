//! How far the cell is, since when, and how long each phase took lately.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::Millis;
use protocol::chat::{CellEvent, CellPhase};
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::clock::Clock;
use crate::limits;

/// The vault's record of past durations.
pub(super) const RECORD: &str = "cell/durations";

const EVENTS: usize = 32;

/// The present phase and its listeners.
pub(super) struct Phases {
    clock: Arc<dyn Clock>,
    now: watch::Sender<Option<CellEvent>>,
    events: broadcast::Sender<CellEvent>,
    past: Mutex<Durations>,
}

/// Milliseconds that each phase took, newest last.
#[derive(Default, Clone, Serialize, Deserialize)]
struct Durations {
    restoring_home: Vec<u64>,
    starting_agent: Vec<u64>,
    warming_up: Vec<u64>,
}

impl Durations {
    fn of(&mut self, phase: CellPhase) -> Option<&mut Vec<u64>> {
        match phase {
            CellPhase::RestoringHome => Some(&mut self.restoring_home),
            CellPhase::StartingAgent => Some(&mut self.starting_agent),
            CellPhase::WarmingUp => Some(&mut self.warming_up),
            _ => None,
        }
    }
}

impl Phases {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            now: watch::Sender::new(None),
            events: broadcast::Sender::new(EVENTS),
            past: Mutex::default(),
        }
    }

    /// Enters a phase; the same phase again changes nothing but the message.
    pub fn enter(&self, phase: CellPhase, message: Option<String>) {
        let at = self.clock.now();
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.now.borrow().clone();
        if let Some(before) = &before {
            if before.phase == phase && before.message == message {
                return;
            }
            if before.phase != phase
                && phase != CellPhase::Failed
                && let Some(took) = past.of(before.phase)
            {
                took.push(u64::try_from(at - before.since).unwrap_or(0));
                let superfluous = took.len().saturating_sub(limits::DURATIONS_KEPT);
                took.drain(..superfluous);
            }
        }
        let event = CellEvent {
            phase,
            since: at,
            usual_ms: past.of(phase).and_then(|took| median(took)),
            message,
        };
        self.now.send_replace(Some(event.clone()));
        // Nobody needs to be listening.
        let _ = self.events.send(event);
    }

    pub fn is(&self, phase: CellPhase) -> bool {
        self.now.borrow().as_ref().is_some_and(|event| event.phase == phase)
    }

    /// The present phase; before anything was begun, the vault is what it waits for.
    pub fn current(&self) -> CellEvent {
        self.now.borrow().clone().unwrap_or(CellEvent {
            phase: CellPhase::OpeningVault,
            since: self.clock.now(),
            usual_ms: None,
            message: None,
        })
    }

    /// When the present phase began.
    pub fn since(&self) -> Millis {
        self.current().since
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub fn watch(&self) -> watch::Receiver<Option<CellEvent>> {
        self.now.subscribe()
    }

    pub fn events(&self) -> broadcast::Receiver<CellEvent> {
        self.events.subscribe()
    }

    /// Past durations, for the vault.
    pub fn record(&self) -> Vec<u8> {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_vec(&*past).unwrap_or_default()
    }

    /// Takes up what an earlier keeper recorded; nonsense is passed over, it is only a hint.
    pub fn recall(&self, record: &[u8]) {
        if let Ok(durations) = serde_json::from_slice(record) {
            *self.past.lock().unwrap_or_else(PoisonError::into_inner) = durations;
        }
    }
}

fn median(took: &[u64]) -> Option<u64> {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}
