//! How often the agent, and each person with whom something is shared, calls each service: counted by the hour. Beyond a ceiling their
//! calls of that service are paused until the vault's owner lets them go on.
//!
//! What is promised here: a call is counted before it leaves. The one that would pass the ceiling is refused, and from then on every other, in
//! this life of the keeper and the next ones: that is in the vault before the refusal is told. Nobody ends it but the owner in their channel.
//! What cannot be read does not count as nothing: those calls are refused.

mod book;
mod methods;
mod record;

use std::sync::Arc;

pub use book::{RateError, Rates};
use protocol::UserId;

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    Agent,
    /// With whom it is shared, and how the owner calls them.
    Person(UserId, &'a str),
}

impl By<'_> {
    /// The record that counts their calls of a service.
    fn record(self, service: &str) -> String {
        match self {
            Self::Agent => format!("{}agent/{service}", record::PREFIX),
            Self::Person(user, _) => format!("{}{user}/{service}", record::PREFIX),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Agent => String::new(),
            Self::Person(_, name) => name.to_owned(),
        }
    }
}

/// Whose calls a record counts, none for the agent's, and of which service.
fn of_record(record: &str) -> Option<(Option<UserId>, &str)> {
    let (who, service) = record.strip_prefix(record::PREFIX)?.split_once('/')?;
    match who {
        "agent" => Some((None, service)),
        user => Some((Some(user.parse().ok()?), service)),
    }
}

type Changes = Arc<tokio::sync::watch::Sender<u64>>;
