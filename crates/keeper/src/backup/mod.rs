//! Backups (`.hfb`, `docs/protocol.md`, section 1.6): out of a vault that is open, and into one.
//!
//! What is promised here: a backup is one moment of vault and home, made while the agent goes on; it can be opened by each slot
//! that the vault had then, wherever it is taken. Nothing is replaced by a backup before all of it was read, opened and checked;
//! then vault and home change in one write. What was taken back, counted or paused since the backup stays so.

mod error;
mod incoming;
mod methods;
mod not_undone;
mod old_vault;
mod outgoing;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use crate::cell::Cell;
use crate::vault_service::VaultService;
pub use error::BackupFailure;
use incoming::Incoming;
use outgoing::Outgoing;

/// The backups of one cell that are being made or read. Cheap to clone.
#[derive(Clone)]
pub struct Backups {
    vault: VaultService,
    cell: Cell,
    outgoing: Sessions<Outgoing>,
    incoming: Sessions<Incoming>,
}

/// By id, with the channel that each belongs to.
type UnderWay<T> = HashMap<Uuid, (u64, Arc<tokio::sync::Mutex<T>>)>;
type Sessions<T> = Arc<Mutex<UnderWay<T>>>;

impl Backups {
    /// The backups of this vault and this cell's home.
    pub fn new(vault: VaultService, cell: Cell) -> Self {
        Self {
            vault,
            cell,
            outgoing: Arc::default(),
            incoming: Arc::default(),
        }
    }
}
