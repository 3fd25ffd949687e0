//! Answering: through the channel alone.

use protocol::{ApprovalId, Millis};
use serde::{Deserialize, Serialize};
use vault::Hash;

use super::action::Action;
use super::record::{Approval, State};
use super::rule::{Pattern, Rule};
use super::{ApprovalError, Approvals};
use crate::activity::{Deed, What};
use crate::limits;

const DAY: Millis = 24 * 60 * 60 * 1000;

/// What its owner says to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    Once,
    /// Also the next ones like it, while the agent works on this conversation; for a day.
    Conversation,
    /// Also the next ones like it.
    Always {
        per_day: u32,
        until: Millis,
    },
    Deny {
        #[serde(default)]
        reason: String,
    },
}

impl Approvals {
    /// Takes the owner's answer to the request that they were shown. The same answer to the same again, as whoever never heard that it was taken
    /// gives it, is none: the request stands as it is.
    pub(super) async fn decide(&self, id: ApprovalId, shown: Hash, answer: Answer) -> Result<Approval, ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let now = self.clock.now();
        let mut approval = self.get(id)?;
        if approval.hash != shown {
            return Err(ApprovalError::Changed);
        }
        // Also where it is over, and what was asked for is kept shortened.
        if approval.answer.as_ref() == Some(&answer) {
            return Ok(approval);
        }
        let awaits = matches!(approval.state, State::AwaitsSecond { .. });
        // While the second person has not answered, their owner may still say no.
        if approval.state != State::Waiting && !(awaits && matches!(answer, Answer::Deny { .. })) {
            return Err(ApprovalError::Decided);
        }
        if approval.action.hash() != shown {
            return Err(ApprovalError::Changed);
        }
        if now >= approval.expires_at {
            return Err(ApprovalError::Expired);
        }
        let of_two = self.needs_second(&approval.action)?;
        let (deed, why) = match &answer {
            Answer::Once if of_two => (What::ApprovalGiven, "once; a second person is asked"),
            Answer::Once => (What::ApprovalGiven, "once"),
            Answer::Conversation => (What::ApprovalGiven, "for this conversation"),
            Answer::Always { .. } => (What::ApprovalGiven, "always, within limits"),
            Answer::Deny { .. } => (What::ApprovalDenied, ""),
        };
        if of_two && matches!(answer, Answer::Conversation | Answer::Always { .. }) {
            return Err(ApprovalError::NoRules);
        }
        let rule = self.rule(&approval, &answer, now)?;
        approval.answer = Some(answer.clone());
        approval.state = match answer {
            Answer::Deny { reason } if reason.chars().count() > limits::DENY_REASON_CHARS => {
                return Err(ApprovalError::Reason);
            }
            Answer::Deny { reason } => {
                // What was taken back is refused as long as what was refused at once.
                approval.expires_at = approval.expires_at.min(Approval::ends(now));
                State::Denied { at: now, reason }
            }
            _ if of_two => {
                let life = Millis::try_from(limits::SECOND_LIFE.as_millis()).unwrap_or(Millis::MAX);
                approval.expires_at = now + life;
                State::AwaitsSecond { at: now }
            }
            _ => State::Allowed { at: now },
        };
        approval.not_asked = false;
        let asks_second = matches!(approval.state, State::AwaitsSecond { .. });
        if asks_second && self.seconds()?.is_empty() {
            return Err(ApprovalError::NobodySecond);
        }
        // Noted before it counts: an answer that is not in the activity is none.
        let noted = approval.action.deed(deed).because(why);
        self.activity.note_first(noted).await?;
        if asks_second {
            self.ask_seconds(&approval).await?;
        } else {
            let mut changes = vec![Self::put(&approval)];
            changes.extend(rule.as_ref().map(Self::put_rule));
            self.vault.put_records(changes).await?;
        }
        self.changed();
        if awaits {
            self.tell_over(approval.id, None).await;
        }
        Ok(approval)
    }

    /// The rule that an answer makes.
    fn rule(&self, approval: &Approval, answer: &Answer, now: Millis) -> Result<Option<Rule>, ApprovalError> {
        let (conversation, per_day, until) = match answer {
            Answer::Once | Answer::Deny { .. } => return Ok(None),
            Answer::Conversation => {
                let conversation = approval.conversation.clone().ok_or(ApprovalError::NoConversation)?;
                (Some(conversation), limits::RULE_USES, now + DAY)
            }
            Answer::Always { per_day, until } => (None, *per_day, *until),
        };
        let pattern = Pattern::of(&approval.action).ok_or(ApprovalError::OnceOnly)?;
        let latest = now.saturating_add(Millis::try_from(limits::RULE_LIFE.as_millis()).unwrap_or(Millis::MAX));
        if !(1..=limits::RULE_USES).contains(&per_day) || until <= now || until > latest {
            return Err(ApprovalError::RuleLimits);
        }
        if self.rules()?.len() >= limits::APPROVAL_RULES {
            return Err(ApprovalError::TooManyRules);
        }
        Ok(Some(Rule::new(approval.id, pattern, conversation, per_day, now, until)))
    }

    /// Takes a rule back: from now on it is asked again.
    pub(super) async fn remove_rule(&self, id: ApprovalId) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let rule = self.rules()?.into_iter().find(|rule| rule.id == id);
        let rule = rule.ok_or(ApprovalError::Unknown)?;
        self.vault.delete_record(&rule.record()).await?;
        self.activity.note_first(Deed::new(What::RuleRemoved, "")).await?;
        self.changed();
        Ok(())
    }

    pub(super) async fn set_asks_before_commands(&self, ask: bool) -> Result<(), ApprovalError> {
        let why = if ask { "asks first" } else { "runs them" };
        self.activity
            .note_first(Deed::new(What::CommandsChanged, "").because(why))
            .await?;
        self.store_asks_before_commands(ask).await?;
        self.changed();
        Ok(())
    }

    pub(super) async fn set_tells_when_away(&self, tell: bool) -> Result<(), ApprovalError> {
        let why = if tell { "told" } else { "not told" };
        self.activity
            .note_first(Deed::new(What::AwayChanged, "").because(why))
            .await?;
        self.store_tells_when_away(tell).await?;
        self.changed();
        Ok(())
    }

    /// Something inside the agent's cell has allowed what its owner is asked about (`hash`), or should have been: it is in the activity before
    /// anything else is done, in one write with the request. Where there is none, `told` makes one that nobody can answer.
    pub(super) async fn decided_elsewhere(
        &self,
        hash: Option<Hash>,
        told: Option<&Action>,
    ) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let now = self.clock.now();
        let asked = self.all()?.into_iter();
        let mut asked = asked.filter(|approval| Some(approval.hash) == hash && !approval.is_over(now));
        let mut changes = Vec::new();
        if let Some(approval) = asked.next() {
            changes.push(Self::put(&Approval {
                elsewhere: true,
                seen: false,
                ..approval
            }));
        } else if let Some(action) = told {
            let allowed = Approval::allowed_elsewhere(action, now);
            // What is longer than anybody is asked to read is in the activity alone.
            if allowed.action.size() <= limits::APPROVAL_BYTES {
                changes = self.tidy(now)?;
                changes.push(Self::put(&allowed));
            }
        }
        let deed = Deed::new(What::CommandDecidedElsewhere, "command");
        self.activity.note_with(vec![deed], changes).await?;
        self.changed();
        Ok(())
    }

    /// Its owner has seen that something inside the agent's cell allowed this: it leaves their inbox, and stays among what was decided.
    pub(super) async fn seen_elsewhere(&self, id: ApprovalId) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let approval = self.get(id)?;
        if approval.elsewhere && !approval.seen {
            let seen = Approval { seen: true, ..approval };
            self.vault.put_records(vec![Self::put(&seen)]).await?;
            self.changed();
        }
        Ok(())
    }

    /// Whether something inside the agent's cell has allowed a command is not known.
    pub(super) async fn commands_unseen(&self) -> Result<(), ApprovalError> {
        let deed = Deed::new(What::CommandsUnseen, "command");
        Ok(self.activity.note_first(deed).await?)
    }

    /// What asked is gone: nobody waits for an answer any more.
    pub(super) async fn withdraw(&self, hash: Hash) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let now = self.clock.now();
        let waits = |approval: &Approval| approval.hash == hash && approval.is_waiting(now);
        if let Some(approval) = self.all()?.into_iter().find(waits) {
            let over = Approval {
                expires_at: now,
                ..approval
            };
            self.vault.put_records(vec![Self::put(&over)]).await?;
            self.changed();
        }
        Ok(())
    }
}
