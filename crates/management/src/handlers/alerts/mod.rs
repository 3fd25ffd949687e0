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
use crate::storage::alerts::{Receiver, Rule};

/// Minutes of the day, UTC, between which nothing is sent.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct QuietTime {
    pub(crate) from: i16,
    pub(crate) to: i16,
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
