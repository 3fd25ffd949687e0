//! Taking a turn: bounds, the idempotency key, the durable record. What returns `Ok` here is not lost.

use std::sync::Arc;

use protocol::Millis;
use protocol::channel::ChannelError;
use protocol::chat::{ChatEventKind, Role};
use protocol::functions::Offer;
use protocol::limits::MESSAGE_BYTES;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Chat;
use super::conversation::{Conversation, Turn};
use super::journal::{Act, Changes, Stage, TurnRecord};
use super::{functions, title, transcript};
use crate::limits::TURNS_WAITING;
use crate::template::message_of_job;

/// A turn that was taken, and will not be lost.
pub(super) struct Accepted {
    pub at: Millis,
    /// Its key was seen before: it is the same turn.
    pub again: bool,
}

impl Accepted {
    /// As a client is told of it.
    pub(super) fn told(self, key: Uuid) -> Value {
        json!({"turn": key, "at": self.at, "again": self.again})
    }
}

impl Chat {
    /// A new message of the person. A key that was seen before is the same turn.
    pub(super) async fn send(
        &self,
        conversation: &str,
        text: String,
        key: String,
        offer: Option<Offer>,
    ) -> Result<Accepted, ChannelError> {
        let conversation = self.find(conversation)?;
        if let Some(offer) = &offer {
            functions::check(offer)?;
        }
        self.accept(&conversation, text, key, Act::Send, offer).await
    }

    /// What the agent's template says under the name of a job, as a message of the person. A key that was seen before is the same turn.
    pub(super) async fn run_job(&self, conversation: &str, job: &str, key: String) -> Result<Accepted, ChannelError> {
        let conversation = self.find(conversation)?;
        if let Some(at) = self.accepted(&conversation, &key) {
            return Ok(Accepted { at, again: true });
        }
        let text = message_of_job(&self.inner.vault, job)?;
        self.accept(&conversation, text, key, Act::Send, None).await
    }

    /// Other words in the place of a message of the person, and of everything after it.
    pub(super) async fn edit(
        &self,
        conversation: &str,
        message: String,
        text: String,
        key: String,
    ) -> Result<Accepted, ChannelError> {
        let conversation = self.find(conversation)?;
        if let Some(at) = self.accepted(&conversation, &key) {
            return Ok(Accepted { at, again: true });
        }
        idle(&conversation)?;
        let messages = self.messages(&conversation).await?;
        let found = messages
            .iter()
            .find(|known| known.id == message && known.role == Role::User);
        found.ok_or_else(unknown_message)?;
        self.accept(&conversation, text, key, Act::Replace { message }, None)
            .await
    }

    /// The same words again, in the place of an answer, or of the message that it answers.
    pub(super) async fn regenerate(
        &self,
        conversation: &str,
        message: &str,
        key: String,
    ) -> Result<Accepted, ChannelError> {
        let conversation = self.find(conversation)?;
        if let Some(at) = self.accepted(&conversation, &key) {
            return Ok(Accepted { at, again: true });
        }
        idle(&conversation)?;
        let messages = self.messages(&conversation).await?;
        let at = messages
            .iter()
            .position(|known| known.id == message)
            .ok_or_else(unknown_message)?;
        let asked = messages[..=at]
            .iter()
            .rfind(|known| known.role == Role::User)
            .ok_or_else(unknown_message)?;
        // What stands in its place is not what the person said.
        if let Some(error) = &asked.error {
            return Err(error.clone());
        }
        let text = asked.parts.iter().map(|part| match part {
            protocol::chat::Part::Text { text } => text.as_str(),
            protocol::chat::Part::Tool { .. } => "",
        });
        let (text, message) = (text.collect::<String>(), asked.id.clone());
        self.accept(&conversation, text, key, Act::Replace { message }, None)
            .await
    }

    /// When a turn with this key was accepted, if it was.
    fn accepted(&self, conversation: &Conversation, key: &str) -> Option<Millis> {
        let state = conversation.state();
        state.accepted(key).or_else(|| self.keys().find(&conversation.id, key))
    }

    async fn accept(
        &self,
        conversation: &Arc<Conversation>,
        text: String,
        key: String,
        act: Act,
        offer: Option<Offer>,
    ) -> Result<Accepted, ChannelError> {
        if text.trim().is_empty() {
            return Err(ChannelError::new("message_empty", "The message is empty."));
        }
        if text.len() > MESSAGE_BYTES {
            let message = format!("The message is too long: at most {} KiB.", MESSAGE_BYTES / 1024);
            return Err(ChannelError::new("message_too_large", message));
        }
        let _order = conversation.accepting.lock().await;
        let mut changes = Changes::default();
        let (turn, titled, at_once) = {
            if let Some(at) = self.accepted(conversation, &key) {
                return Ok(Accepted { at, again: true });
            }
            let mut state = conversation.state();
            if act != Act::Send && state.is_busy() {
                return Err(turn_running());
            }
            if state.waiting() >= TURNS_WAITING {
                let message = format!("{TURNS_WAITING} messages wait already: let the agent answer some first.");
                return Err(ChannelError::new("queue_full", message));
            }
            let last = state.turns.last().map_or(0, |turn| turn.record.at);
            let at = self.inner.clock.now().max(last + 1);
            // One durable write less before the first word where the agent gets it at once.
            let at_once = !state.is_busy() && !state.working && !state.locking && self.inner.seat.is_ready();
            let stage = if at_once { Stage::Sent } else { Stage::Waiting };
            let titled = state.record.title.is_empty();
            if titled {
                state.record.title = title::automatic(&text);
                changes.put_conversation(&state.record);
            }
            let mut turn = TurnRecord::new(key, at, state.last_key(), text, act, stage);
            turn.functions = offer;
            (turn, titled, at_once)
        };
        changes.put_turn(&conversation.id, &turn);
        let ahead = if at_once { self.ahead(conversation, &turn) } else { None };
        self.inner.journal.write(&mut changes).await?;
        self.inner.vault.touch();

        let at = turn.at;
        let accepted = ChatEventKind::Accepted {
            message: transcript::user_message(&turn),
            replaces: match &turn.act {
                Act::Send => None,
                Act::Replace { message } => Some(message.clone()),
            },
        };
        {
            let mut state = conversation.state();
            let key = turn.key.clone();
            state.turns.push(Turn {
                record: turn,
                pending: true,
                ahead,
                answered: false,
                unresolved: false,
                unwritten: false,
            });
            state.tell(&conversation.id, &key, [accepted]);
        }
        if titled {
            self.list_changed();
        }
        self.work(conversation);
        Ok(Accepted { at, again: false })
    }
}

fn idle(conversation: &Conversation) -> Result<(), ChannelError> {
    if conversation.state().is_busy() {
        Err(turn_running())
    } else {
        Ok(())
    }
}

fn turn_running() -> ChannelError {
    let message = "The agent is still answering in this conversation: stop it first.";
    ChannelError::new("turn_running", message)
}

fn unknown_message() -> ChannelError {
    ChannelError::new(
        "unknown_message",
        "This message is not in the conversation any more: reload it.",
    )
}
