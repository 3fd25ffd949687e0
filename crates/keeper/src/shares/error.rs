use protocol::channel::ChannelError;
use vault::CapabilityError;

use crate::broker::{NotFetched, RouteError};
use crate::contacts::ContactError;
use crate::limits;
use crate::vault_service::VaultError;

/// Why nothing is shared, or a presentation is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    #[error("{0}.")]
    Capability(#[from] CapabilityError),
    #[error("This vault does not remember having shared this.")]
    Unknown,
    #[error("This was presented before.")]
    Replayed,
    #[error("What was shared has been used as often as was allowed.")]
    UsedUp,
    #[error("What was shared is used too often just now: wait a while.")]
    TooOften,
    #[error(
        "Too many presentations at once (SHARE_NONCES, {}): wait a while.",
        limits::SHARE_NONCES
    )]
    Busy,
    #[error("A vault shares at most {} things (SHARES): stop sharing some.", limits::SHARES)]
    TooMany,
    #[error(transparent)]
    Contact(#[from] ContactError),
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error(transparent)]
    Fetch(#[from] NotFetched),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl ShareError {
    /// The stable code of this error.
    pub fn code(&self) -> &str {
        match self {
            Self::Capability(error) => error.code(),
            Self::Unknown => "unknown_capability",
            Self::Replayed => "replayed",
            Self::UsedUp => "used_up",
            Self::TooOften => "too_often",
            Self::Busy => "busy",
            Self::TooMany => "too_many_shares",
            Self::Contact(error) => error.code(),
            Self::Route(error) => error.code(),
            Self::Fetch(error) => &error.code,
            Self::Vault(error) => error.code(),
        }
    }
}

impl From<ShareError> for ChannelError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Vault(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}
