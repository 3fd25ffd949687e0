//! Working through the turns of one conversation: one at a time, in order, whether anybody looks or not.

use std::sync::Arc;
use std::time::Duration;

use protocol::channel::ChannelError;
use protocol::chat::Status;
use tokio::sync::Notify;

use super::ahead::{Ahead, Sent};
use super::answer::Answer;
use super::conversation::{Conversation, Running};
use super::follow::{End, followed};
use super::functions::Offered;
use super::journal::{Act, Changes, Stage, TurnRecord};
use super::transcript::{self, Found};
use super::{Chat, failure};
use crate::gateway::{Gateway, GatewayError, SendStatus};
use crate::limits::{AGENT_AGAIN_FIRST, AGENT_AGAIN_LONGEST};

/// What there is to do next.
enum Job {
    Delete,
    Resolve,
    Turn(Box<TurnRecord>, Option<Ahead>, Arc<Notify>),
}

/// The vault locked: what is not done goes on after the next unlock.
pub(super) struct Locked;

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
        let mut rest = AGENT_AGAIN_FIRST;
        while let Some(job) = self.next_job(conversation, resolving) {
            let done = match job {
                Job::Delete => match self.remove(conversation).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(code = error.code, "a conversation is not deleted yet");
                        self.rested(conversation, &mut rest).await
                    }
                },
                Job::Resolve => {
                    resolving = false;
                    self.resolve(conversation).await
                }
                Job::Turn(turn, ahead, abort) => self.turn(conversation, *turn, ahead, &abort).await,
            };
            if done.is_err() {
                conversation.state().working = false;
                return;
            }
        }
    }

    /// Waits before a deletion is tried again, longer each time; whatever locked meanwhile takes it up by itself.
    async fn rested(&self, conversation: &Arc<Conversation>, rest: &mut Duration) -> Result<(), Locked> {
        tokio::time::sleep(*rest).await;
        *rest = (*rest * 2).min(AGENT_AGAIN_LONGEST);
        self.is_held(conversation).then_some(()).ok_or(Locked)
    }

    /// Nobody could say what became of turns: it is looked again from time to time, beside what goes on in the conversation.
    pub(super) fn look_again(&self, conversation: &Arc<Conversation>) {
        if std::mem::replace(&mut conversation.state().looking, true) {
            return;
        }
        // After a lock nothing of it stays in memory.
        let (chat, conversation) = (self.clone(), Arc::downgrade(conversation));
        tokio::spawn(async move {
            let mut rest = AGENT_AGAIN_FIRST;
            loop {
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(AGENT_AGAIN_LONGEST);
                let held = conversation.upgrade().filter(|conversation| chat.is_held(conversation));
                let Some(conversation) = held else { return };
                {
                    let mut state = conversation.state();
                    if !state.turns.iter().any(|turn| turn.unresolved) {
                        state.looking = false;
                        return;
                    }
                }
                chat.work(&conversation);
            }
        });
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
        let locking = state.locking;
        let Some(turn) = state.turns.iter_mut().find(|turn| turn.pending && !locking) else {
            state.working = false;
            return None;
        };
        turn.pending = false;
        let (record, ahead) = (turn.record.clone(), turn.ahead.take());
        let abort = Arc::new(Notify::new());
        state.running = Some(Running {
            key: record.key.clone(),
            started: self.inner.clock.now(),
            answer: Answer::default(),
            abort: Arc::clone(&abort),
            use_of_vault: self.inner.vault.under_way(),
        });
        Some(Job::Turn(Box::new(record), ahead, abort))
    }

    /// One turn from beginning to end.
    async fn turn(
        &self,
        conversation: &Arc<Conversation>,
        mut turn: TurnRecord,
        ahead: Option<Ahead>,
        abort: &Notify,
    ) -> Result<(), Locked> {
        let (under_way, sent) = match ahead.and_then(Ahead::taken) {
            Some((under_way, sent)) => (under_way, Some(sent)),
            None => {
                tokio::select! {
                    () = self.inner.seat.settled() => {}
                    // Heard below.
                    () = abort.notified() => abort.notify_one(),
                }
                (self.inner.seat.turn_started(), None)
            }
        };
        self.list_changed();
        let (_offered, words) = self.offered(conversation, &turn);
        let end = match self.give(conversation, &mut turn, &words, sent, abort).await {
            Ok((gateway, events)) => self.follow(conversation, gateway, events, &turn.key, abort).await,
            Err(end) => end,
        };
        self.end(conversation, &turn, end, under_way).await
    }

    /// Lets the agent call what the client offers for a turn; and the words that the agent is given.
    pub(super) fn offered(&self, conversation: &Arc<Conversation>, turn: &TurnRecord) -> (Option<Offered>, String) {
        match &turn.functions {
            None => (None, turn.text.clone()),
            Some(offer) => {
                let functions = &self.inner.functions;
                let (offered, words) = functions.offer(conversation, &turn.key, &turn.text, offer);
                (Some(offered), words)
            }
        }
    }

    /// Gives the turn to the agent, unless that was begun before.
    async fn give(
        &self,
        conversation: &Conversation,
        turn: &mut TurnRecord,
        words: &str,
        mut ahead: Option<Sent>,
        abort: &Notify,
    ) -> Result<followed::Run, End> {
        loop {
            let Sent {
                gateway,
                events,
                answer,
            } = match ahead.take() {
                Some(sent) => sent,
                None => {
                    let gateway = tokio::select! {
                        biased;
                        () = abort.notified() => return Err(End::NotGiven(Status::Aborted, None)),
                        gateway = self.inner.seat.ready() => gateway.map_err(not_ready)?,
                    };
                    self.mark_sent(conversation, turn, &gateway).await?;
                    Sent::to(gateway, &conversation.session, &turn.key, words)
                }
            };
            let sent = answer.await.unwrap_or(Err(GatewayError::Closed));
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
        }
        let mut one = None;
        if !lost.is_empty() {
            one = Some(self.inner.completing.lock().await);
            if !self.is_held(conversation) {
                return Err(End::Locked);
            }
            self.complete(&mut conversation.state(), &lost, &mut changes);
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
        drop(one);
        if let Some(entry) = rewind {
            gateway
                .rewind(&conversation.session, &entry)
                .await
                .map_err(|error| End::NotGiven(Status::Failed, Some(gateway_failed(error))))?;
        }
        Ok(())
    }
}

pub(super) fn not_ready(error: ChannelError) -> End {
    match error.code.as_str() {
        "vault_locked" | "ending" => End::Locked,
        _ => End::NotGiven(Status::Failed, Some(error)),
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
