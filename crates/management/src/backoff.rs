//! Who fails to come in, by whichever way, waits longer and longer: some failures cost nothing, since a whole office may be one client,
//! then one waits 1 s, 2 s, 4 s, ... Coming in ends it. It is kept in memory, beside the limits on how often anybody may try, and, where
//! several servers share a Redis, there too. Codes of second factors are counted for each person, too, in the database, and here for all people
//! of a tenant together, so that many guessers at many addresses are slowed down as well.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::clock::{Clock, after};
use crate::limits;

/// Of clients, or of tenants.
pub(crate) struct Backoff<K> {
    clock: Arc<dyn Clock>,
    /// Failures that cost nothing.
    free: u32,
    failing: Mutex<HashMap<K, Failures>>,
}

struct Failures {
    in_a_row: u32,
    last: OffsetDateTime,
}

impl Failures {
    fn wait(&self, free: u32) -> Duration {
        match self.in_a_row.checked_sub(free) {
            None | Some(0) => Duration::ZERO,
            Some(more) => Duration::from_secs(1 << (more - 1).min(20)).min(limits::CLIENT_WAIT),
        }
    }
}

impl<K: Hash + Eq> Backoff<K> {
    /// For who may fail `free` times in a row.
    pub(crate) fn after(free: u32, clock: &Arc<dyn Clock>) -> Self {
        Self {
            clock: clock.clone(),
            free,
            failing: Mutex::default(),
        }
    }

    /// Whether they may try now, or how long they have to wait.
    pub(crate) fn check(&self, who: &K) -> Result<(), Duration> {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(failures) = failing.get(who) else {
            return Ok(());
        };
        let left = after(failures.last, failures.wait(self.free)) - self.clock.now();
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => Err(left),
            _ => Ok(()),
        }
    }

    /// They tried and failed.
    pub(crate) fn failed(&self, who: K) {
        let now = self.clock.now();
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |failures: &Failures| after(failures.last, limits::CLIENT_FAILURES_KEPT) > now;
        if failing.len() >= limits::CLIENTS_KEPT && !failing.contains_key(&who) {
            failing.retain(|_, failures| is_new(failures));
            if failing.len() >= limits::CLIENTS_KEPT {
                return;
            }
        }
        let failures = failing.entry(who).or_insert(Failures { in_a_row: 0, last: now });
        if !is_new(failures) {
            failures.in_a_row = 0;
        }
        failures.in_a_row = failures.in_a_row.saturating_add(1);
        failures.last = now;
    }

    /// They came in.
    pub(crate) fn succeeded(&self, who: &K) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(who);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn some_failures_cost_nothing_and_then_each_costs_twice_as_much_up_to_a_minute() {
        let wait = |in_a_row| {
            let last = OffsetDateTime::UNIX_EPOCH;
            Failures { in_a_row, last }.wait(limits::CLIENT_FAILURES_FREE).as_secs()
        };
        let free = limits::CLIENT_FAILURES_FREE;
        assert_eq!((wait(0), wait(free)), (0, 0));
        let waits: Vec<_> = (1..=8).map(|more| wait(free + more)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(wait(u32::MAX), 60);
    }

    #[test]
    fn one_client_waits_and_another_does_not_and_coming_in_ends_it() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let backoff = Backoff::after(limits::CLIENT_FAILURES_FREE, &clock);
        let client = |last| IpAddr::from([192, 0, 2, last]);
        // More than a minute's worth, so that no time that passes meanwhile matters.
        for _ in 0..limits::CLIENT_FAILURES_FREE + 10 {
            backoff.failed(client(1));
        }
        assert!(backoff.check(&client(1)).is_err());
        assert_eq!(backoff.check(&client(2)), Ok(()));
        backoff.succeeded(&client(1));
        assert_eq!(backoff.check(&client(1)), Ok(()));
    }

    #[test]
    fn no_more_clients_are_remembered_than_there_is_room_for() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let backoff = Backoff::after(limits::CLIENT_FAILURES_FREE, &clock);
        for number in 0..u32::try_from(limits::CLIENTS_KEPT).unwrap() + 5 {
            backoff.failed(IpAddr::V4(number.into()));
        }
        assert_eq!(backoff.failing.lock().unwrap().len(), limits::CLIENTS_KEPT);
    }
}
