//! The one clock and the one source of randomness: arguments everywhere, so that tests can set them.

use std::time::Duration;

use time::OffsetDateTime;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// Fills buffers with bytes nobody can guess.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the whole buffer.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoEntropy;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(buffer).map_err(|_| NoEntropy)
    }
}

/// Milliseconds since the Unix epoch: how times travel in JSON.
pub(crate) fn millis(at: OffsetDateTime) -> protocol::Millis {
    at.unix_timestamp().saturating_mul(1000) + i64::from(at.millisecond())
}

/// The other way; `None` beyond the years that can be written.
pub(crate) fn moment(millis: protocol::Millis) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()
}

/// A time that lies so far behind another.
pub(crate) fn after(at: OffsetDateTime, life: Duration) -> OffsetDateTime {
    at.saturating_add(time::Duration::try_from(life).unwrap_or(time::Duration::MAX))
}

/// A time that lies so far before another.
pub(crate) fn before(at: OffsetDateTime, life: Duration) -> OffsetDateTime {
    at.saturating_sub(time::Duration::try_from(life).unwrap_or(time::Duration::MAX))
}
