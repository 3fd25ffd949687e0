//! Holding the agent still for the moment of a snapshot.

use futures::future::BoxFuture;

use super::HomeError;

/// Freezes and thaws who writes the home. A freeze that is never thawed ends by itself after
/// [`protocol::control::FREEZE_LIMIT_MS`].
pub trait Still: Send + Sync {
    /// Nothing writes the home when this returns.
    fn freeze(&self) -> BoxFuture<'_, Result<(), HomeError>>;
    /// Undoes it; failures end by themselves.
    fn thaw(&self) -> BoxFuture<'_, ()>;
}

/// For a home that nobody writes: the agent has ended, or is frozen already.
pub struct AlreadyStill;

impl Still for AlreadyStill {
    fn freeze(&self) -> BoxFuture<'_, Result<(), HomeError>> {
        Box::pin(async { Ok(()) })
    }

    fn thaw(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
