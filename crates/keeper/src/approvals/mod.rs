//! What the agent may not do by itself is asked of its owner.
//!
//! What is promised here: a request names exactly what would be done, and what is allowed is that, byte for byte, once, for as
//! long as the request lives. It is decided through the channel alone, which the agent has no end of; nothing that comes from the
//! agent's side names a request, so nothing can be answered, widened or used twice from there. A request, its answer and its use
//! are in the vault before they count.

mod action;
mod ask;
mod commands;
mod decide;
mod error;
mod methods;
mod notices;
mod record;
mod rule;
mod second;
mod store;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

pub use action::{Action, ShareTerms, Whose};
pub use ask::{Ceiling, Verdict};
pub use commands::bridge_commands;
pub use error::ApprovalError;
pub use notices::tell_platform;
pub use record::{Approval, State};
pub use rule::Rule;
pub use second::carry_seconds;

use crate::activity::Activity;
use crate::clock::Clock;
use crate::vault_service::VaultService;

/// Which conversations the agent works on now.
pub trait RunningTurns: Send + Sync + 'static {
    /// Their ids; empty when nothing runs, or when the vault is locked.
    fn running(&self) -> Vec<String>;
}

/// The approvals of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Approvals {
    vault: VaultService,
    activity: Activity,
    clock: Arc<dyn Clock>,
    turns: Arc<OnceLock<Arc<dyn RunningTurns>>>,
    /// Held while one request is looked up, used or decided.
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
    /// Calls of the agent that wait for an answer.
    held: Arc<AtomicUsize>,
    changes: Arc<watch::Sender<u64>>,
    second: Arc<second::Second>,
}

impl Approvals {
    /// The approvals in this vault.
    pub fn new(vault: VaultService, activity: Activity, clock: Arc<dyn Clock>) -> Self {
        Self {
            vault,
            activity,
            clock,
            turns: Arc::default(),
            one_at_a_time: Arc::default(),
            held: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
            second: Arc::default(),
        }
    }

    /// Who knows what runs; set once.
    pub fn set_turns(&self, turns: Arc<dyn RunningTurns>) {
        let _first_one_stays = self.turns.set(turns);
    }

    fn running(&self) -> Vec<String> {
        self.turns.get().map(|turns| turns.running()).unwrap_or_default()
    }

    /// Changes whenever a request is made, decided, used or withdrawn, and when a rule or the setting changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}
