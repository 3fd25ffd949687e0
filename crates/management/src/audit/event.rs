//! One event and its text. The members stand in alphabetical order, so the text is the same whoever writes it (RFC 8785).

use std::collections::BTreeMap;

use protocol::{Millis, TenantId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::Client;
use crate::storage::StorageError;
use crate::storage::sessions::Session;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// What was done. The words are for programs; they never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Action {
            $($(#[$doc])* $name),+
        }

        impl Action {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

actions! {
    OrganisationMade = "organisation.made",
    PolicyChanged = "organisation.policy_changed",
    OrganisationSuspended = "organisation.suspended",
    OrganisationRestored = "organisation.restored",
    OrganisationRemoved = "organisation.removed",
    LinkSent = "sign_in.link_sent",
    SignedIn = "sign_in.done",
    SignInRefused = "sign_in.refused",
    FactorAsked = "sign_in.factor_asked",
    FactorShown = "factor.shown",
    AuthenticatorBegun = "factor.authenticator_begun",
    AuthenticatorAdded = "factor.authenticator_added",
    AuthenticatorRemoved = "factor.authenticator_removed",
    PasskeyAdded = "factor.passkey_added",
    PasskeyRenamed = "factor.passkey_renamed",
    PasskeyRemoved = "factor.passkey_removed",
    BackupCodesMade = "factor.backup_codes_made",
    SteppedUp = "session.stepped_up",
    SignedOut = "session.signed_out",
    SessionRevoked = "session.revoked",
    SessionsRevoked = "session.others_revoked",
    Invited = "invitation.made",
    InvitationResent = "invitation.resent",
    InvitationRevoked = "invitation.revoked",
    InvitationAccepted = "invitation.accepted",
    ProviderAdded = "provider.added",
    ProviderChanged = "provider.changed",
    ProviderTested = "provider.tested",
    ProviderRemoved = "provider.removed",
    AccountLinked = "account.linked",
    AccountUnlinked = "account.unlinked",
    JoinDomainSet = "join.domain_set",
    JoinDomainRemoved = "join.domain_removed",
    JoinAsked = "join.asked",
    JoinApproved = "join.approved",
    JoinRefused = "join.refused",
    Joined = "join.done",
    CellWoken = "cell.woken",
    CellPaused = "cell.paused",
    CellSlept = "cell.put_to_sleep",
    CellRestarted = "cell.restarted",
    GatewayToken = "cell.channel_token",
    FactorsReset = "person.factors_reset",
    PersonSignedOut = "person.signed_out",
    PersonSuspended = "person.suspended",
    PersonRestored = "person.restored",
    PersonRemoved = "person.removed",
    RoleChanged = "person.role_changed",
    PersonRenamed = "person.renamed",
    KeyMade = "key.made",
    KeyRotated = "key.rotated",
    KeyRevoked = "key.revoked",
    ServiceAccountMade = "service_account.made",
    ServiceAccountRemoved = "service_account.removed",
    GroupMade = "group.made",
    GroupRenamed = "group.renamed",
    GroupArchived = "group.archived",
    GroupRestored = "group.restored",
    GroupInvited = "group.invited",
    GroupInvitationWithdrawn = "group.invitation_withdrawn",
    GroupJoined = "group.joined",
    GroupDeclined = "group.declined",
    GroupLeft = "group.left",
    GroupMemberRemoved = "group.member_removed",
    GroupRoleChanged = "group.role_changed",
    CallsPaused = "vault.calls_paused",
    VaultLocked = "vault.locked",
    ApprovalAsked = "approval.asked",
    ApprovalAllowed = "approval.allowed",
    ApprovalDenied = "approval.denied",
    ApprovalElsewhere = "approval.decided_elsewhere",
    ShareGiven = "share.given",
    ShareEnded = "share.ended",
    LetterSent = "letter.sent",
    IdentityChanged = "identity.changed",
    RecoveryContacts = "recovery.contacts_set",
    RecoveryAsked = "recovery.asked",
    RecoveryReleased = "recovery.released",
    RecoveryStopped = "recovery.stopped",
    PushTurnedOn = "push.turned_on",
    PushTurnedOff = "push.turned_off",
    AlertMade = "alert.made",
    AlertTested = "alert.tested",
    AlertRemoved = "alert.removed",
    DestinationAdded = "destination.added",
    DestinationTested = "destination.tested",
    DestinationRemoved = "destination.removed",
    StreamBegun = "destination.stream_begun",
    StreamEnded = "destination.stream_ended",
    AuditExported = "audit.exported",
    ChainBroken = "audit.chain_broken",
    AccessRefused = "access.refused",
    KeyRefused = "key.refused",
    LinkRefused = "link.refused",
    PasskeyRefused = "passkey.refused",
    LimitReached = "limit.reached",
    ApiTenantMade = "api_tenant.made",
    ApiTenantChanged = "api_tenant.changed",
    ApiTenantRemoved = "api_tenant.removed",
    ApiAgentMade = "api_agent.made",
    ApiAgentChanged = "api_agent.changed",
    ApiAgentRemoved = "api_agent.removed",
    ApiTenantKeyMade = "api_tenant.key_made",
    ApiTenantKeyRevoked = "api_tenant.key_revoked",
    ApiTenantWebhookAdded = "api_tenant.webhook_added",
    ApiTenantWebhookRemoved = "api_tenant.webhook_removed",
    ApiTenantSessionRemoved = "api_tenant.session_removed",
    ApiTenantApprovalAnswered = "api_tenant.approval_answered",
    ApiTemplateMade = "api_template.made",
    ApiTemplateChanged = "api_template.changed",
    ApiTemplateRemoved = "api_template.removed",
    PlatformKeysRotated = "platform_keys.rotated",
    OperatorSignedIn = "operator.signed_in",
    OperatorSteppedUp = "operator.stepped_up",
    OperatorSignedOut = "operator.signed_out",
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Done,
    Refused,
}

/// Who did it, and from where.
#[derive(Debug, Clone)]
pub(crate) struct By {
    actor: Actor,
    address: String,
    device: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Actor {
    id: Option<Uuid>,
    kind: String,
    name: String,
}

impl By {
    /// Somebody who is signed in, wholly or half.
    pub(crate) fn person(session: &Session, client: &Client) -> Self {
        Self::user(session.user, &session.user_name, client)
    }

    /// Somebody who has just shown who they are.
    pub(crate) fn user(id: UserId, name: &str, client: &Client) -> Self {
        Self {
            actor: Actor {
                id: Some(id.uuid()),
                kind: "person".into(),
                name: name.into(),
            },
            address: client.address_text(),
            device: client.device.clone(),
        }
    }

    /// Who runs the machine.
    pub(crate) fn operator(client: &Client) -> Self {
        Self {
            actor: Actor {
                id: None,
                kind: "operator".into(),
                name: "The operator".into(),
            },
            address: client.address_text(),
            device: client.device.clone(),
        }
    }

    /// Who runs the machine, at a command line on it.
    pub(crate) fn machine() -> Self {
        Self {
            actor: Actor {
                id: None,
                kind: "operator".into(),
                name: "The operator".into(),
            },
            address: String::new(),
            device: "holdfast on the server's machine".into(),
        }
    }

    /// A tenant of the tenant API, by its key.
    pub(crate) fn api_tenant(id: TenantId, name: &str, client: &Client) -> Self {
        Self {
            actor: Actor {
                id: Some(id.uuid()),
                kind: "api_tenant".into(),
                name: name.into(),
            },
            address: client.address_text(),
            device: client.device.clone(),
        }
    }

    /// This installation itself.
    pub(crate) fn server() -> Self {
        Self {
            actor: Actor {
                id: None,
                kind: "server".into(),
                name: "Holdfast".into(),
            },
            address: String::new(),
            device: String::new(),
        }
    }

    /// Whoever asked, who has shown nothing yet.
    pub(crate) fn nobody(client: Option<&Client>) -> Self {
        Self {
            actor: Actor {
                id: None,
                kind: "nobody".into(),
                name: String::new(),
            },
            address: client.map(Client::address_text).unwrap_or_default(),
            device: client.map(|client| client.device.clone()).unwrap_or_default(),
        }
    }
}

/// What it was done to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    id: String,
    kind: String,
    name: String,
}

impl Target {
    pub(crate) fn new(kind: &str, id: impl ToString, name: &str) -> Self {
        Self {
            id: id.to_string(),
            kind: kind.into(),
            name: name.into(),
        }
    }
}

/// An event to be written.
pub(crate) struct Entry {
    action: Action,
    outcome: Outcome,
    target: Option<Target>,
    details: BTreeMap<&'static str, String>,
}

impl Entry {
    pub(crate) fn done(action: Action) -> Self {
        Self {
            action,
            outcome: Outcome::Done,
            target: None,
            details: BTreeMap::new(),
        }
    }

    pub(crate) fn refused(action: Action) -> Self {
        Self {
            outcome: Outcome::Refused,
            ..Self::done(action)
        }
    }

    pub(crate) fn on(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Adds a detail: never a secret, never content.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.details.insert(name, value.to_string());
        self
    }
}

/// The text of an event, as it is hashed, without its number: that is the chain's. The members stand in alphabetical order.
pub(crate) struct Text {
    /// What comes before the number.
    pub start: String,
    /// What comes after it.
    pub rest: String,
}

impl Text {
    /// The text of an event that happened at `at`. `tenant` is that of the chain; of the operator's, the organisation that is concerned.
    pub(super) fn of(tenant: Option<TenantId>, at: Millis, by: &By, entry: &Entry) -> Result<Self, StorageError> {
        let start = BeforeNumber {
            action: entry.action.as_str(),
            actor: &by.actor,
            address: &by.address,
            at,
            details: &entry.details,
            device: &by.device,
            outcome: entry.outcome,
        };
        let rest = AfterNumber {
            target: entry.target.as_ref(),
            tenant,
            v: 1,
        };
        let (start, rest) = (members(&start)?, members(&rest)?);
        Ok(Self {
            start: format!("{{{start},\"seq\":"),
            rest: format!(",{rest}}}"),
        })
    }

    /// The whole text, of the event with this number.
    pub(super) fn numbered(&self, seq: i64) -> String {
        format!("{}{seq}{}", self.start, self.rest)
    }
}

/// The members of an object, without its braces.
fn members(object: &impl Serialize) -> Result<String, StorageError> {
    let text = serde_json::to_string(object).ok();
    let members = text
        .as_deref()
        .and_then(|text| text.strip_prefix('{')?.strip_suffix('}'));
    members
        .map(str::to_owned)
        .ok_or(StorageError::Unreadable("an audit event"))
}

#[derive(Serialize)]
struct BeforeNumber<'a> {
    action: &'static str,
    actor: &'a Actor,
    address: &'a str,
    at: Millis,
    details: &'a BTreeMap<&'static str, String>,
    device: &'a str,
    outcome: Outcome,
}

#[derive(Serialize)]
struct AfterNumber<'a> {
    target: Option<&'a Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<TenantId>,
    v: u8,
}
