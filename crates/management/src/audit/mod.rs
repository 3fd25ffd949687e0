//! What was done, by whom, from where, to what, and how it ended. Each tenant has a chain of its own: every event carries the
//! hash of all before it, and now and then the installation signs where the chain stands.

pub(crate) mod cef;
mod chain;
mod event;
mod export;
mod key;
pub(crate) mod told;
mod verify;

pub(crate) use event::{Action, By, Entry, Target};
pub use key::AuditKey;
pub use verify::{Broken, Verified, verify};

use std::sync::Arc;

use key::Place;

use crate::alerts;
use crate::clock::{Clock, millis};
use crate::limits;
use crate::storage::audit::{self as stored, Checkpoint, Head};
use crate::storage::{StorageError, TenantTransaction};

/// Writes events. They are part of the transaction that they tell of: neither is kept without the other.
pub(crate) struct AuditLog {
    pub clock: Arc<dyn Clock>,
    pub key: AuditKey,
}

impl AuditLog {
    /// Adds an event to the tenant's chain. Locks the chain until the transaction ends, so this comes last in it.
    pub(crate) async fn record(
        &self,
        transaction: &mut TenantTransaction,
        by: &By,
        entry: Entry,
    ) -> Result<(), StorageError> {
        let head = stored::lock_head(transaction).await?;
        let tenant = transaction.tenant();
        let now = self.clock.now();
        let at = millis(now);
        let seq = head.seq + 1;
        let body = event::body(seq, tenant, at, by, &entry)?;
        let hash = chain::next(&head.hash, &body);
        stored::append(transaction, Head { seq, hash }, &body).await?;
        if seq % limits::AUDIT_CHECKPOINT == 0 {
            let signature = self.key.sign(Place::Checkpoint, tenant, seq, &hash, at);
            let checkpoint = Checkpoint {
                seq,
                hash,
                at,
                signature,
            };
            stored::add_checkpoint(transaction, &checkpoint).await?;
        }
        alerts::raise(transaction, &event::happened(seq, now, by, &entry)).await
    }
}
