use protocol::channel::ChannelError;
use vault::{RecoveryError, SealedToError};

use crate::contacts::ContactError;
use crate::limits::{RECOVERY_REQUESTS, RECOVERY_WAIT_LONGEST};
use crate::vault_service::VaultError;

/// Why something of a recovery is not done.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryFailure {
    #[error("No recovery by contacts is set up.")]
    NotSetUp,
    #[error("A contact waits at most {} days (RECOVERY_WAIT_LONGEST).", RECOVERY_WAIT_LONGEST.as_secs() / 86_400)]
    Wait,
    #[error("Somebody is named twice among the contacts.")]
    Twice,
    #[error("You hold no part of this person's recovery, or it was replaced: nothing can be released.")]
    NotHeld,
    #[error("This request is not known here: look for it again.")]
    UnknownRequest,
    #[error("This request is too old, or from the future: it has to be made again.")]
    Expired,
    #[error("At most {RECOVERY_REQUESTS} (RECOVERY_REQUESTS) requests are kept: refuse some first.")]
    TooManyRequests,
    #[error(
        "These are not the digits of this request. Somebody may have put another request in its place: ask the person again, by \
         phone or face to face, and refuse it if the digits still differ."
    )]
    CodeDiffers,
    #[error("The owner of the vault has stopped this request.")]
    Stopped,
    #[error("You refused this request.")]
    Refused,
    #[error("Type the digits that the person reads to you first.")]
    NotApproved,
    #[error("It is released after the waiting time that its owner set: in {} s.", .retry_after_ms.div_ceil(1000))]
    TooEarly { retry_after_ms: u64 },
    #[error("This was sent by somebody else than who it is about.")]
    WrongSender,
    #[error("The record cannot be read: it was written by a newer version.")]
    Unreadable,
    #[error("Refused: {0}.")]
    Share(#[from] RecoveryError),
    #[error("Refused: {0}.")]
    Sealed(#[from] SealedToError),
    #[error(transparent)]
    Contact(#[from] ContactError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl RecoveryFailure {
    /// The stable code of this error in the channel.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSetUp => "not_set_up",
            Self::Wait | Self::Twice | Self::Share(RecoveryError::Numbers { .. }) => "recovery_invalid",
            Self::NotHeld => "not_held",
            Self::UnknownRequest => "unknown_request",
            Self::Expired => "request_expired",
            Self::TooManyRequests => "too_many_requests",
            Self::CodeDiffers => "code_differs",
            Self::Stopped => "request_stopped",
            Self::Refused => "request_refused",
            Self::NotApproved => "not_approved",
            Self::TooEarly { .. } => "too_early",
            Self::WrongSender => "wrong_sender",
            Self::Unreadable => "vault_refused",
            Self::Share(_) | Self::Sealed(_) => "message_refused",
            Self::Contact(error) => error.code(),
            Self::Vault(error) => error.code(),
        }
    }
}

impl From<RecoveryFailure> for ChannelError {
    fn from(error: RecoveryFailure) -> Self {
        match error {
            RecoveryFailure::Contact(error) => error.into(),
            RecoveryFailure::Vault(error) => error.into(),
            error => Self {
                retry_after_ms: match &error {
                    RecoveryFailure::TooEarly { retry_after_ms } => Some(*retry_after_ms),
                    _ => None,
                },
                code: error.code().to_owned(),
                message: error.to_string(),
            },
        }
    }
}
