//! What sets an alert off. Looked at with each event, in its transaction.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::limits;
use crate::storage::{StorageError, TenantTransaction, alerts};

macro_rules! triggers {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $words:literal);+ $(;)?) => {
        /// What somebody may be told of. The words never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum Trigger {
            $($(#[$doc])* #[serde(rename = $text)] $name),+
        }

        crate::openapi::words!(Trigger: $($text),+);

        impl Trigger {
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// For a mail's subject, and the title elsewhere.
            pub(crate) fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words),+
                }
            }

            pub(crate) fn stored(text: &str) -> Result<Self, StorageError> {
                match text {
                    $($text => Ok(Self::$name),)+
                    _ => Err(StorageError::Unreadable("what sets an alert off")),
                }
            }
        }
    };
}

triggers! {
    /// Many wrong codes of one person in a short time.
    Failures = "failures", "Many wrong codes";
    /// Somebody signed in with a device that they have not used before.
    NewDevice = "new_device", "A sign-in from a new device";
    /// Somebody removed their second factor, or the organisation asks for none any more.
    FactorOff = "factor_off", "A second factor was turned off";
    /// The audit log was taken away.
    Exported = "exported", "The audit log was exported";
    /// Somebody has another role, or was suspended or removed.
    PeopleChanged = "people_changed", "Somebody's role or access was changed";
    /// A key for programs was made or replaced.
    KeyMade = "key_made", "An API key was made";
    /// Somebody asks their contacts to open their vault.
    RecoveryAsked = "recovery_asked", "Somebody asks for help with opening their vault";
    /// The audit log was changed by something else than this server.
    ChainBroken = "chain_broken", "The audit log was tampered with";
}

/// What was done, as far as alerts look at it.
pub(crate) struct Happened<'a> {
    pub seq: i64,
    pub action: &'static str,
    pub refused: bool,
    /// Who did it; `None` for somebody who has not shown who they are.
    pub actor: Option<String>,
    pub actor_name: &'a str,
    pub target: &'a str,
    pub address: &'a str,
    pub device: &'a str,
    pub at: OffsetDateTime,
}

impl Happened<'_> {
    /// In a line, for the mail.
    fn summary(&self) -> String {
        let name = if self.actor_name.is_empty() {
            "Somebody"
        } else {
            self.actor_name
        };
        let from = [self.device, self.address]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(", ");
        let target = if self.target.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.target)
        };
        let line = format!(
            "{name}: {}{target}{}{from}",
            self.action,
            if from.is_empty() { "" } else { ", from " }
        );
        line.chars()
            .filter(|c| !c.is_control())
            .take(limits::ALERT_CHARS)
            .collect()
    }
}

/// Keeps an alert for each rule that this sets off.
pub(crate) async fn raise(transaction: &mut TenantTransaction, happened: &Happened<'_>) -> Result<(), StorageError> {
    let Some(trigger) = trigger(transaction, happened).await? else {
        return Ok(());
    };
    let subject = happened.actor.clone().unwrap_or_else(|| happened.address.to_owned());
    alerts::raise(transaction, trigger, &subject, &happened.summary(), happened.at).await
}

async fn trigger(
    transaction: &mut TenantTransaction,
    happened: &Happened<'_>,
) -> Result<Option<Trigger>, StorageError> {
    if happened.refused {
        let since = happened.at - limits::ALERT_FAILURES_WITHIN;
        let refused = alerts::refused_since(transaction, happened.actor.as_deref(), since).await?;
        return Ok((refused >= limits::ALERT_FAILURES).then_some(Trigger::Failures));
    }
    Ok(match happened.action {
        "sign_in.done" | "factor.shown" => {
            let known = match &happened.actor {
                Some(actor) => alerts::knows_device(transaction, actor, happened.device, happened.seq).await?,
                None => true,
            };
            (!known).then_some(Trigger::NewDevice)
        }
        "factor.authenticator_removed" | "organisation.policy_changed" => Some(Trigger::FactorOff),
        "audit.exported" => Some(Trigger::Exported),
        "person.role_changed" | "person.suspended" | "person.removed" => Some(Trigger::PeopleChanged),
        "key.made" | "key.rotated" => Some(Trigger::KeyMade),
        "recovery.asked" => Some(Trigger::RecoveryAsked),
        "audit.chain_broken" => Some(Trigger::ChainBroken),
        _ => None,
    })
}
