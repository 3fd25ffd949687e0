//! Showing a conversation: its messages as OpenClaw and the journal have them, and what happens from now on.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::channel::ChannelError;
use protocol::chat::Message;

use super::conversation::{Conversation, Listener};
use super::journal::Changes;
use super::methods::{Opened, RunningTurn};
use super::{Chat, size, transcript};
use crate::gateway::{GatewayError, History};
use crate::limits::{GATEWAY_RETRY, HISTORY_ATTEMPTS};

/// A conversation at one moment.
struct Snapshot {
    messages: Vec<Message>,
    /// The number of the last event that they include.
    seq: u64,
    running: Option<RunningTurn>,
    /// Turns that are answered, and in no sealed home yet.
    saving: Vec<String>,
    /// Why they could not be sealed so far.
    not_saved: Option<String>,
}

impl Chat {
    /// The messages of a conversation, and its events from now on. With `after`, the events since then instead, if they
    /// are still held; with `before`, older messages.
    pub(super) async fn open(
        &self,
        conversation: &str,
        after: Option<u64>,
        before: Option<&str>,
        listener: Arc<dyn Listener>,
    ) -> Result<Opened, ChannelError> {
        let conversation = self.find(conversation)?;
        let replay = conversation.state().listen(listener, after);
        self.read(&conversation).await?;
        if replay.replayed {
            let state = conversation.state();
            return Ok(Opened {
                messages: None,
                more: false,
                running: self.running_turn(&state),
                saving: Vec::new(),
                not_saved: None,
                seq: state.seq(),
            });
        }
        let Snapshot {
            mut messages,
            seq,
            running,
            saving,
            not_saved,
        } = self.snapshot(&conversation).await?;
        if let Some(before) = before {
            let at = messages.iter().position(|message| message.id == before);
            messages.truncate(at.unwrap_or(0));
        }
        let (messages, more) = size::page(messages);
        Ok(Opened {
            messages: Some(messages),
            more,
            running,
            saving,
            not_saved,
            seq,
        })
    }

    /// All messages as they are now.
    pub(super) async fn messages(&self, conversation: &Conversation) -> Result<Vec<Message>, ChannelError> {
        Ok(self.snapshot(conversation).await?.messages)
    }

    async fn snapshot(&self, conversation: &Conversation) -> Result<Snapshot, ChannelError> {
        // A turn that ends while the transcript is on its way would be in neither.
        let (history, state) = loop {
            let before = conversation.state().ends;
            let history = self.history(conversation).await?;
            let state = conversation.state();
            if state.ends == before {
                break (history, state);
            }
        };
        let live = state.running_messages();
        let running_key = state.running.as_ref().map(|running| running.key.as_str());
        let without: HashSet<&str> = running_key.into_iter().collect();
        let mut messages = transcript::messages(&history.entries, &without);
        let kept = state
            .turns
            .iter()
            .filter(|turn| !turn.answered && Some(turn.record.key.as_str()) != running_key);
        transcript::overlay(&mut messages, kept.map(|turn| &turn.record));
        messages.extend(live.into_iter().flatten());
        let answered = state.turns.iter().filter(|turn| turn.answered);
        Ok(Snapshot {
            messages,
            seq: state.seq(),
            running: self.running_turn(&state),
            saving: answered.map(|turn| turn.record.key.clone()).collect(),
            not_saved: state.not_saved.clone(),
        })
    }

    /// The transcript. An agent that went away is asked again when it is back.
    pub(super) async fn history(&self, conversation: &Conversation) -> Result<History, ChannelError> {
        let mut attempts = 0;
        loop {
            let gateway = self.inner.seat.ready().await?;
            match gateway.history(&conversation.session).await {
                Err(GatewayError::Closed | GatewayError::Starting { .. }) if attempts < HISTORY_ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(GATEWAY_RETRY).await;
                }
                history => return history.map_err(super::work::gateway_failed),
            }
        }
    }

    /// The person has seen the newest answer.
    async fn read(&self, conversation: &Conversation) -> Result<(), ChannelError> {
        let mut changes = Changes::default();
        {
            let mut state = conversation.state();
            if state.record.answered <= state.record.read {
                return Ok(());
            }
            state.record.read = self.inner.clock.now().max(state.record.answered);
            changes.put_conversation(&state.record);
        }
        self.inner.journal.write(&mut changes).await?;
        self.list_changed();
        Ok(())
    }

    fn running_turn(&self, state: &super::conversation::State) -> Option<RunningTurn> {
        state.running.as_ref().map(|running| RunningTurn {
            turn: running.key.clone(),
            started: running.started,
            calls: self.inner.functions.asked(&running.key),
        })
    }
}
