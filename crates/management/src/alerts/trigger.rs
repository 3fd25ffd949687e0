//! What sets an alert off. Looked at with each event, in the transaction that chains it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::audit::told::Told;
use crate::clock::moment;
use crate::limits;
use crate::rate_limit::network;
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
    /// Much in a short time that one person, or one address of nobody who is known, tried and was refused.
    Failures = "failures", "Many refused attempts";
    /// Somebody signed in with a device that they have not used before.
    NewDevice = "new_device", "A sign-in from a new device";
    /// Somebody removed a second factor, theirs were reset, or the organisation asks for none any more.
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

/// Keeps an alert for each rule that this event sets off.
pub(crate) async fn raise(transaction: &mut TenantTransaction, event: &Told) -> Result<(), StorageError> {
    let at = moment(event.at).ok_or(StorageError::Unreadable("time of an audit event"))?;
    let Some(trigger) = trigger(transaction, event, at).await? else {
        return Ok(());
    };
    let subject = match Who::of(event) {
        Who::Known(id) => id.to_owned(),
        Who::At(Some(network)) => network.to_string(),
        Who::At(None) => String::new(),
    };
    alerts::raise(transaction, trigger, &subject, &summary(event), at).await
}

/// Whose doings are counted, and told, together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    /// By the id that the audit log has.
    Known(&'a str),
    /// All from one network who have not shown who they are.
    At(Option<IpAddr>),
}

impl<'a> Who<'a> {
    fn of(event: &'a Told) -> Self {
        match &event.actor.id {
            Some(id) => Self::Known(id),
            None => Self::At(event.address.parse().ok().map(network)),
        }
    }
}

async fn trigger(
    transaction: &mut TenantTransaction,
    event: &Told,
    at: OffsetDateTime,
) -> Result<Option<Trigger>, StorageError> {
    // Nobody where who did it has not shown who they are.
    let actor = event.actor.id.as_deref();
    if event.is_refused() {
        let refused = alerts::refused_since(transaction, Who::of(event), at - limits::ALERT_FAILURES_WITHIN).await?;
        return Ok((refused >= limits::ALERT_FAILURES).then_some(Trigger::Failures));
    }
    Ok(match event.action.as_str() {
        "sign_in.done" | "factor.shown" => {
            let known = match actor {
                Some(actor) => alerts::knows_device(transaction, actor, &event.device, event.seq).await?,
                None => true,
            };
            (!known).then_some(Trigger::NewDevice)
        }
        "organisation.policy_changed" => (event.details["second_factor"] == "optional").then_some(Trigger::FactorOff),
        action => Trigger::of(action),
    })
}

impl Trigger {
    /// What an act sets off by itself, whoever does it and whatever came before.
    pub(crate) fn of(action: &str) -> Option<Self> {
        Some(match action {
            "factor.authenticator_removed" | "factor.passkey_removed" | "person.factors_reset" => Self::FactorOff,
            // Whoever has it sent elsewhere has it from then on.
            "audit.exported" | "destination.stream_begun" => Self::Exported,
            "person.role_changed" | "person.suspended" | "person.removed" => Self::PeopleChanged,
            "key.made" | "key.rotated" => Self::KeyMade,
            "recovery.asked" => Self::RecoveryAsked,
            "audit.chain_broken" => Self::ChainBroken,
            _ => return None,
        })
    }
}

/// An event in a line, for the mail.
fn summary(event: &Told) -> String {
    let name = match event.actor.name.as_str() {
        "" => "Somebody",
        name => name,
    };
    let from = [event.device.as_str(), event.address.as_str()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", ");
    let target = match event.target.as_ref().map_or("", |target| &target.name) {
        "" => String::new(),
        target => format!(" ({target})"),
    };
    let line = format!(
        "{name}: {}{target}{}{from}",
        event.action,
        if from.is_empty() { "" } else { ", from " }
    );
    line.chars()
        .filter(|c| !c.is_control())
        .take(limits::ALERT_CHARS)
        .collect()
}
