//! One line of the activity.

use protocol::control::Deeds;
use protocol::{Millis, SecretId};
use serde::{Deserialize, Serialize};
use vault::Scopes;

use crate::limits;

/// Whose doing it was: each class has room of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The vault's owner, through the channel.
    Person,
    /// The agent, through the broker.
    Agent,
    /// The agent tried to.
    Refused,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Person, Self::Agent, Self::Refused];

    /// The record that holds this class.
    pub fn record(self) -> &'static str {
        match self {
            Self::Person => "activity/person",
            Self::Agent => "activity/agent",
            Self::Refused => "activity/refused",
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    SecretSaved,
    SecretsImported,
    SecretDeleted,
    /// Its value was shown to the person.
    SecretRevealed,
    SecretsExported,
    RouteSaved,
    /// A server of tools was asked which it has.
    RouteAsked,
    RouteDeleted,
    EgressChanged,
    SpendingChanged,
    ModelsChanged,
    /// They said yes to what their agent asked for.
    ApprovalGiven,
    ApprovalDenied,
    RuleRemoved,
    /// Whether the agent asks before it runs commands.
    CommandsChanged,
    /// Whether they are told by mail that their agent waits for them.
    AwayChanged,
    /// Calls of a service were paused, and whose: told among what its owner does, where an agent that makes a noise does not push it out.
    RatePaused,
    /// Its owner let them go on.
    RateResumed,
    /// The vault was locked after several pauses.
    RateLocked,
    /// Something inside the agent's cell has allowed a command that its owner was asked about. Told among what its owner does, as a pause.
    CommandDecidedElsewhere,
    /// More went on in the agent's cell than could be followed, and whether such a thing was among it is not known.
    CommandsUnseen,
    /// Whether a second person is asked, and who.
    SecondChanged,
    /// A second person could not be asked, or their answer did not reach whoever asked.
    SecondLost,
    /// Something for somebody did not reach their vault: the relay did not take it, or they did not fetch it in time. Why: the relay's code.
    NotDelivered,
    /// The relay has left something out of what goes between this vault and somebody, or repeated or invented it. Without the details:
    /// what it does over and over is one entry.
    RelayWrong,
    /// Something between this vault and somebody does not fit, and it need not be the relay that made it so. Without the details, as before.
    RelayOdd,
    /// What somebody has taken back is not known for certain, so everything of theirs counts as taken back.
    RevocationsUnknown,
    /// What was taken back here is refused here, and the relay keeps no more of it for now: others hear of it later.
    RevocationsWait,
    /// Something was shared with somebody, or is not any more.
    Shared,
    ShareStopped,
    /// A copy of what somebody shares was destroyed here.
    CopyDestroyed,
    /// It was put into a request of the agent, on its way out.
    SecretUsed,
    /// The agent was told its value.
    SecretSeen,
    /// The model was called with its key.
    ModelCalled,
    /// It asked for what it may not do by itself.
    ApprovalAsked,
    /// It did what its owner had allowed.
    ApprovalUsed,
    /// Somebody used what was shared with them.
    ShareUsed,
    /// Somebody asked for what is shared with them, and this vault was locked then: it was not done.
    ShareMissed,
    /// Somebody who did not answer, since their vault was locked, is there again.
    OwnerBack,
    /// A copy of what is shared went to whom it is for.
    ShareCopied,
    /// The agent used what somebody shares with its owner.
    ReceivedUsed,
    /// A copy of what somebody shares has come, and lies here.
    CopyKept,
    /// It was read, since they did not answer.
    CopyRead,
    ShareRefused,
    SecretRefused,
    EgressRefused,
    ModelRefused,
}

impl What {
    pub fn class(self) -> Class {
        match self {
            Self::SecretUsed
            | Self::SecretSeen
            | Self::ModelCalled
            | Self::ApprovalAsked
            | Self::ApprovalUsed
            | Self::ReceivedUsed
            | Self::CopyKept
            | Self::CopyRead
            | Self::ShareCopied
            | Self::OwnerBack
            | Self::ShareUsed => Class::Agent,
            Self::SecretRefused | Self::EgressRefused | Self::ModelRefused | Self::ShareRefused | Self::ShareMissed => {
                Class::Refused
            }
            _ => Class::Person,
        }
    }

    /// Where the audit log counts it, if it does.
    pub(super) fn counted(self, deeds: &mut Deeds) -> Option<&mut u32> {
        Some(match self {
            Self::ApprovalAsked => &mut deeds.asked,
            Self::ApprovalGiven => &mut deeds.allowed,
            Self::ApprovalDenied => &mut deeds.denied,
            Self::Shared => &mut deeds.shared,
            Self::ShareStopped => &mut deeds.unshared,
            Self::CommandDecidedElsewhere => &mut deeds.elsewhere,
            _ => return None,
        })
    }
}

/// What a request of the agent was for, or what was shared: as far as its owner reads it again later. Names and kinds as text, so that those
/// of a newer version are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// As of the action: `share`, `call_service` and so on.
    pub kind: String,
    /// The service, where it is not what stands in `to`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// What whom it is shared with may do, and until when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

impl Asked {
    /// To let somebody use this of a service, until then.
    pub fn share(service: &str, scope: &Scopes, until: Millis) -> Self {
        Self {
            kind: "share".to_owned(),
            service: service.to_owned(),
            scope: scope.iter().map(|scope| scope.name().to_owned()).collect(),
            until: Some(until),
        }
    }
}

/// Something that was done just now.
#[derive(Debug, Clone)]
pub struct Deed {
    pub what: What,
    /// The secret's id and name.
    pub secret: Option<(SecretId, String)>,
    /// The host, route or person that it went to.
    pub to: String,
    /// Why it was refused, or what else there is to say.
    pub why: String,
    /// What was asked for, or shared.
    pub asked: Option<Asked>,
}

impl Deed {
    /// Something that was done to or with `to`.
    pub fn new(what: What, to: impl Into<String>) -> Self {
        Self {
            what,
            secret: None,
            to: to.into(),
            why: String::new(),
            asked: None,
        }
    }

    #[must_use]
    pub fn with(mut self, id: SecretId, name: impl Into<String>) -> Self {
        self.secret = Some((id, name.into()));
        self
    }

    #[must_use]
    pub fn because(mut self, why: impl ToString) -> Self {
        self.why = why.to_string();
        self
    }

    #[must_use]
    pub fn of(mut self, asked: Asked) -> Self {
        self.asked = Some(asked);
        self
    }
}

/// What an entry is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Kind {
    Known(What),
    /// That a newer version noted: kept as it is, so that going back to this one loses no entry.
    Newer(String),
}

/// As it is kept and told. Never a value of a secret, never a path or query of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub what: Kind,
    /// When for the first and for the last time.
    pub first: Millis,
    pub last: Millis,
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretId>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

impl Entry {
    pub fn new(deed: Deed, now: Millis) -> Self {
        let (secret, name) = deed.secret.map_or((None, String::new()), |(id, name)| (Some(id), name));
        Self {
            what: Kind::Known(deed.what),
            first: now,
            last: now,
            count: 1,
            secret,
            name: short(name),
            to: short(deed.to),
            why: short(deed.why),
            asked: deed.asked,
        }
    }

    /// Whether `other` is the same thing done again.
    pub fn same(&self, other: &Self) -> bool {
        let together = Millis::try_from(limits::ACTIVITY_TOGETHER.as_millis()).unwrap_or(Millis::MAX);
        (&self.what, &self.secret, &self.name, &self.to, &self.why, &self.asked)
            == (
                &other.what,
                &other.secret,
                &other.name,
                &other.to,
                &other.why,
                &other.asked,
            )
            && other.last.saturating_sub(self.first) < together
    }
}

/// At most [`limits::ACTIVITY_TEXT`] bytes, in one line.
fn short(text: String) -> String {
    let mut text = text.replace(char::is_control, " ");
    if text.len() > limits::ACTIVITY_TEXT {
        let mut end = limits::ACTIVITY_TEXT - '…'.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_noted_is_kept_beside_what_is_known() {
        let stored = concat!(
            r#"[{"what":"secret_saved","first":1,"last":1,"count":1},"#,
            r#"{"what":"noted_by_a_newer_version","first":2,"last":3,"count":2,"to":"somewhere"}]"#
        );
        let entries: Vec<Entry> = serde_json::from_str(stored).unwrap();
        assert_eq!(entries[0].what, Kind::Known(What::SecretSaved));
        assert_eq!(serde_json::to_string(&entries).unwrap(), stored);
    }
}
