//! The keeper's control connection to the platform (`docs/protocol.md`, section 3): JSON text messages on a WebSocket.
//! Nothing here may carry a secret or a word of a conversation, but for the claim of a vault that is still empty.

use serde::{Deserialize, Serialize};

use crate::channel::VaultState;
use crate::relay::MailboxKey;
use crate::{ApprovalId, CellId, ChannelId, GroupId, Millis, TenantId, UserId, b64};

/// The version of the control connection.
pub const VERSION: u32 = 1;

/// Keeper to platform.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromKeeper {
    /// First message.
    Hello {
        version: u32,
        /// Whether it knows [`PlatformOp::SleepNow`]: one that does not would end the connection.
        #[serde(default)]
        sleeps_now: bool,
        /// The same of [`FromPlatform::SecondDemanded`].
        #[serde(default)]
        hears_demands: bool,
        #[serde(flatten)]
        status: KeeperStatus,
    },
    /// Whenever it changes.
    Status(KeeperStatus),
    Request {
        id: u64,
        op: KeeperOp,
    },
    Reply {
        id: u64,
        #[serde(flatten)]
        outcome: Outcome,
    },
}

/// What the platform may know of a keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperStatus {
    pub vault: VaultState,
    pub agent: AgentState,
    /// A turn, a tool or a sealing is under way: do not pause.
    pub busy: bool,
    /// Opens the first registration while the vault is new, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// When the agent next wants to be awake (cron), milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Millis>,
    /// What waits for the owner while they are not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalNotice>,
}

impl KeeperStatus {
    /// As it is told to a platform that names these kinds of notices.
    #[must_use]
    pub fn for_platform(mut self, named: &[String]) -> Self {
        self.approvals.retain(|notice| notice.kind.is_known(named));
        self
    }
}

/// Something that waits for the owner of a vault, most often a request of their agent, as far as the platform may know of it: that there is
/// one. What it is for, nobody knows outside the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalNotice {
    /// Nil for what is no request.
    pub id: ApprovalId,
    /// When it ends by itself, milliseconds since the Unix epoch.
    pub ends_at: Millis,
    pub state: ApprovalState,
    #[serde(default, skip_serializing_if = "NoticeKind::is_agent")]
    pub kind: NoticeKind,
}

/// Of which kind it is, the most pressing one first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The vault was locked after several pauses.
    Locked,
    /// What their agent had asked them for, something inside its cell has allowed.
    DecidedElsewhere,
    /// Calls were paused: there were far more than usual.
    Paused,
    /// Their agent wants their word.
    #[default]
    Agent,
    /// Somebody else wants their word, as the second person.
    Second,
    /// A second person has agreed to what they had allowed, and it was not done yet.
    Seconded,
    /// How often services were called in the week before can be read, until this one ends. It waits for nothing.
    Week,
}

impl NoticeKind {
    const ALL: [Self; 7] = [
        Self::Locked,
        Self::DecidedElsewhere,
        Self::Paused,
        Self::Agent,
        Self::Second,
        Self::Seconded,
        Self::Week,
    ];

    /// Whether it says that something is wrong, and is no request.
    pub fn is_alarm(self) -> bool {
        matches!(self, Self::Locked | Self::DecidedElsewhere | Self::Paused)
    }

    /// All that are known here, as [`FromPlatform::Welcome`] names them.
    pub fn names() -> Box<[String]> {
        Self::ALL.map(|kind| kind.as_str().to_owned()).into()
    }

    /// Whether a platform that names these knows it. What was there before any were named, every one knows.
    pub fn is_known(self, named: &[String]) -> bool {
        !matches!(self, Self::DecidedElsewhere | Self::Week) || named.iter().any(|name| name == self.as_str())
    }

    /// What [`Self::as_str`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::DecidedElsewhere => "decided_elsewhere",
            Self::Paused => "paused",
            Self::Agent => "agent",
            Self::Second => "second",
            Self::Seconded => "seconded",
            Self::Week => "week",
        }
    }

    /// Whether it is a request of the agent, as everything was before there were kinds.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_agent(&self) -> bool {
        *self == Self::Agent
    }
}

/// How far such a request is. One that waits has ended at its time, also if nobody says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    Waiting,
    Allowed,
    Refused,
    /// It was not answered in time, or nobody asks any more.
    Ended,
}

/// How far the agent is, as its keeper sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// No bridge is connected.
    Absent,
    /// The bridge waits for the home.
    Waiting,
    Starting,
    Ready,
    /// Suspended for a pause or a snapshot.
    Suspended,
    Failed,
}

/// What a keeper asks of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeeperOp {
    /// Freeze the agent container; it thaws by itself after [`FREEZE_LIMIT_MS`] if no `Thaw` follows.
    Freeze,
    Thaw,
    /// Remove the agent container and start a new one (its home, a tmpfs, stays).
    RestartAgent,
    /// May the agent's code be loaded while its home is still sealed? Refused where memory is short.
    Prepare,
    /// What was prepared is gone again, unused.
    Unprepare,
    /// The home is sealed and the keys are wiped: remove both containers.
    Sleep,
    /// Do these two still have their places in this group? [`Outcome::Ok`]: they do; code [`NO_TIE`]: they do not; anything else: it is not known.
    GroupTie(GroupTie),
    /// Is nobody who is known by this mailbox suspended or removed? [`Outcome::Ok`]: nobody, as far as it is known; code [`GONE`]: they are;
    /// anything else: it is not known. Asked where [`FromPlatform::Welcome`] says `stands`.
    Stands {
        mailbox: MailboxKey,
    },
    /// So often something was done in the vault since this was last taken: for the audit log. [`Outcome::Ok`]: it is in there.
    Deeds(Deeds),
}

/// What was done in a vault, as far as the platform may know of it: of which kind and how often. Never what, nor with whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deeds {
    /// Somebody's word was asked for: the owner's by their agent, or theirs as the second person.
    #[serde(default, skip_serializing_if = "is_none")]
    pub asked: u32,
    /// It was given, by the owner or by a second person.
    #[serde(default, skip_serializing_if = "is_none")]
    pub allowed: u32,
    #[serde(default, skip_serializing_if = "is_none")]
    pub denied: u32,
    /// Something was shared, or passed on.
    #[serde(default, skip_serializing_if = "is_none")]
    pub shared: u32,
    /// It was taken back.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unshared: u32,
    /// Something inside the cell has allowed what the owner was asked for. A platform of before this does not hear of it.
    #[serde(default, skip_serializing_if = "is_none")]
    pub elsewhere: u32,
}

impl Deeds {
    /// What is left of these when those are told.
    #[must_use]
    pub fn without(self, told: Self) -> Self {
        Self {
            asked: self.asked.saturating_sub(told.asked),
            allowed: self.allowed.saturating_sub(told.allowed),
            denied: self.denied.saturating_sub(told.denied),
            shared: self.shared.saturating_sub(told.shared),
            unshared: self.unshared.saturating_sub(told.unshared),
            elsewhere: self.elsewhere.saturating_sub(told.elsewhere),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// What has to stand for something that is shared within a group to be usable: an admin of it who gives, and a member who receives. One of
/// the two is the owner of the cell that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTie {
    pub group: GroupId,
    /// The other one.
    pub other: UserId,
    /// What the owner of the cell is of the two.
    pub own: Side,
    /// Both have been in the group since before this time, milliseconds since the Unix epoch: who was taken out and came back has not.
    pub since: Millis,
}

/// One of the two ends of something that is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Gives,
    Receives,
}

/// The code of a [`GroupTie`] that does not stand.
pub const NO_TIE: &str = "no_tie";

/// The code of [`KeeperOp::Stands`] where they do not.
pub const GONE: &str = "gone";

/// Longest freeze for a snapshot, in milliseconds.
pub const FREEZE_LIMIT_MS: u64 = 10_000;

/// What the organisation of a client wants of its people's keepers. What is left out is as the keeper has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantPolicy {
    /// For how long agents may work while nobody is there, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_alone_minutes: Option<u32>,
    /// Whether what an agent wants to change needs a second person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_person: Option<bool>,
}

/// Platform to keeper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPlatform {
    /// Answer to `hello`.
    Welcome {
        version: u32,
        cell: CellId,
        tenant: TenantId,
        config: CellConfig,
        /// Whether it takes [`KeeperOp::Deeds`]: one that does not know them would end the connection.
        #[serde(default)]
        deeds: bool,
        /// Whether it answers [`KeeperOp::Stands`].
        #[serde(default)]
        stands: bool,
        /// The kinds of notices that it knows: it cannot read a status with another ([`NoticeKind::is_known`]).
        #[serde(default)]
        notices: Box<[String]>,
    },
    /// A client waits: dial `/channels/{channel}`.
    OpenChannel {
        channel: ChannelId,
        #[serde(flatten)]
        policy: TenantPolicy,
    },
    /// The organisation of the cell's owner demands a second person from now on ([`TenantPolicy`]). That it does not any more is said with the
    /// next channel alone. Only to a keeper whose `hello` has `hears_demands`.
    SecondDemanded,
    Request {
        id: u64,
        op: PlatformOp,
    },
    Reply {
        id: u64,
        #[serde(flatten)]
        outcome: Outcome,
    },
}

/// What the platform asks of a keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlatformOp {
    /// Idle: suspend the agent, have it frozen, seal the home if it changed. Refused with code `busy` while a turn runs.
    Pause,
    /// The agent container runs again after a pause.
    Resumed,
    /// Seal what is not sealed, wipe the keys. The platform removes the containers after the answer.
    PrepareSleep,
    /// The owner may not use the cell any more: break off what runs, seal what can be sealed, wipe the keys. The platform removes the
    /// containers whatever the answer is.
    SleepNow,
}

/// Settings that a keeper gets from the operator at each connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellConfig {
    /// Model servers on private or loopback addresses that the operator allows, as `host:port`.
    #[serde(default)]
    pub private_model_addresses: Vec<String>,
    /// Idle time after which the vault locks, in milliseconds.
    pub lock_after_ms: u64,
    /// What clients see as this installation's address, for links.
    pub public_url: String,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    Ok,
    Error { code: String, message: String },
}

/// A claim: 32 random bytes as text.
pub fn claim_text(claim: &[u8; 32]) -> String {
    b64::encode(claim)
}
