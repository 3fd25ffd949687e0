//! Wall-clock time as an argument, so that tests decide what it is.

use protocol::Millis;
use std::time::{SystemTime, UNIX_EPOCH};

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Millis;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |passed| Millis::try_from(passed.as_millis()).unwrap_or(Millis::MAX))
    }
}

/// Follows tokio's clock from a given time: with paused time, a test moves both at once.
pub struct TokioClock {
    start: tokio::time::Instant,
    at_start: Millis,
}

impl TokioClock {
    /// It is `now` now.
    pub fn starting_at(now: Millis) -> Self {
        Self {
            start: tokio::time::Instant::now(),
            at_start: now,
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Millis {
        self.at_start + Millis::try_from(self.start.elapsed().as_millis()).unwrap_or(0)
    }
}
