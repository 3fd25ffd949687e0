//! How often the agent, and each person with whom something is shared, calls each service, and how often the agent calls those of others:
//! counted by the hour. Beyond a ceiling their calls of that service are paused until the vault's owner lets them go on.
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

/// Who calls, and how the owner calls them.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    who: Who,
    name: &'a str,
}

impl<'a> By<'a> {
    /// The agent, at services of its owner.
    pub const AGENT: Self = Self {
        who: Who::Agent,
        name: "",
    };

    /// The agent, at what this person shares with the owner.
    pub fn agent_at(user: UserId, name: &'a str) -> Self {
        let who = Who::AgentAt(user);
        Self { who, name }
    }

    /// This person, with whom it is shared.
    pub fn person(user: UserId, name: &'a str) -> Self {
        let who = Who::Person(user);
        Self { who, name }
    }
}

/// Whose calls are counted, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Agent,
    AgentAt(UserId),
    Person(UserId),
}

impl Who {
    /// As the owner's page names them: nobody for the agent at their own services.
    fn new(user: Option<UserId>, own_agent: bool) -> Self {
        match user {
            None => Self::Agent,
            Some(user) if own_agent => Self::AgentAt(user),
            Some(user) => Self::Person(user),
        }
    }

    fn user(self) -> Option<UserId> {
        match self {
            Self::Agent => None,
            Self::AgentAt(user) | Self::Person(user) => Some(user),
        }
    }

    fn is_agent(self) -> bool {
        !matches!(self, Self::Person(_))
    }

    /// Who it was, in the activity; and what they called.
    fn noted(self, name: &str, service: &str) -> (String, String) {
        match self {
            Self::Agent => (YOUR_AGENT.to_owned(), service.to_owned()),
            Self::AgentAt(_) => (YOUR_AGENT.to_owned(), format!("{service} of {name}")),
            Self::Person(_) => (name.to_owned(), service.to_owned()),
        }
    }

    /// The record that counts their calls of a service.
    fn record(self, service: &str) -> String {
        match self {
            Self::Agent => format!("{}agent/{service}", record::PREFIX),
            Self::AgentAt(user) => format!("{}{AT}{user}/{service}", record::PREFIX),
            Self::Person(user) => format!("{}{user}/{service}", record::PREFIX),
        }
    }

    /// Whose calls a record counts, and of which service.
    fn of_record(record: &str) -> Option<(Self, &str)> {
        let (who, service) = record.strip_prefix(record::PREFIX)?.split_once('/')?;
        let who = match (who, who.strip_prefix(AT)) {
            ("agent", _) => Self::Agent,
            (_, Some(user)) => Self::AgentAt(user.parse().ok()?),
            (user, None) => Self::Person(user.parse().ok()?),
        };
        Some((who, service))
    }
}

const YOUR_AGENT: &str = "your agent";
/// What a record's name has before the id of somebody whose services the agent calls.
const AT: &str = "at-";

type Changes = Arc<tokio::sync::watch::Sender<u64>>;
