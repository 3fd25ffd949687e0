//! Freezing the agent's container through the platform, for the moment in which its home is read.

use futures::future::BoxFuture;
use protocol::control::KeeperOp;

use crate::home::{HomeError, Still};
use crate::platform::{Platform, PlatformError};

/// The agent's container, frozen by the platform.
pub(super) struct FrozenByPlatform(pub Platform);

impl Still for FrozenByPlatform {
    fn freeze(&self) -> BoxFuture<'_, Result<(), HomeError>> {
        Box::pin(async {
            match self.0.request(KeeperOp::Freeze).await {
                Ok(()) => Ok(()),
                // Its container is not there: nobody writes.
                Err(PlatformError::Refused { code, .. }) if code == "agent_gone" => Ok(()),
                Err(error) => Err(HomeError::NotStill(error.to_string())),
            }
        })
    }

    fn thaw(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            match self.0.request(KeeperOp::Thaw).await {
                Ok(()) => {}
                // It thaws by itself, at the latest after the limit.
                Err(PlatformError::Disconnected) => {}
                Err(error) => tracing::warn!("the agent thaws by itself: {error}"),
            }
        })
    }
}
