//! `approval.*` of the channel (`docs/protocol.md`, section 2).

use std::sync::atomic::Ordering;

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::{ApprovalId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use vault::Hash;

use super::action::Action;
use super::decide::Answer;
use super::record::{Approval, State};
use super::rule::{Pattern, Rule};
use super::{ApprovalError, Approvals};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};
use crate::contacts::Contact;

#[derive(Deserialize)]
struct Decide {
    id: ApprovalId,
    /// Of what the person was shown.
    hash: Hash,
    answer: Answer,
}

#[derive(Deserialize)]
struct One {
    id: ApprovalId,
}

#[derive(Deserialize)]
struct Settings {
    ask_before_commands: Option<bool>,
    tell_when_away: Option<bool>,
}

#[derive(Deserialize)]
struct Seconds {
    on: bool,
    people: Vec<UserId>,
}

impl Approvals {
    fn shown(&self, approval: &Approval) -> Value {
        let now = self.clock.now();
        let open = matches!(
            approval.state,
            State::Waiting | State::AwaitsSecond { .. } | State::Allowed { .. }
        );
        let expired = open && now >= approval.expires_at;
        let of_two = self.needs_second(&approval.action).unwrap_or(true);
        let (state, at, reason) = match &approval.state {
            _ if expired => ("expired", Some(approval.expires_at), ""),
            State::Waiting => ("waiting", None, ""),
            State::AwaitsSecond { at } => ("awaits_second", Some(*at), ""),
            State::Allowed { at } => ("allowed", Some(*at), ""),
            State::Used { at } => ("used", Some(*at), ""),
            State::Denied { at, reason } => ("denied", Some(*at), reason.as_str()),
        };
        let rules = !of_two && Pattern::of(&approval.action).is_some();
        let mut shown = json!({
            "id": approval.id, "asked_at": approval.asked_at, "expires_at": approval.expires_at,
            "conversation": approval.conversation, "action": approval.action, "hash": approval.hash,
            "state": state, "at": at, "reason": reason, "second": of_two, "seconded": approval.seconded,
            "not_asked": approval.not_asked, "elsewhere": approval.elsewhere, "seen": approval.seen,
            "may": {"always": rules, "conversation": rules && approval.conversation.is_some()},
        });
        if let Some(known) = self.known(&approval.action) {
            shown["known"] = json!({"fingerprint": known.identity.fingerprint(), "compared_at": known.compared_at});
        }
        shown
    }

    /// Whom this would be shared with, or who would be asked, where they are known. Who has another key now is somebody else.
    fn known(&self, action: &Action) -> Option<Contact> {
        let (user, key) = action.contact()?;
        let contact = self.contacts().ok()?.get(user).ok()??;
        key.is_none_or(|key| key == contact.identity.signer())
            .then_some(contact)
    }

    fn shown_rule(&self, rule: &Rule) -> Value {
        json!({
            "id": rule.id, "made_at": rule.made_at, "until": rule.until, "conversation": rule.conversation,
            "per_day": rule.per_day, "used_today": rule.used_on(self.clock.now()), "pattern": rule.pattern,
        })
    }

    /// How many requests wait for an answer; none while the vault is locked.
    pub fn waiting(&self) -> usize {
        let now = self.clock.now();
        let all = self.all().unwrap_or_default();
        let asked = self.asked_of_me().unwrap_or_default();
        let asked = asked.iter().filter(|asked| asked.is_waiting(now));
        all.iter().filter(|approval| approval.is_waiting(now)).count() + asked.count()
    }

    fn list(&self) -> Result<Value, ChannelError> {
        let now = self.clock.now();
        let (waiting, decided): (Vec<_>, Vec<_>) = self
            .all()
            .map_err(ApprovalError::from)?
            .into_iter()
            .partition(|approval| approval.is_waiting(now));
        let rules = self.rules().map_err(ApprovalError::from)?;
        Ok(json!({
            "waiting": waiting.iter().rev().map(|approval| self.shown(approval)).collect::<Vec<_>>(),
            "decided": decided.iter().map(|approval| self.shown(approval)).collect::<Vec<_>>(),
            "rules": rules.iter().filter(|rule| now < rule.until).map(|rule| self.shown_rule(rule)).collect::<Vec<_>>(),
            "ask_before_commands": self.asks_before_commands().map_err(ApprovalError::from)?,
            "tell_when_away": self.tells_when_away().map_err(ApprovalError::from)?,
            "second": self.shown_choice()?,
            "asked": self.shown_asked().map_err(ApprovalError::from)?,
            "agent_waits": self.held.load(Ordering::Relaxed) > 0,
        }))
    }

    async fn answer(&self, method: &str, params: Value, channel: u64) -> Result<Value, ChannelError> {
        match method {
            "approval.list" => self.list(),
            "approval.decide" => {
                let Decide { id, hash, answer } = read_value(params)?;
                let approval = self.decide(id, hash, answer).await?;
                Ok(self.shown(&approval))
            }
            "approval.seen" => {
                self.seen_elsewhere(read_value::<One>(params)?.id).await?;
                Ok(json!({}))
            }
            "approval.remove_rule" => {
                self.remove_rule(read_value::<One>(params)?.id).await?;
                Ok(json!({}))
            }
            "approval.settings" => {
                let Settings {
                    ask_before_commands,
                    tell_when_away,
                } = read_value(params)?;
                if let Some(ask) = ask_before_commands {
                    self.set_asks_before_commands(ask).await?;
                }
                if let Some(tell) = tell_when_away {
                    self.set_tells_when_away(tell).await?;
                }
                Ok(json!({}))
            }
            "approval.choose_seconds" => {
                let proof = self.vault.fresh_proof(channel)?;
                let Seconds { on, people } = read_value(params)?;
                self.choose_seconds(&proof, on, &people).await?;
                Ok(json!({}))
            }
            "approval.answer_as_second" => {
                self.answer_as_second(read_value(params)?).await?;
                Ok(json!({}))
            }
            _ => Err(unknown_method(method)),
        }
    }
}

impl Methods for Approvals {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        Box::pin(self.answer(method, params, subscriber.id()))
    }
}
