//! How many requests a tenant has left this minute. Each tenant has its own bucket, which fills evenly.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::TenantId;
use time::OffsetDateTime;

use crate::limits;

const MINUTE: f64 = 60.0;

#[derive(Default)]
pub(crate) struct Requests(Mutex<HashMap<TenantId, Bucket>>);

struct Bucket {
    left: f64,
    at: OffsetDateTime,
}

/// A tenant has asked for more than it may in a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TenantTooOften {
    /// What it may.
    pub most: u32,
    /// Until there is room for one more.
    pub wait: Duration,
}

impl Requests {
    /// Takes one request, or says how long to wait.
    pub(crate) fn take(
        &self,
        tenant: TenantId,
        per_minute: Option<i32>,
        now: OffsetDateTime,
    ) -> Result<(), TenantTooOften> {
        let limit = per_minute.map_or(limits::TENANT_REQUESTS, i32::unsigned_abs).max(1);
        let most = f64::from(limit);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(tenant).or_insert(Bucket { left: most, at: now });
        let passed = (now - bucket.at).as_seconds_f64().max(0.0);
        bucket.left = (bucket.left + passed * most / MINUTE).min(most);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(TenantTooOften {
                most: limit,
                wait: Duration::from_secs_f64((1.0 - bucket.left) * MINUTE / most),
            });
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// A tenant that is gone is not remembered.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_asks_too_often_waits_and_another_does_not() {
        let (requests, tenant, now) = (Requests::default(), TenantId::new(), OffsetDateTime::UNIX_EPOCH);
        for _ in 0..30 {
            requests.take(tenant, Some(30), now).unwrap();
        }
        let wait = Duration::from_secs(2);
        assert_eq!(
            requests.take(tenant, Some(30), now),
            Err(TenantTooOften { most: 30, wait })
        );
        requests.take(TenantId::new(), Some(30), now).unwrap();
        requests.take(tenant, Some(30), now + Duration::from_secs(2)).unwrap();
        assert!(requests.take(tenant, Some(30), now + Duration::from_secs(2)).is_err());
    }
}
