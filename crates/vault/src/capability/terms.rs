//! What a capability allows, and what it means to allow no more than another.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::LARGEST_NUMBER;
use super::error::Wider;

/// One kind of act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// GET and HEAD of the resource and of what lies below it.
    Read,
    /// GET and HEAD of the resource's own address alone.
    List,
    /// POST, PUT and PATCH.
    Write,
    Delete,
    /// To manage it, which is to change what others may do: nothing that goes over HTTP counts as it.
    Admin,
    /// To pass it on to somebody else.
    Share,
}

impl Scope {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Admin => "admin",
            Self::Share => "share",
        }
    }
}

/// What is allowed, each once, in the order of [`Scope`].
pub type Scopes = BTreeSet<Scope>;

/// So many calls in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub calls: u64,
    /// Milliseconds.
    pub per_ms: u64,
}

/// How often it may be used; counted by the keeper that carries the calls out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

impl Constraints {
    pub(super) fn are_numbers_good(&self) -> bool {
        let good = |number: u64| (1..=LARGEST_NUMBER).contains(&number);
        self.max_calls.is_none_or(good) && self.rate.is_none_or(|rate| good(rate.calls) && good(rate.per_ms))
    }

    /// What these allow more of than `parent`. A rate is no wider when it has no more calls in no less time.
    pub(super) fn wider_than(&self, parent: &Self) -> Option<Wider> {
        let calls = match (self.max_calls, parent.max_calls) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(own), Some(parent)) => own > parent,
        };
        let rate = match (self.rate, parent.rate) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(own), Some(parent)) => own.calls > parent.calls || own.per_ms < parent.per_ms,
        };
        if calls {
            Some(Wider::Calls)
        } else {
            rate.then_some(Wider::Rate)
        }
    }
}
