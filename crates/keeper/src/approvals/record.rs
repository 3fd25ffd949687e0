//! A request as it lies in the vault: `approval/<id>`, a version byte and JSON.

use protocol::{ApprovalId, EnvelopeId, Millis};
use serde::{Deserialize, Serialize};
use vault::Hash;

use super::action::Action;
use super::decide::Answer;
use crate::{limits, versioned};

pub(super) const PREFIX: &str = "approval/";

/// How far a request is. One that is still waiting when it ends has expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    Waiting,
    /// Its owner said yes; not done yet.
    Allowed {
        at: Millis,
    },
    /// Its owner said yes, and a second person has not answered yet. A keeper that does not know of it reads no request here.
    AwaitsSecond {
        at: Millis,
    },
    /// It was done, once.
    Used {
        at: Millis,
    },
    Denied {
        at: Millis,
        reason: String,
    },
}

/// What a second person said, in time and signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seconded {
    /// As the owner knows them.
    pub name: String,
    pub allowed: bool,
    pub at: Millis,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub id: ApprovalId,
    pub asked_at: Millis,
    pub expires_at: Millis,
    /// The conversation that the agent worked on when it asked, where there was one and no more.
    pub conversation: Option<String>,
    pub action: Action,
    /// Of the action as it was asked for.
    pub hash: Hash,
    #[serde(flatten)]
    pub state: State,
    /// What its owner said that counts; none where they are asked anew, and in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Answer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconded: Option<Seconded>,
    /// The messages by which second people are asked, but for those that were lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) asks: Vec<EnvelopeId>,
    /// Its owner had allowed it, and none of the second people could be asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_asked: bool,
    /// Something inside the agent's cell has allowed it, and not its owner.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// Its owner has seen that it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen: bool,
}

impl Approval {
    /// A request of now, which waits.
    pub(super) fn new(action: &Action, conversation: Option<String>, now: Millis) -> Self {
        Self {
            id: ApprovalId::new(),
            asked_at: now,
            expires_at: Self::ends(now),
            conversation,
            action: action.clone(),
            hash: action.hash(),
            state: State::Waiting,
            answer: None,
            seconded: None,
            asks: Vec::new(),
            not_asked: false,
            elsewhere: false,
            seen: false,
        }
    }

    /// What something inside the agent's cell has allowed before its owner could be asked: over, and kept as what is over is.
    pub(super) fn allowed_elsewhere(action: &Action, now: Millis) -> Self {
        Self {
            expires_at: now,
            action: action.shortened(),
            elsewhere: true,
            ..Self::new(action, None, now)
        }
    }

    /// Its owner is asked anew, whatever they have said.
    pub(super) fn ask_again(&mut self, now: Millis) {
        self.expires_at = self.expires_at.min(Self::ends(now));
        self.state = State::Waiting;
        self.answer = None;
    }

    pub(super) fn record(&self) -> String {
        format!("{PREFIX}{}", self.id)
    }

    /// When a request, or an answer, of now ends.
    pub(super) fn ends(now: Millis) -> Millis {
        now + Millis::try_from(limits::APPROVAL_LIFE.as_millis()).unwrap_or(Millis::MAX)
    }

    /// Whether its owner can still answer.
    pub fn is_waiting(&self, now: Millis) -> bool {
        self.state == State::Waiting && now < self.expires_at
    }

    /// Whether a second person has agreed, and it was not done yet.
    pub(super) fn is_seconded(&self, now: Millis) -> bool {
        let agreed = matches!(self.state, State::Allowed { .. }) && self.seconded.is_some();
        agreed && now < self.expires_at
    }

    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self, now: Millis) -> bool {
        matches!(self.state, State::Used { .. }) || now >= self.expires_at
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        versioned::encode(self)
    }

    /// None for one that a newer version wrote: it allows nothing here.
    pub(super) fn decode(name: &str, bytes: &[u8]) -> Option<Self> {
        let id: ApprovalId = name.strip_prefix(PREFIX)?.parse().ok()?;
        let approval: Self = versioned::decode(bytes)?;
        (approval.id == id).then_some(approval)
    }
}
