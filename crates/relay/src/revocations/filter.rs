//! The filter before the exact set: a Bloom filter that is read without a lock and grows while it is read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use fastbloom::AtomicBloomFilter;
use futures::TryStreamExt as _;
use protocol::CapabilityId;
use sqlx::{PgPool, Row as _};
use tokio::sync::RwLockReadGuard;
use tracing::{info, warn};
use uuid::Uuid;

use crate::limits::FILTER_FALSE_POSITIVES;

struct Bits {
    filter: AtomicBloomFilter,
    made_for: usize,
    inserted: AtomicUsize,
}

impl Bits {
    fn for_items(made_for: usize) -> Self {
        Self {
            filter: AtomicBloomFilter::with_false_pos(FILTER_FALSE_POSITIVES).expected_items(made_for),
            made_for,
            inserted: AtomicUsize::new(0),
        }
    }

    fn insert(&self, issuer: i64, capability: CapabilityId) {
        self.filter.insert(&(issuer, capability));
        self.inserted.fetch_add(1, Ordering::Relaxed);
    }
}

/// What may be revoked.
pub struct Filter {
    now: RwLock<Arc<Bits>>,
    /// The larger one that is being filled; whoever inserts, inserts into both.
    next: RwLock<Option<Arc<Bits>>>,
    /// Held shared from an insertion to its commit, and exclusively for the moment in which the larger one begins: so what it is not
    /// told of is committed, and read.
    gate: tokio::sync::RwLock<()>,
}

/// The right to insert, to be held until what was inserted is committed.
pub(crate) struct Inserting<'a> {
    filter: &'a Filter,
    _gate: RwLockReadGuard<'a, ()>,
}

impl Inserting<'_> {
    pub fn insert(&self, issuer: i64, capability: CapabilityId) {
        self.filter.current().insert(issuer, capability);
        if let Some(next) = self.filter.next.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            next.insert(issuer, capability);
        }
    }
}

/// The growth of a filter: over when it is dropped, whoever gives it up, so that the next can begin.
struct Growing<'a>(&'a Filter);

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        *self.0.next.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Filter {
    /// A filter for so many, with nothing in it.
    pub fn for_items(items: usize) -> Self {
        Self {
            now: RwLock::new(Arc::new(Bits::for_items(items))),
            next: RwLock::default(),
            gate: tokio::sync::RwLock::default(),
        }
    }

    /// Reads what is revoked.
    pub(crate) async fn load(pool: &PgPool, at_least: usize) -> Result<Self, sqlx::Error> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM revoked")
            .fetch_one(pool)
            .await?;
        let filter = Self::for_items(at_least.max(usize::try_from(count).unwrap_or(0) * 2));
        fill(&filter.current(), pool).await?;
        Ok(filter)
    }

    fn current(&self) -> Arc<Bits> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one, where nothing is committed.
    #[doc(hidden)]
    pub fn insert(&self, issuer: i64, capability: CapabilityId) {
        self.current().insert(issuer, capability);
    }

    /// False: certainly not revoked.
    pub fn may_contain(&self, issuer: i64, capability: CapabilityId) -> bool {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.filter.contains(&(issuer, capability))
    }

    pub(crate) async fn inserting(&self) -> Inserting<'_> {
        Inserting {
            filter: self,
            _gate: self.gate.read().await,
        }
    }

    /// Makes a larger one when this one is full, and answers from this one until that is filled. What fails or is given up is tried again at
    /// the next.
    pub(crate) async fn grow(&self, pool: &PgPool) {
        self.grow_by(async |next| fill(&next, pool).await).await;
    }

    async fn grow_by(&self, fill: impl AsyncFnOnce(Arc<Bits>) -> Result<(), sqlx::Error>) {
        let now = self.current();
        if now.inserted.load(Ordering::Relaxed) < now.made_for {
            return;
        }
        let next = Arc::new(Bits::for_items(now.made_for * 2));
        let growing = {
            let _nobody_inserts = self.gate.write().await;
            let mut slot = self.next.write().unwrap_or_else(PoisonError::into_inner);
            if slot.is_some() {
                return;
            }
            *slot = Some(Arc::clone(&next));
            Growing(self)
        };
        let filled = fill(Arc::clone(&next)).await;
        // Under the gate: nobody inserts into the one and not the other.
        let _nobody_inserts = self.gate.write().await;
        match filled {
            Ok(()) => {
                info!(items = next.made_for, "the filter of revocations has grown");
                *self.now.write().unwrap_or_else(PoisonError::into_inner) = next;
            }
            Err(error) => warn!(%error, "the filter of revocations could not grow: more is looked up"),
        }
        drop(growing);
    }
}

async fn fill(bits: &Bits, pool: &PgPool) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::query("SELECT issuer, capability FROM revoked").fetch(pool);
    while let Some(row) = rows.try_next().await? {
        bits.insert(row.get("issuer"), row.get::<Uuid, _>("capability").into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_growth_that_is_given_up_does_not_keep_the_next_from_being_made() {
        let filter = Filter::for_items(1);
        let revoked = CapabilityId::new();
        filter.insert(1, revoked);
        // Whoever published is gone while the larger one is filled.
        let given_up = filter.grow_by(async |_| pending().await).now_or_never();
        assert!(given_up.is_none());
        let read = async |next: Arc<Bits>| {
            next.insert(1, revoked);
            Ok(())
        };
        filter.grow_by(read).now_or_never().unwrap();
        assert_eq!(filter.current().made_for, 2);
        assert!(filter.may_contain(1, revoked) && filter.next.read().unwrap().is_none());
    }
}
