//! How a turn ends: what is told, what the journal keeps of it, and when it is forgotten here because the home has it.

use std::sync::Arc;

use protocol::channel::ChannelError;
use protocol::chat::{ChatEventKind, Message, Status};
use tokio::time::timeout;

use super::answer::Answer;
use super::conversation::{Conversation, State};
use super::follow::End;
use super::journal::{Changes, Stage, TurnRecord};
use super::transcript::{self, Found};
use super::work::{Locked, not_ready};
use super::{Chat, NOT_SAVED, TurnUnderWay, failure};
use crate::limits::NEXT_TURN_AFTER;

impl Chat {
    /// Writes down how a turn ended and tells it.
    pub(super) async fn end(
        &self,
        conversation: &Conversation,
        turn: &TurnRecord,
        end: End,
        under_way: Box<dyn TurnUnderWay>,
    ) -> Result<(), Locked> {
        let locking = conversation.state().locking;
        // Not begun yet: it goes on after the next unlock.
        let waits = locking && matches!(end, End::NotGiven(..)) && turn.stage == Stage::Waiting;
        if matches!(end, End::Locked) || waits {
            let mut state = conversation.state();
            conversation.rests(&mut state);
            if let Some(known) = state.turn_mut(&turn.key) {
                known.pending = known.record.stage == Stage::Waiting;
                known.unresolved = !known.pending;
            }
            return Err(Locked);
        }
        let (status, error, whole) = match end {
            End::Answered => (Status::Done, None, true),
            End::NotGiven(Status::Aborted, _) if locking => (Status::Interrupted, Some(locked_meanwhile()), false),
            End::NotGiven(status, error) => (status, error, false),
            End::Aborted if locking => (Status::Interrupted, Some(locked_meanwhile()), false),
            End::Aborted => (Status::Aborted, None, self.is_whole(conversation, turn).await),
            End::Failed(error) => {
                // OpenClaw's transcript does not have the provider's own words.
                let told = conversation
                    .state()
                    .running
                    .as_ref()
                    .is_some_and(|running| running.answer.provider_said.is_some());
                let whole = !told && self.is_whole(conversation, turn).await;
                (Status::Failed, Some(error), whole)
            }
            // The agent may have ended the turn in any way before it went: its transcript says in which.
            End::Gone => match self.ended_in_transcript(conversation, turn).await {
                Some(message) => (message.status, message.error, true),
                None => (Status::Interrupted, None, false),
            },
            End::Locked => (Status::Interrupted, None, false),
        };
        let message = self.whole_message(conversation, turn, status).await;
        self.tell_end(
            conversation,
            turn,
            Ended {
                status,
                error,
                whole,
                message,
            },
            under_way,
        )
        .await;
        Ok(())
    }

    /// Tells and keeps what a turn came to.
    async fn tell_end(
        &self,
        conversation: &Conversation,
        turn: &TurnRecord,
        ended: Ended,
        under_way: Box<dyn TurnUnderWay>,
    ) {
        let now = self.inner.clock.now();
        let Ended {
            status,
            error,
            whole,
            mut message,
        } = ended.or_silent();
        message.status = status;
        message.error.clone_from(&error);
        if !whole {
            self.keep(conversation, turn, status, error, message.parts.clone())
                .await;
        }
        let told = told_of(message, whole);
        {
            let mut state = conversation.state();
            conversation.rests(&mut state);
            state.ends += 1;
            if let Some(known) = state.turn_mut(&turn.key) {
                known.answered = whole;
            }
            state.record.updated = now;
            state.record.answered = now;
            if state.is_heard() {
                state.record.read = now;
            }
            state.tell(&conversation.id, &turn.key, [told]);
        }
        self.list_changed();
        self.save(conversation, under_way).await;
    }

    /// The answer as it is shown from now on; where events were missed, as the transcript has it.
    async fn whole_message(&self, conversation: &Conversation, turn: &TurnRecord, status: Status) -> Message {
        let live = {
            let state = conversation.state();
            let running = state.running.as_ref().filter(|running| running.key == turn.key);
            running.map(|running| {
                (
                    running.answer.message(&turn.key, running.started, status),
                    running.answer.incomplete,
                )
            })
        };
        match live {
            // Of a turn that was broken off, what was heard is more than what was written down.
            Some((message, _)) if status == Status::Interrupted && !message.parts.is_empty() => message,
            Some((message, false)) if status != Status::Done || !message.parts.is_empty() => message,
            live => {
                let known = self.in_agents_transcript(conversation, &turn.key).await;
                let mut message = known.unwrap_or_else(|| {
                    let empty = || Answer::default().message(&turn.key, turn.at, status);
                    live.map_or_else(empty, |(message, _)| message)
                });
                message.status = status;
                message
            }
        }
    }

    async fn in_agents_transcript(&self, conversation: &Conversation, key: &str) -> Option<Message> {
        // Nobody waits for an agent that starts to hear that a turn is over.
        if !self.inner.seat.is_ready() {
            return None;
        }
        let history = self.history(conversation).await.ok()?;
        in_transcript(&history.entries, key)
    }

    /// How much of a turn the agent has.
    pub(super) async fn found(&self, conversation: &Conversation, key: &str) -> Result<Found, End> {
        let history = self
            .history(conversation)
            .await
            .map_err(|error| match not_ready(error) {
                End::Locked => End::Locked,
                _ => End::Gone,
            })?;
        Ok(transcript::find(&history.entries, key))
    }

    /// The answer to a turn that the agent's transcript holds to its end.
    async fn ended_in_transcript(&self, conversation: &Conversation, turn: &TurnRecord) -> Option<Message> {
        if !self.is_whole(conversation, turn).await {
            return None;
        }
        self.in_agents_transcript(conversation, &turn.key).await
    }

    async fn is_whole(&self, conversation: &Conversation, turn: &TurnRecord) -> bool {
        if !self.inner.seat.is_ready() {
            return false;
        }
        matches!(self.found(conversation, &turn.key).await, Ok(Found::Whole))
    }

    /// Keeps in the journal what the transcript does not have.
    pub(super) async fn keep(
        &self,
        conversation: &Conversation,
        turn: &TurnRecord,
        status: Status,
        error: Option<ChannelError>,
        parts: Vec<protocol::chat::Part>,
    ) {
        let mut turn = turn.clone();
        // Nobody calls them any more.
        turn.functions = None;
        turn.stage = Stage::Ended { status, error, parts };
        let mut changes = Changes::default();
        changes.put_turn(&conversation.id, &turn);
        let written = self.inner.journal.write(&mut changes).await;
        if let Err(error) = &written {
            // It stays `Sent` there, and is looked up again after the next unlock.
            tracing::warn!(code = error.code(), "how a turn ended is not written down");
        }
        if let Some(known) = conversation.state().turn_mut(&turn.key) {
            known.record = turn;
            known.unwritten = written.is_err();
        }
    }

    /// Has the home sealed, and then forgets the turns that are in it. The next turn does not wait for long. Before a lock the lock does it.
    pub(super) async fn save(&self, conversation: &Conversation, under_way: Box<dyn TurnUnderWay>) {
        if conversation.state().locking {
            return;
        }
        let Some(conversation) = self.shared(conversation) else {
            return;
        };
        let chat = self.clone();
        let saving = tokio::spawn(async move {
            let covered: Vec<String> = {
                let state = conversation.state();
                let answered = state.turns.iter().filter(|turn| turn.answered);
                answered.map(|turn| turn.record.key.clone()).collect()
            };
            match under_way.finished().await {
                Ok(()) => chat.saved(&conversation, &covered).await,
                Err(error) => chat.not_saved(&conversation, covered, error),
            }
        });
        let _ = timeout(NEXT_TURN_AFTER, saving).await;
    }

    /// Says why these turns are not in a sealed home, and goes on to wait until they are.
    fn not_saved(&self, conversation: &Arc<Conversation>, keys: Vec<String>, error: ChannelError) {
        tracing::warn!(code = error.code, "a turn is answered but not sealed");
        // A vault that was locked meanwhile has nothing to tell, and the next unlock looks how far each turn came.
        if error.code != NOT_SAVED {
            return;
        }
        {
            let mut state = conversation.state();
            for key in &keys {
                let message = error.message.clone();
                state.tell(&conversation.id, key, [ChatEventKind::NotSaved { message }]);
            }
            state.not_saved = Some(error.message);
        }
        let (chat, conversation) = (self.clone(), Arc::clone(conversation));
        tokio::spawn(async move {
            if chat.inner.seat.saved_at_last().await.is_ok() {
                chat.saved(&conversation, &keys).await;
            }
        });
    }

    /// The sealed home holds these turns.
    async fn saved(&self, conversation: &Arc<Conversation>, keys: &[String]) {
        let _one = self.inner.completing.lock().await;
        if !self.is_held(conversation) {
            return;
        }
        let mut changes = Changes::default();
        // Those that a later seal has covered already were told.
        let mut keys = keys.to_vec();
        {
            let mut state = conversation.state();
            keys.retain(|key| state.turn(key).is_some());
            self.complete(&mut state, &keys, &mut changes);
        }
        if let Err(error) = self.inner.journal.write(&mut changes).await {
            tracing::warn!(code = error.code(), "a sealed turn is not marked as complete");
            return;
        }
        let mut state = conversation.state();
        state.not_saved = None;
        state.turns.retain(|turn| !keys.contains(&turn.record.key));
        for key in &keys {
            state.tell(&conversation.id, key, [ChatEventKind::Saved]);
        }
    }

    /// Turns leave the journal, and their keys are known when they come again. Only under `completing`.
    pub(super) fn complete(&self, state: &mut State, keys: &[String], changes: &mut Changes) {
        let id = state.record.id.clone();
        for key in keys {
            let Some(at) = state.turn(key).map(|turn| turn.record.at) else {
                continue;
            };
            if let Some(oldest) = state.record.complete(key, at) {
                let mut long_ago = self.keys();
                long_ago.remember(&id, &oldest);
                changes.put_keys(&long_ago);
            }
            changes.delete_turn(&id, key);
        }
        changes.put_conversation(&state.record);
    }

    /// Whether this is what is in memory now: after a lock and an unlock another knows better.
    pub(super) fn is_held(&self, conversation: &Conversation) -> bool {
        self.shared(conversation)
            .is_some_and(|held| std::ptr::eq(&raw const *held, conversation))
    }

    /// The conversation as it is held now: nothing while the vault is locked.
    fn shared(&self, conversation: &Conversation) -> Option<Arc<Conversation>> {
        let mut shelf = self.shelf();
        self.loaded(&mut shelf).ok()?.get(&conversation.id).cloned()
    }
}

/// What a turn came to.
struct Ended {
    status: Status,
    error: Option<ChannelError>,
    /// The agent's transcript has all of it.
    whole: bool,
    message: Message,
}

impl Ended {
    fn or_silent(self) -> Self {
        if self.status != Status::Done || !is_silent(&self.message) {
            return self;
        }
        Self {
            status: Status::Failed,
            error: Some(silent()),
            whole: false,
            ..self
        }
    }
}

/// An answer without a word or a tool call is none.
pub(super) fn is_silent(message: &Message) -> bool {
    message.status == Status::Done && message.parts.is_empty() && message.error.is_none()
}

pub(super) fn silent() -> ChannelError {
    ChannelError::new("agent_silent", "The agent ended without an answer: ask again.")
}

fn locked_meanwhile() -> ChannelError {
    let message = "Your vault was locked while your agent was answering, so it stopped here. Ask again to go on.";
    ChannelError::new("locked_meanwhile", message)
}

/// How everybody hears of an end. `whole`: the agent's transcript has it, and it is still to be sealed.
pub(super) fn told_of(message: Message, whole: bool) -> ChatEventKind {
    match message.status {
        Status::Done => ChatEventKind::Answered { message },
        Status::Aborted => ChatEventKind::Aborted {
            message: Some(message),
            saving: whole,
        },
        Status::Failed => {
            let error = message.error.unwrap_or_else(|| failure::of_run("", None));
            ChatEventKind::Failed {
                code: error.code,
                message: error.message,
                saving: whole,
            }
        }
        Status::Interrupted | Status::Running => ChatEventKind::Interrupted { message: Some(message) },
    }
}

/// The answer to a turn as the agent's transcript has it.
pub(super) fn in_transcript(entries: &[crate::gateway::Entry], key: &str) -> Option<Message> {
    let id = transcript::assistant_id(key);
    let messages = transcript::messages(entries, &std::collections::HashSet::new());
    messages.into_iter().find(|message| message.id == id)
}
