//! How long to wait after wrong passwords: nothing for the first slips, then doubling up to an hour.

use serde::{Deserialize, Serialize};

/// Failures that cost no waiting.
pub const FREE_ATTEMPTS: u32 = 3;
/// Longest wait, in milliseconds: at most some 9000 guesses a year.
pub const LONGEST_WAIT_MS: u64 = 60 * 60 * 1000;
const FIRST_WAIT_MS: u64 = 1000;

/// The wait after this many failures in a row, in milliseconds.
pub fn wait_ms(failures: u32) -> u64 {
    match failures.checked_sub(FREE_ATTEMPTS) {
        None | Some(0) => 0,
        Some(over) => FIRST_WAIT_MS
            .saturating_mul(1_u64.checked_shl(over - 1).unwrap_or(u64::MAX))
            .min(LONGEST_WAIT_MS),
    }
}

/// Failures in a row of one slot, and when the last was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    pub failures: u32,
    /// Milliseconds since the Unix epoch.
    pub last: i64,
}

impl Attempts {
    /// How long the next attempt has to wait from `now`, in milliseconds; 0 when it may be made.
    ///
    /// A clock that was set back never lengthens the wait beyond what the count asks for.
    pub fn remaining_ms(&self, now: i64) -> u64 {
        let wait = wait_ms(self.failures);
        let passed = u64::try_from(now.saturating_sub(self.last)).unwrap_or(0);
        wait.saturating_sub(passed)
    }

    /// Counts an attempt that is made at `now`: a failure until it is known to be none.
    #[must_use]
    pub fn counted(self, now: i64) -> Self {
        Self {
            failures: self.failures.saturating_add(1),
            last: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_wait_doubles_after_the_free_attempts_up_to_an_hour() {
        let waits: Vec<u64> = (0..8).map(wait_ms).collect();
        assert_eq!(waits, [0, 0, 0, 0, 1000, 2000, 4000, 8000]);
        assert_eq!(wait_ms(15), 2_048_000);
        assert_eq!(wait_ms(16), LONGEST_WAIT_MS);
    }

    proptest! {
        #[test]
        fn the_wait_never_shrinks_with_failures_nor_passes_the_longest(failures: u32) {
            prop_assert!(wait_ms(failures) <= wait_ms(failures.saturating_add(1)));
            prop_assert!(wait_ms(failures) <= LONGEST_WAIT_MS);
        }

        #[test]
        fn no_clock_makes_the_wait_longer_than_the_count_asks_for(failures: u32, last: i64, now: i64) {
            let attempts = Attempts { failures, last };
            prop_assert!(attempts.remaining_ms(now) <= wait_ms(failures));
            prop_assert_eq!(attempts.remaining_ms(last), wait_ms(failures));
        }
    }
}
