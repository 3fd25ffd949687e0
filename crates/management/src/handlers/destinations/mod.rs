//! Where alerts and audit events go besides mailboxes: what those who manage the organisation set up. Addresses and keys go in and
//! never come out.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod stream;
pub(crate) mod test;

use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::millis;
use crate::delivery::Kind;
use crate::ids::DestinationId;
use crate::storage::destinations::Destination;

/// A destination, as those who manage the organisation get it.
#[derive(Serialize, ToSchema)]
#[schema(as = Destination)]
pub(crate) struct DestinationAnswer {
    #[schema(value_type = Uuid)]
    id: DestinationId,
    kind: Kind,
    name: String,
    /// Of its address. The rest of it, nobody is told.
    host: String,
    /// Whether audit events go there as they happen.
    stream: bool,
    /// The next audit events were given up, and those after them wait: a test that arrives has them go on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream_stands: bool,
    /// Deliveries that wait for it.
    waiting: i64,
    /// Deliveries that were given up in the last days.
    given_up: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sent_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failed_at: Option<Millis>,
    /// Why the last delivery was not taken.
    #[serde(skip_serializing_if = "String::is_empty")]
    last_problem: String,
}

impl From<Destination> for DestinationAnswer {
    fn from(destination: Destination) -> Self {
        Self {
            id: destination.id,
            kind: destination.kind,
            name: destination.name,
            host: destination.host,
            stream: destination.streamed_to.is_some(),
            stream_stands: destination.stream_stands,
            waiting: destination.waiting,
            given_up: destination.given_up,
            last_sent_at: destination.last_sent_at.map(millis),
            last_failed_at: destination.last_failed_at.map(millis),
            last_problem: destination.last_problem,
        }
    }
}
