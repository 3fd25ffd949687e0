use protocol::channel::ChannelError;
use vault::CapabilityError;

use crate::broker::{NotFetched, RouteError};
use crate::contacts::ContactError;
use crate::limits;
use crate::rates::RateError;
use crate::relay::RelayError;
use crate::vault_service::VaultError;

/// What came after its time, as its code says it.
pub(super) const TOO_LATE: &str = "too_late";

/// Why nothing is shared, or a presentation is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    #[error("{0}.")]
    Capability(#[from] CapabilityError),
    #[error("This vault does not remember having shared this.")]
    Unknown,
    #[error(
        "This is not the service that was shared: its address, its secret or its kind was changed, or another one has its name. Whoever shares it has to share it anew."
    )]
    OtherKind,
    #[error("This very request has come before.")]
    Replayed,
    #[error("What was shared has been used as often as was allowed.")]
    UsedUp,
    #[error("What was shared is used too often just now: wait a while.")]
    TooOften,
    #[error("What was shared is paused until its owner lets it go on; they see that in Holdfast. Nothing was done.")]
    Paused,
    #[error(
        "Too much is asked for at once of what this vault shares (SHARE_NONCES, {}): wait a while.",
        limits::SHARE_NONCES
    )]
    Busy,
    #[error(
        "How often in a time something may be used is remembered call by call, {} at most (SHARE_RATE_CALLS): say fewer calls in a shorter time.",
        limits::SHARE_RATE_CALLS
    )]
    RateTooHigh,
    #[error(
        "A vault shares at most {} things (SHARES): stop sharing some. It remembers {} (SHARES_REMEMBERED), until a month after their time.",
        limits::SHARES,
        limits::SHARES_REMEMBERED
    )]
    TooMany,
    #[error(
        "What is shared was passed on too often: a vault remembers {} links of one share (SHARE_LINKS) and {} in all (SHARE_LINKS_ALL), until a month after their time.",
        limits::SHARE_LINKS,
        limits::SHARE_LINKS_ALL
    )]
    TooManyLinks,
    #[error(
        "What is shared may not be copied: whoever shares it has to share it anew, so that it can be read while they are away."
    )]
    NoCopy,
    #[error(
        "The answer is too large for a copy (SHARE_COPY_BYTES, {} bytes): share less of it, so that they can read it while you are away.",
        limits::SHARE_COPY_BYTES
    )]
    CopyTooLarge,
    #[error("The service answered with {0}, and of that no copy is made.")]
    CopyRefused(u16),
    #[error("This copy is no newer than the one that lies here.")]
    OlderCopy,
    #[error(
        "Of at most {} things that a vault shares there is a copy (SHARE_COPIES): stop sharing some.",
        limits::SHARE_COPIES
    )]
    TooManyCopies,
    #[error(
        "A vault keeps at most {} bytes of copies (SHARE_COPIES_BYTES), {} of one person (SHARE_COPIES_OF_ONE_BYTES), and {} of people it does not know (SHARE_COPIES_UNKNOWN_BYTES): remove some of what is shared with it.",
        limits::SHARE_COPIES_BYTES,
        limits::SHARE_COPIES_OF_ONE_BYTES,
        limits::SHARE_COPIES_UNKNOWN_BYTES
    )]
    TooManyCopiesHeld,
    #[error(
        "A vault takes at most {} copies of one person in an hour (SHARE_COPIES_OF_ONE_AN_HOUR).",
        limits::SHARE_COPIES_OF_ONE_AN_HOUR
    )]
    CopiesTooOften,
    #[error("This belongs to the person to whom you would pass it on.")]
    OwnResource,
    #[error("Nobody shares this with you.")]
    NotReceived,
    #[error(
        "A vault keeps at most {} things that others share (SHARES_RECEIVED), {} of one of them (SHARES_RECEIVED_OF_ONE), {} of people it does not know, and {} bytes of what agents are told of them (GROUP_SKILLS_BYTES).",
        limits::SHARES_RECEIVED,
        limits::SHARES_RECEIVED_OF_ONE,
        limits::SHARES_RECEIVED_UNKNOWN,
        limits::GROUP_SKILLS_BYTES
    )]
    TooManyReceived,
    #[error(
        "The vault carries out too many calls for others just now (SHARE_CALLS, {}; SHARE_CALLS_OF_ONE, {}): wait a while.",
        limits::SHARE_CALLS,
        limits::SHARE_CALLS_OF_ONE
    )]
    TooManyCalls,
    #[error(
        "Too many calls wait for others' vaults (SHARE_CALLS_WAITING, {}): wait for one of them.",
        limits::SHARE_CALLS_WAITING
    )]
    WaitsForTooMuch,
    #[error(
        "Say in 1 to {} characters (SHARE_WORDS_CHARS) what you would like.",
        limits::SHARE_WORDS_CHARS
    )]
    Words,
    #[error("You share nothing of this kind with a group.")]
    NoResource,
    #[error(
        "A vault shares at most {} things with groups (GROUP_RESOURCES): stop sharing some.",
        limits::GROUP_RESOURCES
    )]
    TooManyResources,
    #[error(
        "A name in 1 to {} characters (GROUP_RESOURCE_NAME_CHARS) and what it is for in 1 to {} (GROUP_RESOURCE_ABOUT_CHARS), in one line each; what agents are told in {} bytes at most (GROUP_RESOURCE_SKILL_BYTES), as text.",
        limits::GROUP_RESOURCE_NAME_CHARS,
        limits::GROUP_RESOURCE_ABOUT_CHARS,
        limits::GROUP_RESOURCE_SKILL_BYTES
    )]
    ResourceWords,
    #[error("Who manages this, and what they may do with it, is for whoever shares it alone to say.")]
    OwnerOnly,
    #[error("Managing (admin) is for what is shared with a group: leave it out, or share this with a group.")]
    GroupOnly,
    #[error(
        "This service is for reading only (GET, HEAD): leave out write and delete, or let more than reading be done there first."
    )]
    ReadOnly,
    #[error(
        "Whoever this belongs to does not know the one who is to use it, and it is for people of their group alone: ask them to open the page of the group in Holdfast, and try again."
    )]
    HolderUnknown,
    #[error("Not both of you are in this group any more, or whoever shares is no admin of it.")]
    NotInGroup,
    #[error("Who is in the group cannot be looked up just now, so nothing was done: try again in a moment.")]
    GroupUnknown,
    #[error(
        "Somebody through whom this is shared is suspended or was removed from the organisation, so it is refused. It goes on when they are let back in."
    )]
    PersonGone,
    #[error(
        "Whether everybody through whom this is shared is still in the organisation cannot be looked up just now, so nothing was done: try again in a moment."
    )]
    PersonUnknown,
    #[error("What is shared is not what it was when your owner was asked, and nothing was done: ask anew.")]
    Exchanged,
    #[error("You have not accepted this yet.")]
    NotAccepted,
    #[error("What agents are told of this was changed meanwhile: read it as it is now, and then accept it.")]
    OtherWords,
    #[error(
        "What was asked for came after its time, while this vault was locked or the relay away: nothing was done, and it is not done later. The vault is open now: ask again. If it comes too late again, one of the two clocks is wrong."
    )]
    TooLate,
    #[error("The service did not answer in time; whether it did what it was asked to is not known.")]
    TooSlow,
    #[error(
        "{name}'s vault did not answer within {} s: it is locked or asleep. Ask {name} to open it, and try again. What was asked for is not done later; if it was to change something, look first whether it was done.",
        limits::SHARE_ANSWER.as_secs()
    )]
    NoAnswer { name: String },
    #[error(
        "The vault of whoever this belongs to did not answer within {} s: it is locked or asleep. You do not know them: ask {by}, who passed it on to you, to have it opened, and try again. What was asked for is not done later; if it was to change something, look first whether it was done.",
        limits::SHARE_ANSWER.as_secs()
    )]
    OwnerSilent { by: String },
    /// By the keeper of whoever shares it.
    #[error("{message}")]
    Refused { code: String, message: String },
    #[error(transparent)]
    Relay(#[from] RelayError),
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
            Self::OtherKind => "other_kind",
            Self::Replayed => "replayed",
            Self::UsedUp => "used_up",
            Self::TooOften => "too_often",
            Self::Paused => "paused",
            Self::Busy => "busy",
            Self::RateTooHigh => "rate_too_high",
            Self::TooMany => "too_many_shares",
            Self::TooManyLinks => "too_many_links",
            Self::NoCopy => "no_copy",
            Self::CopyTooLarge => "copy_too_large",
            Self::CopyRefused(_) => "copy_refused",
            Self::OlderCopy => "older_copy",
            Self::TooManyCopies | Self::TooManyCopiesHeld => "too_many_copies",
            Self::CopiesTooOften => "copies_too_often",
            Self::OwnResource => "own_resource",
            Self::NotReceived => "not_received",
            Self::TooManyReceived => "too_many_received",
            Self::TooManyCalls | Self::WaitsForTooMuch => "too_many_calls",
            Self::Words => "malformed",
            Self::NoResource => "unknown_group_resource",
            Self::TooManyResources => "too_many_group_resources",
            Self::ResourceWords => "group_resource_invalid",
            Self::OwnerOnly => "owner_only",
            Self::GroupOnly => "group_only",
            Self::ReadOnly => "method_refused",
            Self::HolderUnknown => "holder_unknown",
            Self::NotInGroup => "not_in_group",
            Self::GroupUnknown => "group_unknown",
            Self::PersonGone => "person_gone",
            Self::PersonUnknown => "person_unknown",
            Self::Exchanged => "share_changed",
            Self::NotAccepted => "not_accepted",
            Self::OtherWords => "other_words",
            Self::TooLate => TOO_LATE,
            Self::TooSlow => "too_slow",
            Self::NoAnswer { .. } | Self::OwnerSilent { .. } => "no_answer",
            Self::Refused { code, .. } => code,
            Self::Relay(error) => error.code(),
            Self::Contact(error) => error.code(),
            Self::Route(error) => error.code(),
            Self::Fetch(error) => &error.code,
            Self::Vault(error) => error.code(),
        }
    }
}

impl From<RateError> for ShareError {
    fn from(error: RateError) -> Self {
        match error {
            RateError::Vault(error) => error.into(),
            RateError::Paused => Self::Paused,
        }
    }
}

impl From<ShareError> for ChannelError {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Vault(error) => error.into(),
            ShareError::Relay(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}
