//! What was done, by whom, from where, to what, and how it ended. Each tenant has a chain of its own: every event carries the
//! hash of all before it, and now and then the installation signs where the chain stands.

pub(crate) mod cef;
mod chain;
mod check;
mod event;
mod export;
mod key;
pub(crate) mod told;
mod verify;

pub(crate) use check::ChainWatch;
pub(crate) use event::{Action, By, Entry, Target};
pub use key::AuditKey;
pub use verify::{Broken, Verified, verify};

use std::sync::Arc;

use key::Place;
use protocol::TenantId;
use sqlx::PgConnection;

use crate::alerts;
use crate::clock::{Clock, millis};
use crate::database::Database;
use crate::limits;
use crate::storage::audit::{self as stored, Checkpoint, Head};
use crate::storage::{StorageError, TenantTransaction, operator_audit};

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
        let body = event::body(seq, Some(tenant), at, by, &entry)?;
        let hash = chain::next(&head.hash, &body);
        stored::append(transaction, Head { seq, hash }, &body, now).await?;
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

    /// Adds an event to the operator's own chain, in whatever transaction it tells of. `tenant` is the organisation that it concerns.
    pub(crate) async fn record_operator(
        &self,
        connection: &mut PgConnection,
        tenant: Option<TenantId>,
        by: &By,
        entry: &Entry,
    ) -> Result<(), StorageError> {
        let head = operator_audit::lock_head(connection).await?;
        let seq = head.seq + 1;
        let body = event::body(seq, tenant, millis(self.clock.now()), by, entry)?;
        let hash = chain::next(&head.hash, &body);
        operator_audit::append(connection, Head { seq, hash }, &body).await
    }

    /// Whether the operator's chain holds: the number of its events, or the first one that does not fit.
    pub(crate) async fn verify_operator(&self, database: &Database) -> Result<Result<i64, i64>, StorageError> {
        let mut connection = database.pool().acquire().await?;
        let head = operator_audit::head(&mut connection).await?;
        let mut hash = [0; 32];
        let mut after = 0;
        while after < head.seq {
            let events = operator_audit::in_order(&mut connection, after, head.seq).await?;
            if events.is_empty() {
                return Ok(Err(after + 1));
            }
            for event in events {
                hash = chain::next(&hash, &event.body);
                if event.seq != after + 1 || event.hash != hash {
                    return Ok(Err(after + 1));
                }
                after = event.seq;
            }
        }
        Ok(if hash == head.hash { Ok(after) } else { Err(after) })
    }
}
