//! One cell as the platform holds it: a task that alone changes what runs, and what that task shares with the cell's
//! socket, the proxy and callers.

mod actor;
mod awaited;
mod history;
mod keeper_ops;
mod ladder;
mod pausing;
mod relay_way;
mod start;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::WebSocket;
use protocol::control::{FromKeeper, FromPlatform, KeeperStatus};
use protocol::{CellId, ChannelId, TenantId};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

pub(crate) use actor::Actor;
pub use history::CellEvent;
use history::History;
pub(crate) use relay_way::{NoWay, RelayWay};

use crate::CellsError;

/// What others see of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// No container, no memory.
    Asleep,
    /// Its containers are being started, or its keeper has not reported yet.
    Starting,
    Awake,
    /// The agent is frozen; the keeper answers.
    Paused,
    /// The last start failed; the next wake tries again.
    Failed,
}

/// What others may know of a cell, kept current by its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Published {
    pub state: CellState,
    pub status: Option<KeeperStatus>,
}

pub(crate) type Reply = oneshot::Sender<Result<(), CellsError>>;

/// A keeper's control connection, as its cell's task sees it.
pub(crate) struct Attachment {
    /// Rises with each connection: what an older one still says is not listened to.
    pub generation: u64,
    pub status: KeeperStatus,
    /// Whether it knows `SleepNow`.
    pub sleeps_now: bool,
    /// The same of `SecondDemanded`.
    pub hears_demands: bool,
    /// Closed by dropping it.
    pub to_keeper: mpsc::Sender<FromPlatform>,
}

/// What a cell's task is told.
pub(crate) enum Event {
    Wake(Reply),
    Sleep(Reply),
    /// As `Sleep`, whatever goes on in the cell: its owner may not use it any more.
    SleepNow(Reply),
    /// Freeze the agent now, if it is not in the middle of something.
    Pause(Reply),
    /// Remove everything of the cell for ever, and end.
    Remove(Reply),
    /// Its owner's organisation demands a second person.
    SecondDemanded,
    /// A client wrote while the agent is frozen, or is about to be.
    Used,
    Attached(Attachment),
    FromKeeper {
        generation: u64,
        message: FromKeeper,
    },
    Detached {
        generation: u64,
    },
}

/// What a cell's task shares with its socket, the proxy and callers.
pub(crate) struct Shared {
    pub cell: CellId,
    pub tenant: TenantId,
    pub events: mpsc::Sender<Event>,
    pub published: watch::Sender<Published>,
    pub activity: Activity,
    pub history: History,
    /// One permit a channel.
    pub channels: Arc<Semaphore>,
    pub relay_way: RelayWay,
    /// One permit a question to who knows the people.
    pub questions: Arc<Semaphore>,
    generations: AtomicU64,
    to_keeper: Mutex<Option<mpsc::Sender<FromPlatform>>>,
    waiting: Mutex<HashMap<ChannelId, oneshot::Sender<WebSocket>>>,
}

impl Shared {
    pub fn new(cell: CellId, tenant: TenantId, events: mpsc::Sender<Event>) -> Self {
        Self {
            cell,
            tenant,
            events,
            published: watch::Sender::new(Published {
                state: CellState::Asleep,
                status: None,
            }),
            activity: Activity::new(),
            history: History::new(),
            channels: Arc::new(Semaphore::new(protocol::limits::CHANNELS_PER_CELL)),
            relay_way: RelayWay::new(),
            questions: Arc::new(Semaphore::new(crate::limits::QUESTIONS_PER_CELL)),
            generations: AtomicU64::new(0),
            to_keeper: Mutex::new(None),
            waiting: Mutex::new(HashMap::new()),
        }
    }

    pub fn next_generation(&self) -> u64 {
        self.generations.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn state(&self) -> CellState {
        self.published.borrow().state
    }

    fn set_to_keeper(&self, sender: Option<mpsc::Sender<FromPlatform>>) {
        *self.to_keeper.lock().unwrap_or_else(PoisonError::into_inner) = sender;
    }

    /// The way to the attached keeper.
    pub fn to_keeper(&self) -> Option<mpsc::Sender<FromPlatform>> {
        self.to_keeper.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Registers a channel that a client waits for; the keeper's dial ends the wait.
    pub fn expect_channel(&self, channel: ChannelId) -> oneshot::Receiver<WebSocket> {
        let (sender, receiver) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(channel, sender);
        receiver
    }

    /// Takes a channel that a client waits for, once.
    pub fn take_channel(&self, channel: ChannelId) -> Option<oneshot::Sender<WebSocket>> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&channel)
    }

    /// The keeper is gone for good: whoever waits for it to dial is told at once.
    pub fn forget_channels(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A client wrote something: counts as use, and thaws an agent that is frozen for idleness.
    ///
    /// The task sets `pausing` before it looks at the activity a last time; here the order is the other way round. So
    /// one of the two sees the other.
    pub fn client_wrote(&self) {
        self.activity.touch();
        if self.activity.pausing.load(Ordering::SeqCst) {
            // If the inbox is full, the task finds the activity itself (`Actor::used_since_pause`).
            let _ = self.events.try_send(Event::Used);
        }
    }
}

/// When a cell was last used, by any transport.
pub(crate) struct Activity {
    origin: Instant,
    last_ms: AtomicU64,
    /// The agent is paused, or is about to be.
    pub pausing: AtomicBool,
}

impl Activity {
    fn new() -> Self {
        Self {
            origin: Instant::now(),
            last_ms: AtomicU64::new(0),
            pausing: AtomicBool::new(false),
        }
    }

    pub fn touch(&self) {
        self.last_ms.fetch_max(self.ms(Instant::now()), Ordering::SeqCst);
    }

    /// The keeper wrote to a client. That keeps an awake cell awake and does not wake a paused one, whose keeper tells its
    /// clients that it is paused.
    pub fn keeper_wrote(&self) {
        if !self.pausing.load(Ordering::SeqCst) {
            self.touch();
        }
    }

    pub fn last(&self) -> Instant {
        self.origin + Duration::from_millis(self.last_ms.load(Ordering::SeqCst))
    }

    /// Whether the cell was used at or after a moment.
    pub fn since(&self, moment: Instant) -> bool {
        self.last_ms.load(Ordering::SeqCst) >= self.ms(moment)
    }

    fn ms(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.origin).as_millis()).unwrap_or(u64::MAX)
    }
}
