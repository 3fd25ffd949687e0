//! After a restart: what became of turns that a keeper before this one gave to the agent.

use std::sync::Arc;

use protocol::chat::{Message, Status};
use tokio::sync::Notify;

use super::Chat;
use super::answer::Answer;
use super::conversation::{Conversation, Running};
use super::ending::{in_transcript, is_silent, silent, told_of};
use super::journal::TurnRecord;
use super::transcript::{self, Found};
use super::work::Locked;

impl Chat {
    /// What became of turns that a keeper before this one gave to the agent.
    pub(super) async fn resolve(&self, conversation: &Arc<Conversation>) -> Result<(), Locked> {
        let under_way = self.inner.seat.turn_started();
        let gateway = match self.inner.seat.ready().await {
            Ok(gateway) => gateway,
            Err(error) if error.code == "vault_locked" => return Err(Locked),
            Err(_) => {
                self.look_again(conversation);
                return Ok(());
            }
        };
        let Ok(history) = gateway.history(&conversation.session).await else {
            self.look_again(conversation);
            return Ok(());
        };
        let unresolved: Vec<TurnRecord> = {
            let state = conversation.state();
            let turns = state.turns.iter().filter(|turn| turn.unresolved);
            turns.map(|turn| turn.record.clone()).collect()
        };
        let alive = unresolved
            .iter()
            .find(|turn| history.running.contains(&turn.key))
            .cloned();
        if alive.is_none() && history.active {
            // Whatever it is at, it is none of these.
            let params = serde_json::json!({"sessionKey": conversation.session});
            if let Err(error) = gateway.call("chat.abort", params).await {
                tracing::debug!(%error, "a run that nobody asked for is not stopped");
            }
        }
        for turn in unresolved.iter().filter(|turn| Some(*turn) != alive.as_ref()) {
            if let Some(known) = conversation.state().turn_mut(&turn.key) {
                known.unresolved = false;
            }
            let there = in_transcript(&history.entries, &turn.key);
            match (transcript::find(&history.entries, &turn.key), there) {
                (Found::Whole, Some(message)) if is_silent(&message) => {
                    let (error, parts) = (Some(silent()), message.parts.clone());
                    self.keep(conversation, turn, Status::Failed, error.clone(), parts)
                        .await;
                    let message = Message {
                        status: Status::Failed,
                        error,
                        ..message
                    };
                    conversation.tell(&turn.key, [told_of(message, false)]);
                }
                (Found::Whole, Some(message)) => {
                    let mut state = conversation.state();
                    // Who read the transcript before has it as interrupted.
                    state.ends += 1;
                    if let Some(known) = state.turn_mut(&turn.key) {
                        known.answered = true;
                    }
                    state.tell(&conversation.id, &turn.key, [told_of(message, true)]);
                }
                (_, there) => {
                    let parts = there.map(|message| message.parts).unwrap_or_default();
                    let mut message = Answer::default().message(&turn.key, turn.at, Status::Interrupted);
                    message.parts.clone_from(&parts);
                    self.keep(conversation, turn, Status::Interrupted, None, parts).await;
                    conversation.tell(&turn.key, [told_of(message, false)]);
                }
            }
        }
        let Some(turn) = alive else {
            self.save(conversation, under_way).await;
            return Ok(());
        };
        // The agent outlived its keeper and is still at it.
        let abort = Arc::new(Notify::new());
        {
            let mut state = conversation.state();
            if let Some(known) = state.turn_mut(&turn.key) {
                known.unresolved = false;
            }
            let mut answer = Answer::default();
            answer.incomplete = true;
            state.running = Some(Running {
                key: turn.key.clone(),
                started: turn.at,
                answer,
                abort: Arc::clone(&abort),
                use_of_vault: self.inner.vault.under_way(),
            });
        }
        let (_offered, _) = self.offered(conversation, &turn);
        let events = gateway.events();
        let end = self.follow(conversation, gateway, events, &turn.key, &abort).await;
        self.end(conversation, &turn, end, under_way).await
    }
}
