//! Chains what was written down. Those who wait for the chain of a tenant while others are at it go together, in the next transaction.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::{Millis, TenantId};

use super::AuditKey;
use super::key::{Place, Whose};
use super::told::Told;
use crate::alerts;
use crate::clock::{Clock, millis};
use crate::database::Database;
use crate::limits;
use crate::storage::audit::{self as stored, Checkpoint, Head, Stored};
use crate::storage::{StorageError, TenantTransaction};

/// The chains of all tenants, and who signs them.
pub(crate) struct Chains {
    clock: Arc<dyn Clock>,
    key: AuditKey,
    /// Of tenants for whose chain somebody waits now.
    lines: Mutex<HashMap<TenantId, Arc<Line>>>,
}

/// Those who wait for one chain.
#[derive(Default)]
struct Line {
    asked: AtomicU64,
    /// What all up to this one had written down is chained. Held while that is done.
    done: tokio::sync::Mutex<u64>,
}

impl Chains {
    pub(super) fn new(clock: Arc<dyn Clock>, key: AuditKey) -> Self {
        Self {
            clock,
            key,
            lines: Mutex::default(),
        }
    }

    pub(super) fn key(&self) -> &AuditKey {
        &self.key
    }

    /// Waits until all that was written down in the tenant before, by whomever, is chained, and on the disk.
    pub(crate) fn chain(
        self: &Arc<Self>,
        database: &Database,
        tenant: TenantId,
    ) -> BoxFuture<'static, Result<(), StorageError>> {
        let (this, database) = (Arc::clone(self), database.clone());
        // Not in the request: it may end before its event is chained.
        let chained = tokio::spawn(async move { this.in_line(&database, tenant).await });
        async { chained.await.unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed.into())) }.boxed()
    }

    async fn in_line(&self, database: &Database, tenant: TenantId) -> Result<(), StorageError> {
        let line = self.lines().entry(tenant).or_default().clone();
        let chained = self.with_others(&line, database, tenant).await;
        let mut lines = self.lines();
        // One is in the map, the other here: nobody else waits.
        if Arc::strong_count(&line) == 2 {
            lines.remove(&tenant);
        }
        chained
    }

    async fn with_others(&self, line: &Line, database: &Database, tenant: TenantId) -> Result<(), StorageError> {
        let ours = line.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut done = line.done.lock().await;
        if *done < ours {
            let asked = line.asked.load(Ordering::SeqCst);
            while self.chain_some(database, tenant).await? == limits::AUDIT_CHAINED as usize {}
            *done = asked;
        }
        Ok(())
    }

    /// Chains what waits, signs where it is time to, and raises alerts: how many events it was.
    async fn chain_some(&self, database: &Database, tenant: TenantId) -> Result<usize, StorageError> {
        let now = self.clock.now();
        let mut transaction = TenantTransaction::begin(database, tenant).await?;
        let chained = stored::chain_waiting(&mut transaction, now).await?;
        for Stored { seq, body, hash } in &chained {
            if let Some(checkpoint) = self.checkpoint(Whose::Tenant(tenant), *seq, *hash, millis(now)) {
                stored::add_checkpoint(&mut transaction, &checkpoint).await?;
            }
            alerts::raise(&mut transaction, &Told::read(body)?).await?;
        }
        transaction.commit().await?;
        Ok(chained.len())
    }

    /// The signature over this place of a chain, where it is one at which the installation signs.
    pub(super) fn checkpoint(&self, whose: Whose, seq: i64, hash: [u8; 32], at: Millis) -> Option<Checkpoint> {
        whose.is_signed_at(seq).then(|| Checkpoint {
            seq,
            hash,
            at,
            signature: self.key.sign(Place::Checkpoint, whose, &Head { seq, hash }, at),
        })
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
