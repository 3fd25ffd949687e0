//! A keeper that is waited for: until when, and when to look whether it lives at all.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits;

/// Looks come soon at first: the connection of a keeper that was killed ends a moment before the engine knows that it has ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Awaited {
    by: Instant,
    look_at: Instant,
    pause: Duration,
}

impl Awaited {
    pub fn within(limit: Duration) -> Self {
        let now = Instant::now();
        let pause = limits::LOOK_FIRST;
        Self {
            by: now + limit,
            look_at: now + pause,
            pause,
        }
    }

    /// When something is to be done about it.
    pub fn due(&self) -> Instant {
        self.by.min(self.look_at)
    }

    /// It is not waited for any longer.
    pub fn is_over(&self, now: Instant) -> bool {
        self.by <= now
    }

    /// Looked, and it may still come.
    pub fn looked(&mut self) {
        self.pause = (self.pause * 2).min(limits::LOOK_LONGEST);
        self.look_at = Instant::now() + self.pause;
    }
}
