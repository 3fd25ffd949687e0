//! One conversation in memory: its turns, the answer under way, its latest events, and who listens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::Millis;
use protocol::chat::{ChatEvent, ChatEventKind, Conversation as Row, Message, Status};
use tokio::sync::Notify;

use super::ahead::Ahead;
use super::answer::Answer;
use super::journal::{ConversationRecord, Stage, TurnRecord};
use super::log::EventLog;
use super::size::{fit, pieces};
use super::transcript;
use crate::limits::TEXT_EVENT_BYTES;
use crate::vault_service::UnderWay;

/// Who wants to know what happens: a channel.
pub trait Listener: Send + Sync + 'static {
    /// Names it among all listeners.
    fn id(&self) -> u64;
    /// Tells an event of a conversation; `false` when nobody listens any more.
    fn chat(&self, event: &ChatEvent) -> bool;
    /// Tells that the list of conversations changed; `false` when nobody listens any more.
    fn chats(&self) -> bool;
}

/// One conversation.
pub(super) struct Conversation {
    pub id: String,
    /// What it is called in OpenClaw.
    pub session: String,
    /// Turns are accepted one at a time, in the order in which they came.
    pub accepting: tokio::sync::Mutex<()>,
    /// Told when a turn has ended.
    ended: Notify,
    state: Mutex<State>,
}

pub(super) struct State {
    pub record: ConversationRecord,
    /// What the journal holds, oldest first.
    pub turns: Vec<Turn>,
    pub running: Option<Running>,
    /// A task works through the turns.
    pub working: bool,
    /// A task looks again what became of turns, until it knows.
    pub looking: bool,
    /// The vault is about to lock: no turn begins any more.
    pub locking: bool,
    /// Why the home that holds what is answered could not be sealed.
    pub not_saved: Option<String>,
    /// How many turns have ended since this conversation is in memory.
    pub ends: u64,
    log: EventLog,
    listeners: HashMap<u64, Arc<dyn Listener>>,
}

/// A turn of the journal.
pub(super) struct Turn {
    pub record: TurnRecord,
    /// This keeper has still to give it to the agent.
    pub pending: bool,
    /// It is on its way to the agent already.
    pub ahead: Option<Ahead>,
    /// It is in the home, which is not sealed yet.
    pub answered: bool,
    /// Nobody knows yet how far the agent came with it: it was sent by a keeper that ended.
    pub unresolved: bool,
    /// How it ended could not be written down.
    pub unwritten: bool,
}

/// The turn that the agent works on.
pub(super) struct Running {
    pub key: String,
    pub started: Millis,
    pub answer: Answer,
    pub abort: Arc<Notify>,
    /// While it is heard of, its vault counts as used.
    pub use_of_vault: UnderWay,
}

impl Conversation {
    pub(super) fn new(record: ConversationRecord, turns: Vec<TurnRecord>, now: Millis) -> Self {
        let turns = turns.into_iter().map(|record| Turn {
            pending: record.stage == Stage::Waiting,
            unresolved: record.stage == Stage::Sent,
            ahead: None,
            answered: false,
            unwritten: false,
            record,
        });
        Self {
            id: record.id.clone(),
            session: session_key(&record.id),
            accepting: tokio::sync::Mutex::new(()),
            ended: Notify::new(),
            state: Mutex::new(State {
                record,
                turns: turns.collect(),
                running: None,
                working: false,
                looking: false,
                locking: false,
                not_saved: None,
                ends: 0,
                log: EventLog::new(now),
                listeners: HashMap::new(),
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No turn runs any more.
    pub(super) fn rests(&self, state: &mut State) {
        state.running = None;
        self.ended.notify_waiters();
    }

    /// Waits until no turn runs.
    pub(super) async fn rested(&self) {
        loop {
            let ended = self.ended.notified();
            if self.state().running.is_none() {
                return;
            }
            ended.await;
        }
    }

    /// Numbers events, keeps them and tells who listens.
    pub(super) fn tell(&self, turn: &str, kinds: impl IntoIterator<Item = ChatEventKind>) {
        self.state().tell(&self.id, turn, kinds);
    }
}

impl State {
    pub(super) fn tell(&mut self, conversation: &str, turn: &str, kinds: impl IntoIterator<Item = ChatEventKind>) {
        for kind in kinds.into_iter().flat_map(split) {
            let event = self.log.push(conversation, turn, kind);
            self.listeners.retain(|_, listener| listener.chat(&event));
        }
    }

    /// From now on `listener` hears of this conversation. What it missed since `after` is told at once, if it is held.
    pub(super) fn listen(&mut self, listener: Arc<dyn Listener>, after: Option<u64>) -> Replay {
        let missed = after.and_then(|seq| self.log.after(seq));
        let replayed = missed.is_some();
        for event in missed.into_iter().flatten() {
            listener.chat(&event);
        }
        self.listeners.insert(listener.id(), listener);
        Replay { replayed }
    }

    pub(super) fn seq(&self) -> u64 {
        self.log.seq()
    }

    pub(super) fn is_heard(&self) -> bool {
        !self.listeners.is_empty()
    }

    pub(super) fn turn(&self, key: &str) -> Option<&Turn> {
        self.turns.iter().find(|turn| turn.record.key == key)
    }

    pub(super) fn turn_mut(&mut self, key: &str) -> Option<&mut Turn> {
        self.turns.iter_mut().find(|turn| turn.record.key == key)
    }

    /// When a turn with this key was accepted, if it was.
    pub(super) fn accepted(&self, key: &str) -> Option<Millis> {
        let done = self.record.done.iter().find(|done| done.key == key).map(|done| done.at);
        self.turn(key).map(|turn| turn.record.at).or(done)
    }

    /// The key of the newest turn that is known.
    pub(super) fn last_key(&self) -> Option<String> {
        let done = self.record.done.last().map(|done| (done.at, &done.key));
        let kept = self.turns.last().map(|turn| (turn.record.at, &turn.record.key));
        done.max(kept).map(|(_, key)| key.clone())
    }

    /// Turns that the agent has still to be given.
    pub(super) fn waiting(&self) -> usize {
        self.turns.iter().filter(|turn| turn.pending).count()
    }

    /// Something runs or will.
    pub(super) fn is_busy(&self) -> bool {
        self.running.is_some() || self.waiting() > 0
    }

    pub(super) fn row(&self) -> Row {
        let last = self.turns.last().map_or(0, |turn| turn.record.at);
        Row {
            id: self.record.id.clone(),
            title: self.record.title.clone(),
            updated: self.record.updated.max(last),
            running: self.is_busy(),
            unread: self.record.answered > self.record.read,
        }
    }

    /// The running turn's messages: the person's and the answer so far.
    pub(super) fn running_messages(&self) -> Option<[Message; 2]> {
        let running = self.running.as_ref()?;
        let turn = self.turn(&running.key)?;
        let answer = running.answer.message(&running.key, running.started, Status::Running);
        Some([transcript::user_message(&turn.record), answer])
    }
}

/// Whether missed events were told.
pub(super) struct Replay {
    pub replayed: bool,
}

/// The key of a conversation's session in OpenClaw, which writes keys in lower case.
fn session_key(id: &str) -> String {
    format!("agent:main:conv-{id}")
}

/// No event is larger than a frame.
fn split(kind: ChatEventKind) -> Vec<ChatEventKind> {
    match kind {
        ChatEventKind::Text { delta } if delta.len() > TEXT_EVENT_BYTES => {
            let pieces = pieces(&delta, TEXT_EVENT_BYTES);
            pieces
                .into_iter()
                .map(|piece| ChatEventKind::Text {
                    delta: piece.to_owned(),
                })
                .collect()
        }
        ChatEventKind::Answered { message } => vec![ChatEventKind::Answered { message: fit(message) }],
        ChatEventKind::Aborted { message, saving } => vec![ChatEventKind::Aborted {
            message: message.map(fit),
            saving,
        }],
        ChatEventKind::Interrupted { message } => vec![ChatEventKind::Interrupted {
            message: message.map(fit),
        }],
        kind => vec![kind],
    }
}
