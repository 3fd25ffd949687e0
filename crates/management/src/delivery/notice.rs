//! What an alert tells, before it has the form of where it goes.

use protocol::{Millis, b64};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::alerts::Trigger;
use crate::ids::AlertRuleId;

/// What it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Alert(Trigger),
    /// Somebody wants to see whether it arrives.
    Test,
}

impl What {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Alert(trigger) => trigger.words(),
            Self::Test => "This is a test",
        }
    }
}

/// Something that somebody wants to be told of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub what: What,
    pub organisation: String,
    /// How many events it tells of.
    pub events: i32,
    /// The last one, in a line.
    pub summary: String,
    /// The same for what is about the same: pagers put it under one incident. Tells nothing itself.
    pub about: String,
    pub at: Millis,
}

impl Notice {
    /// What is told for this rule about this subject.
    pub(crate) fn about(rule: AlertRuleId, subject: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(b"holdfast/alert/v1\0");
        hash.update(rule.uuid().as_bytes());
        hash.update(subject.as_bytes());
        b64::encode(hash.finalize())
    }

    /// What comes when somebody wants to see whether it arrives.
    pub(crate) fn test(organisation: &str, person: &str, at: Millis) -> Self {
        Self {
            what: What::Test,
            organisation: organisation.to_owned(),
            events: 1,
            summary: format!("A test by {person}: nothing has happened"),
            about: "test".to_owned(),
            at,
        }
    }

    /// One line.
    pub(super) fn title(&self) -> String {
        format!("{} at {}", self.what.words(), self.organisation)
    }

    /// One more: the last event, and how many there were.
    pub(super) fn line(&self) -> String {
        match self.events {
            1 => self.summary.clone(),
            more => format!("{more} times; the last one: {}", self.summary),
        }
    }
}
