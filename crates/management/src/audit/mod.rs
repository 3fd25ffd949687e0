//! What was done, by whom, from where, to what, and how it ended. Each tenant has a chain of its own: every event carries the
//! hash of all before it, and now and then the installation signs where the chain stands.

pub(crate) mod cef;
mod chain;
mod chaining;
mod check;
mod event;
mod export;
pub mod fuzzing;
mod key;
pub(crate) mod told;
mod verify;
mod walk;

pub(crate) use chaining::Chains;
pub(crate) use check::ChainWatch;
pub(crate) use event::{Action, By, Entry, Target, Text};
pub use key::AuditKey;
pub use verify::{Broken, Verified, verify};

use std::sync::Arc;

use protocol::TenantId;
use sqlx::PgConnection;

use key::Whose;

use crate::clock::{Clock, millis};
use crate::database::Database;
use crate::storage::audit::{self as stored, Head};
use crate::storage::{StorageError, TenantTransaction, operator_audit};

/// Writes events. They are part of the transaction that they tell of: neither is kept without the other.
pub(crate) struct AuditLog {
    clock: Arc<dyn Clock>,
    chains: Arc<Chains>,
}

impl AuditLog {
    pub(crate) fn new(clock: Arc<dyn Clock>, key: AuditKey) -> Self {
        let chains = Arc::new(Chains::new(clock.clone(), key));
        Self { clock, chains }
    }

    /// Writes an event down. It is in the tenant's chain when the transaction's [`commit`](TenantTransaction::commit) returns.
    pub(crate) async fn record(
        &self,
        transaction: &mut TenantTransaction,
        by: &By,
        entry: Entry,
    ) -> Result<(), StorageError> {
        let text = Text::of(Some(transaction.tenant()), millis(self.clock.now()), by, &entry)?;
        stored::write_down(transaction, &text).await?;
        transaction.chained_by(&self.chains);
        Ok(())
    }

    /// Adds an event to the operator's own chain, in whatever transaction it tells of. `tenant` is the organisation that it concerns.
    pub(crate) async fn record_operator(
        &self,
        connection: &mut PgConnection,
        tenant: Option<TenantId>,
        by: &By,
        entry: &Entry,
    ) -> Result<(), StorageError> {
        let (head, unsigned) = operator_audit::lock_head(connection).await?;
        let seq = head.seq + 1;
        let at = millis(self.clock.now());
        let body = Text::of(tenant, at, by, entry)?.numbered(seq);
        let hash = chain::next(&head.hash, &body);
        operator_audit::append(connection, Head { seq, hash }, &body).await?;
        match self.chains.checkpoint(Whose::Operator { unsigned }, seq, hash, at) {
            Some(checkpoint) => operator_audit::add_checkpoint(connection, &checkpoint).await,
            None => Ok(()),
        }
    }

    /// Whether the operator's chain holds: the number of its events, or the first one that does not fit.
    pub(crate) async fn verify_operator(&self, database: &Database) -> Result<Result<i64, i64>, StorageError> {
        let (head, unsigned) = operator_audit::head(&mut *database.pool().acquire().await?).await?;
        let whose = Whose::Operator { unsigned };
        let found = self.go_through(database, whose, Head::BEGINNING, head).await?;
        Ok(found.map(|head| head.seq).map_err(|tampered| tampered.seq))
    }
}
