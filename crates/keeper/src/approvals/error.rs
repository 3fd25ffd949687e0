use protocol::channel::ChannelError;

use crate::limits;
use crate::rates::RateError;
use crate::relay::RelayError;
use crate::vault_service::VaultError;

/// Why something is not asked, or an answer not taken.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("This request does not exist any more.")]
    Unknown,
    #[error("This request was answered already.")]
    Decided,
    #[error("This request has expired: it stays refused. If your agent still needs it, it asks again.")]
    Expired,
    #[error("This is not the request that you were shown: look at it again.")]
    Changed,
    #[error("This can only be allowed once: it is asked every time.")]
    OnceOnly,
    #[error("It is not known which conversation this is for.")]
    NoConversation,
    #[error(
        "A rule is for 1 to {} uses a day and ends within {} days (RULE_USES, RULE_LIFE).",
        limits::RULE_USES,
        limits::RULE_LIFE.as_secs() / 86_400
    )]
    RuleLimits,
    #[error(
        "A vault has at most {} rules (APPROVAL_RULES): remove some.",
        limits::APPROVAL_RULES
    )]
    TooManyRules,
    #[error("A reason has at most {} characters (DENY_REASON_CHARS).", limits::DENY_REASON_CHARS)]
    Reason,
    #[error(
        "This is too large for a person to look through before they allow it: at most {} bytes (APPROVAL_BYTES).",
        limits::APPROVAL_BYTES
    )]
    TooLarge,
    #[error(
        "{} requests wait for an answer already (APPROVALS_WAITING).",
        limits::APPROVALS_WAITING
    )]
    TooMany,
    #[error(
        "This needs a second person, and there is nobody who could be asked: choose one whose digits you have compared, in your inbox."
    )]
    NobodySecond,
    #[error("Your organisation asks for a second person: it cannot be switched off.")]
    SecondDemanded,
    #[error("At most {} people may be the second person (SECOND_PEOPLE).", limits::SECOND_PEOPLE)]
    TooManySeconds,
    #[error("Compare the digits with this person first: then it is sure that it is them who agree.")]
    NotCompared,
    #[error("While a second person is needed, this can only be allowed once.")]
    NoRules,
    #[error("This is not one of the people who were chosen to agree.")]
    NotSecond,
    #[error("There were far more calls than usual, so they are paused until the owner of this vault lets them go on.")]
    Paused,
    #[error(transparent)]
    Relay(#[from] RelayError),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl ApprovalError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_approval",
            Self::Decided => "already_decided",
            Self::Expired => "approval_expired",
            Self::Changed => "approval_changed",
            Self::OnceOnly | Self::NoConversation | Self::RuleLimits | Self::NoRules => "rule_refused",
            Self::TooManyRules => "too_many_rules",
            Self::Reason => "reason_too_long",
            Self::TooLarge => "too_large_to_ask",
            Self::TooMany => "too_many_approvals",
            Self::NobodySecond => "nobody_second",
            Self::SecondDemanded => "second_demanded",
            Self::TooManySeconds => "too_many_seconds",
            Self::NotCompared => "not_compared",
            Self::NotSecond => "not_second",
            Self::Paused => "paused",
            Self::Relay(error) => error.code(),
            Self::Vault(error) => error.code(),
        }
    }
}

impl From<RateError> for ApprovalError {
    fn from(error: RateError) -> Self {
        match error {
            RateError::Vault(error) => error.into(),
            RateError::Paused => Self::Paused,
        }
    }
}

impl From<ApprovalError> for ChannelError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Vault(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}
