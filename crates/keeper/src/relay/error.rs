use protocol::channel::ChannelError;
use protocol::limits::{FOLLOWED_ISSUERS, RELAYED_BYTES};
use protocol::relay::Refusal;
use protocol::relay::epoch::EpochError;
use vault::EnvelopeError;

use crate::limits::OUTBOX_BYTES;
use crate::vault_service::VaultError;

/// Why nothing is sent or known, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("A message has at most RELAYED_BYTES ({RELAYED_BYTES}) bytes.")]
    TooLarge,
    #[error(
        "Too much waits to be sent, more than OUTBOX_BYTES ({OUTBOX_BYTES}): the relay was not reached for a while. Try again later."
    )]
    OutboxFull,
    #[error("Nothing can be sealed for this receiver: {0}.")]
    Receiver(EnvelopeError),
    #[error("The relay is not reached now: try again in a moment.")]
    Unreachable,
    #[error("The relay did not do it ({code:?}): {message}")]
    Refused { code: Refusal, message: String },
    #[error("What the issuer has revoked is not known for certain: {0}. Until it is, this counts as revoked.")]
    Epoch(#[from] EpochError),
    #[error("The relay knows of fewer revocations than were seen before: it keeps some back.")]
    RolledBack,
    #[error("A vault follows at most FOLLOWED_ISSUERS ({FOLLOWED_ISSUERS}) people's revocations.")]
    TooManyIssuers,
    #[error("A record of what was sent or received cannot be read: it was written by a newer version.")]
    Unreadable,
    #[error("The keeper is ending, or the vault was locked.")]
    Ended,
}

impl RelayError {
    /// The stable code of this error in the channel.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Vault(error) => error.code(),
            Self::TooLarge => "too_large",
            Self::OutboxFull => "outbox_full",
            Self::Receiver(_) => "identity_refused",
            Self::Unreachable | Self::Ended => "relay_unreachable",
            Self::Refused { .. } => "relay_refused",
            Self::Epoch(_) | Self::RolledBack => "revocations_unknown",
            Self::TooManyIssuers => "too_many_issuers",
            Self::Unreadable => "vault_refused",
        }
    }
}

impl From<RelayError> for ChannelError {
    fn from(error: RelayError) -> Self {
        match error {
            RelayError::Vault(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}
