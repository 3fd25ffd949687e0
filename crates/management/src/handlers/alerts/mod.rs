//! Alerts: who is told of what.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod test;

use protocol::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alerts::{Quiet, Trigger};
use crate::clock::millis;
use crate::delivery::Kind;
use crate::ids::{AlertRuleId, DestinationId};
use crate::problem::ApiError;
use crate::storage::alerts::{Receiver, Rule};
use crate::zone;

/// Minutes of the day, as the clocks of a zone show them, between which nothing is sent.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct QuietTime {
    from: i16,
    to: i16,
    /// By its IANA name, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl QuietTime {
    fn checked(&self) -> Result<Quiet, ApiError> {
        let wrong = |reason: &str| ApiError::InvalidField {
            field: "quiet",
            reason: reason.to_owned(),
        };
        let zone = zone::named(&self.zone).ok_or_else(|| wrong(zone::NO_SUCH_ZONE))?;
        Quiet::new(self.from, self.to, zone)
            .ok_or_else(|| wrong("Quiet hours are two different minutes of a day, 0 to 1439."))
    }
}

/// Where an alert goes.
#[derive(Serialize, ToSchema)]
pub(crate) struct DestinationName {
    #[schema(value_type = Uuid)]
    id: DestinationId,
    kind: Kind,
    name: String,
}

/// A rule, as managers get it.
#[derive(Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct RuleAnswer {
    #[schema(value_type = Uuid)]
    id: AlertRuleId,
    trigger: Trigger,
    /// Who is told by mail ...
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// ... or where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<DestinationName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet: Option<QuietTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sent_at: Option<Millis>,
    /// Why the last one was not taken.
    #[serde(skip_serializing_if = "String::is_empty")]
    last_problem: String,
}

impl From<Rule> for RuleAnswer {
    fn from(rule: Rule) -> Self {
        let quiet = |quiet: Quiet| QuietTime {
            from: quiet.from(),
            to: quiet.to(),
            zone: quiet.zone().to_owned(),
        };
        let (email, destination) = match rule.receiver {
            Receiver::Mailbox(email) => (Some(email), None),
            Receiver::Destination { id, kind, name } => (None, Some(DestinationName { id, kind, name })),
        };
        Self {
            id: rule.id,
            trigger: rule.trigger,
            email,
            destination,
            quiet: rule.quiet.map(quiet),
            last_sent_at: rule.last_sent_at.map(millis),
            last_problem: rule.last_problem,
        }
    }
}
