//! Working through the turns of one conversation: one at a time, in order, whether anybody looks or not.

use std::sync::Arc;
use std::time::Duration;

use protocol::channel::ChannelError;
use protocol::chat::{ChatEventKind, Message, Status};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::answer::Answer;
use super::conversation::{Conversation, Running};
use super::follow::{End, followed};
use super::journal::{Act, Changes, Stage, TurnRecord};
use super::transcript::{self, Found};
use super::{Chat, TurnUnderWay, failure};
use crate::gateway::{Gateway, GatewayError, SendStatus};
use crate::limits::{GATEWAY_RETRY, GATEWAY_RETRY_FOR, NEXT_TURN_AFTER};

/// What there is to do next.
enum Job {
    Delete,
    Resolve,
    Turn(TurnRecord, Arc<Notify>),
}

/// The vault locked: what is not done goes on after the next unlock.
struct Locked;

impl Chat {
    /// Starts the task that works through the turns, unless it runs already or there is nothing to do.
    pub(super) fn work(&self, conversation: &Arc<Conversation>) {
        {
            let mut state = conversation.state();
            let undone = state.record.deleted || state.turns.iter().any(|turn| turn.pending || turn.unresolved);
            if state.working || !undone {
                return;
            }
            state.working = true;
        }
        let (chat, conversation) = (self.clone(), Arc::clone(conversation));
        tokio::spawn(async move { chat.work_through(&conversation).await });
    }

    async fn work_through(&self, conversation: &Arc<Conversation>) {
        let mut resolving = true;
        while let Some(job) = self.next_job(conversation, resolving) {
            let done = match job {
                Job::Delete => match self.remove(conversation).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(code = error.code, "a conversation is not deleted yet");
                        Err(Locked)
                    }
                },
                Job::Resolve => {
                    resolving = false;
                    self.resolve(conversation).await
                }
                Job::Turn(turn, abort) => self.turn(conversation, turn, &abort).await,
            };
            if done.is_err() {
                conversation.state().working = false;
                return;
            }
        }
    }

    /// Picks the next thing to do; with nothing left, the task is over.
    fn next_job(&self, conversation: &Conversation, resolving: bool) -> Option<Job> {
        let mut state = conversation.state();
        if state.record.deleted {
            return Some(Job::Delete);
        }
        if resolving && state.turns.iter().any(|turn| turn.unresolved) {
            return Some(Job::Resolve);
        }
        let Some(turn) = state.turns.iter_mut().find(|turn| turn.pending) else {
            state.working = false;
            return None;
        };
        turn.pending = false;
        let record = turn.record.clone();
        let abort = Arc::new(Notify::new());
        state.running = Some(Running {
            key: record.key.clone(),
            started: self.inner.clock.now(),
            answer: Answer::default(),
            abort: Arc::clone(&abort),
        });
        Some(Job::Turn(record, abort))
    }

    /// One turn from beginning to end.
    async fn turn(&self, conversation: &Conversation, mut turn: TurnRecord, abort: &Notify) -> Result<(), Locked> {
        let under_way = self.inner.seat.turn_started();
        self.list_changed();
        let end = match self.give(conversation, &mut turn, abort).await {
            Ok((gateway, events)) => self.follow(conversation, gateway, events, &turn.key, abort).await,
            Err(end) => end,
        };
        self.end(conversation, &turn, end, under_way).await
    }

    /// Gives the turn to the agent.
    async fn give(
        &self,
        conversation: &Conversation,
        turn: &mut TurnRecord,
        abort: &Notify,
    ) -> Result<followed::Run, End> {
        loop {
            let gateway = tokio::select! {
                gateway = self.inner.seat.ready() => gateway.map_err(not_ready)?,
                () = abort.notified() => return Err(End::NotGiven(Status::Aborted, None)),
            };
            self.mark_sent(conversation, turn, &gateway).await?;
            let events = gateway.events();
            let started = tokio::time::Instant::now();
            let sent = loop {
                match gateway.chat_send(&conversation.session, &turn.key, &turn.text).await {
                    Err(error) if is_retryable(&error) && started.elapsed() < GATEWAY_RETRY_FOR => {
                        tokio::time::sleep(GATEWAY_RETRY).await;
                    }
                    sent => break sent,
                }
            };
            match sent {
                Ok(SendStatus::Started | SendStatus::InFlight) => return Ok((gateway, events)),
                Ok(SendStatus::Ended(_)) => return Err(End::Gone),
                Err(GatewayError::Refused { message, .. }) => {
                    return Err(End::NotGiven(Status::Failed, Some(failure::of_run(&message, None))));
                }
                // The agent went away. It may have got the turn: only its transcript knows.
                Err(_) => match self.found(conversation, &turn.key).await? {
                    Found::Nothing => {}
                    Found::Part | Found::Whole => return Err(End::Gone),
                },
            }
        }
    }

    /// Writes down that the agent may have the turn, and makes room for one that replaces others.
    async fn mark_sent(
        &self,
        conversation: &Conversation,
        turn: &mut TurnRecord,
        gateway: &Gateway,
    ) -> Result<(), End> {
        let mut changes = Changes::default();
        let mut rewind = None;
        let mut lost = Vec::new();
        if let Act::Replace { message } = &turn.act {
            let history = gateway
                .history(&conversation.session)
                .await
                .map_err(|error| End::NotGiven(Status::Failed, Some(gateway_failed(error))))?;
            let state = conversation.state();
            let orphan = state
                .turns
                .iter()
                .find(|known| &transcript::user_id(&known.record.key) == message);
            let entry = transcript::entry_of(&history.entries, message).or_else(|| {
                let from = orphan?.record.at;
                history
                    .entries
                    .iter()
                    .find(|entry| entry.at >= from && matches!(entry.kind, crate::gateway::EntryKind::User { .. }))
            });
            let from = orphan.map(|orphan| orphan.record.at).or(entry.map(|entry| entry.at));
            let replaced = state
                .turns
                .iter()
                .filter(|known| known.record.key != turn.key && from.is_some_and(|from| known.record.at >= from));
            lost.extend(replaced.map(|known| known.record.key.clone()));
            rewind = entry.map(|entry| entry.id.clone());
        } else {
            self.stop_foreign_run(conversation, gateway).await;
        }
        for key in &lost {
            changes.delete_turn(&conversation.id, key);
        }
        if turn.stage == Stage::Waiting || !lost.is_empty() {
            turn.stage = Stage::Sent;
            changes.put_turn(&conversation.id, turn);
            self.inner
                .journal
                .write(&mut changes)
                .await
                .map_err(|error| not_ready(error.into()))?;
        }
        {
            let mut state = conversation.state();
            state.turns.retain(|known| !lost.contains(&known.record.key));
            if let Some(known) = state.turn_mut(&turn.key) {
                known.record.stage = Stage::Sent;
            }
        }
        if let Some(entry) = rewind {
            gateway
                .rewind(&conversation.session, &entry)
                .await
                .map_err(|error| End::NotGiven(Status::Failed, Some(gateway_failed(error))))?;
        }
        Ok(())
    }

    /// After a crash OpenClaw goes on with the interrupted turn by itself; that is for the person to decide.
    async fn stop_foreign_run(&self, conversation: &Conversation, gateway: &Gateway) {
        let interrupted = |stage: &Stage| {
            matches!(
                stage,
                Stage::Ended {
                    status: Status::Interrupted,
                    ..
                }
            )
        };
        if !conversation
            .state()
            .turns
            .iter()
            .any(|turn| turn.unresolved || interrupted(&turn.record.stage))
        {
            return;
        }
        let params = serde_json::json!({"sessionKey": conversation.session});
        if let Err(error) = gateway.call("chat.abort", params).await {
            tracing::debug!(%error, "no run of the agent's own was stopped");
        }
    }

    /// What became of turns that a keeper before this one gave to the agent.
    async fn resolve(&self, conversation: &Conversation) -> Result<(), Locked> {
        let under_way = self.inner.seat.turn_started();
        let gateway = match self.inner.seat.ready().await {
            Ok(gateway) => gateway,
            Err(error) if error.code == "vault_locked" => return Err(Locked),
            Err(_) => return Ok(()),
        };
        let Ok(history) = gateway.history(&conversation.session).await else {
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
            self.stop_foreign_run(conversation, &gateway).await;
        }
        for turn in unresolved.iter().filter(|turn| Some(*turn) != alive.as_ref()) {
            if let Some(known) = conversation.state().turn_mut(&turn.key) {
                known.unresolved = false;
            }
            match transcript::find(&history.entries, &turn.key) {
                Found::Whole => {
                    if let Some(known) = conversation.state().turn_mut(&turn.key) {
                        known.answered = true;
                    }
                }
                Found::Part | Found::Nothing => {
                    let message = in_transcript(&history.entries, &turn.key);
                    let parts = message.map(|message| message.parts).unwrap_or_default();
                    self.keep(conversation, turn, Status::Interrupted, None, parts).await;
                    let message = Answer::default().message(&turn.key, turn.at, Status::Interrupted);
                    conversation.tell(&turn.key, [ChatEventKind::Interrupted { message: Some(message) }]);
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
            });
        }
        let events = gateway.events();
        let end = self.follow(conversation, gateway, events, &turn.key, &abort).await;
        self.end(conversation, &turn, end, under_way).await
    }

    /// Writes down how a turn ended and tells it.
    async fn end(
        &self,
        conversation: &Conversation,
        turn: &TurnRecord,
        end: End,
        under_way: Box<dyn TurnUnderWay>,
    ) -> Result<(), Locked> {
        if matches!(end, End::Locked) {
            let mut state = conversation.state();
            state.running = None;
            if let Some(known) = state.turn_mut(&turn.key) {
                known.pending = known.record.stage == Stage::Waiting;
                known.unresolved = !known.pending;
            }
            return Err(Locked);
        }
        let now = self.inner.clock.now();
        let (status, error, whole) = match end {
            End::Answered { .. } => (Status::Done, None, true),
            End::NotGiven(status, error) => (status, error, false),
            End::Aborted => (Status::Aborted, None, self.is_whole(conversation, turn).await),
            End::Failed(error) => (Status::Failed, Some(error), self.is_whole(conversation, turn).await),
            End::Gone if self.is_whole(conversation, turn).await => (Status::Done, None, true),
            End::Gone | End::Locked => (Status::Interrupted, None, false),
        };
        let mut message = self.whole_message(conversation, turn, status).await;
        message.error.clone_from(&error);
        if !whole {
            self.keep(conversation, turn, status, error.clone(), message.parts.clone())
                .await;
        }
        let told = match status {
            Status::Done => ChatEventKind::Answered { message },
            Status::Aborted => ChatEventKind::Aborted { message: Some(message) },
            Status::Failed => {
                let error = error.unwrap_or_else(|| failure::of_run("", None));
                ChatEventKind::Failed {
                    code: error.code,
                    message: error.message,
                }
            }
            Status::Interrupted | Status::Running => ChatEventKind::Interrupted { message: Some(message) },
        };
        {
            let mut state = conversation.state();
            state.running = None;
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
        self.inner.vault.touch();
        self.save(conversation, under_way).await;
        Ok(())
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
            Some((message, false)) => message,
            live => {
                let known = self.from_transcript(conversation, &turn.key).await;
                let mut message = known.unwrap_or_else(|| {
                    let empty = || Answer::default().message(&turn.key, turn.at, status);
                    live.map_or_else(empty, |(message, _)| message)
                });
                message.status = status;
                message
            }
        }
    }

    async fn from_transcript(&self, conversation: &Conversation, key: &str) -> Option<Message> {
        let gateway = self.inner.seat.ready().await.ok()?;
        let history = gateway.history(&conversation.session).await.ok()?;
        in_transcript(&history.entries, key)
    }

    /// How much of a turn the agent has.
    async fn found(&self, conversation: &Conversation, key: &str) -> Result<Found, End> {
        let gateway = self.inner.seat.ready().await.map_err(not_ready)?;
        let history = gateway.history(&conversation.session).await.map_err(|_| End::Gone)?;
        Ok(transcript::find(&history.entries, key))
    }

    async fn is_whole(&self, conversation: &Conversation, turn: &TurnRecord) -> bool {
        if !self.inner.seat.is_ready() {
            return false;
        }
        matches!(self.found(conversation, &turn.key).await, Ok(Found::Whole))
    }

    /// Keeps in the journal what the transcript does not have.
    async fn keep(
        &self,
        conversation: &Conversation,
        turn: &TurnRecord,
        status: Status,
        error: Option<ChannelError>,
        parts: Vec<protocol::chat::Part>,
    ) {
        let mut turn = turn.clone();
        turn.stage = Stage::Ended { status, error, parts };
        let mut changes = Changes::default();
        changes.put_turn(&conversation.id, &turn);
        if let Err(error) = self.inner.journal.write(&mut changes).await {
            // It stays `Sent` there, and is looked up again after the next unlock.
            tracing::warn!(code = error.code(), "how a turn ended is not written down");
        }
        if let Some(known) = conversation.state().turn_mut(&turn.key) {
            known.record = turn;
        }
    }

    /// Has the home sealed, and then forgets the turns that are in it. The next turn does not wait for long.
    async fn save(&self, conversation: &Conversation, under_way: Box<dyn TurnUnderWay>) {
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
                Err(error) => tracing::warn!(code = error.code, "a turn is answered but not sealed"),
            }
        });
        let _ = timeout(NEXT_TURN_AFTER, saving).await;
    }

    /// The sealed home holds these turns.
    async fn saved(&self, conversation: &Conversation, keys: &[String]) {
        let mut changes = Changes::default();
        {
            let mut state = conversation.state();
            for key in keys {
                let Some(at) = state.turn(key).map(|turn| turn.record.at) else {
                    continue;
                };
                state.record.complete(key, at);
                changes.delete_turn(&conversation.id, key);
            }
            changes.put_conversation(&state.record);
        }
        if let Err(error) = self.inner.journal.write(&mut changes).await {
            tracing::warn!(code = error.code(), "a sealed turn is not marked as complete");
            return;
        }
        let mut state = conversation.state();
        state.turns.retain(|turn| !keys.contains(&turn.record.key));
        for key in keys {
            state.tell(&conversation.id, key, [ChatEventKind::Saved]);
        }
    }

    fn shared(&self, conversation: &Conversation) -> Option<Arc<Conversation>> {
        self.shelf().conversations.as_ref()?.get(&conversation.id).cloned()
    }
}

fn in_transcript(entries: &[crate::gateway::Entry], key: &str) -> Option<Message> {
    let id = transcript::assistant_id(key);
    let messages = transcript::messages(entries, &std::collections::HashSet::new());
    messages.into_iter().find(|message| message.id == id)
}

fn not_ready(error: ChannelError) -> End {
    match error.code.as_str() {
        "vault_locked" | "ending" => End::Locked,
        _ => End::NotGiven(Status::Failed, Some(error)),
    }
}

fn is_retryable(error: &GatewayError) -> bool {
    match error {
        GatewayError::Starting { .. } => true,
        GatewayError::Refused { code, .. } => code == "UNAVAILABLE",
        GatewayError::Closed | GatewayError::TimedOut { .. } | GatewayError::Protocol(_) => false,
    }
}

/// The agent did not do as it was asked.
pub(super) fn gateway_failed(error: GatewayError) -> ChannelError {
    match error {
        GatewayError::Refused { message, .. } => ChannelError::new("agent_refused", message),
        other => {
            let mut refused = ChannelError::new("agent_unreachable", format!("The agent does not answer: {other}."));
            refused.retry_after_ms = Some(u64::try_from(Duration::from_secs(2).as_millis()).unwrap_or_default());
            refused
        }
    }
}
