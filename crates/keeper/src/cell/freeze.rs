//! Freezing the agent's container through the platform, for the moment in which its home is read.

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use protocol::control::KeeperOp;

use crate::home::{HomeError, Still};
use crate::platform::{Platform, PlatformError};

/// Ends when the agent has put everything on its disk, or cannot; true if it must be resumed afterwards.
pub(super) type Suspending = Shared<BoxFuture<'static, bool>>;

/// Nothing is waited for.
pub(super) fn suspended_already() -> Suspending {
    futures::future::ready(false).boxed().shared()
}

/// The agent's container, frozen by the platform once the agent is suspended.
pub(super) struct FrozenByPlatform {
    pub platform: Platform,
    pub suspending: Suspending,
}

impl Still for FrozenByPlatform {
    fn freeze(&self) -> BoxFuture<'_, Result<(), HomeError>> {
        Box::pin(async {
            self.suspending.clone().await;
            match self.platform.request(KeeperOp::Freeze).await {
                Ok(()) => Ok(()),
                // Its container is not there: nobody writes.
                Err(PlatformError::Refused { code, .. }) if code == "agent_gone" => Ok(()),
                Err(error) => Err(HomeError::NotStill(error.to_string())),
            }
        })
    }

    fn thaw(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            match self.platform.request(KeeperOp::Thaw).await {
                Ok(()) => {}
                // It thaws by itself, at the latest after the limit.
                Err(PlatformError::Disconnected) => {}
                Err(error) => tracing::warn!("the agent thaws by itself: {error}"),
            }
        })
    }
}
