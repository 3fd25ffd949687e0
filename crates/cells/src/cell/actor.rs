//! The task of one cell: the only place that changes what runs. Driver calls are made in line, one after the other; what
//! takes longer (a keeper's answer, a keeper's start) is a stage with a deadline, so that the keeper can ask for things
//! meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::control::{AgentState, ApprovalNotice, FromKeeper, FromPlatform, KeeperStatus, PlatformOp};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::awaited::Awaited;
use super::{Attachment, CellState, Event, Published, Reply, Shared};
use crate::driver::{Driver, DriverError, Part, PartState};
use crate::socket::{CellSocket, SocketService};
use crate::{CellApprovals, CellsConfig, CellsError, limits};

/// How far the cell is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    Asleep,
    /// The containers run; the keeper has not said hello.
    Starting(Awaited),
    /// Found running when the platform started; the keeper has not said hello.
    Adopting(Awaited),
    Awake,
    /// The keeper was asked to suspend the agent.
    Pausing {
        id: u64,
        by: Instant,
        cancelled: bool,
    },
    Paused,
    /// The keeper was asked to seal everything and wipe its keys.
    Sleeping {
        id: u64,
        by: Instant,
        from: BeforeSleep,
    },
    Failed {
        clean_up_at: Option<Instant>,
    },
}

/// Where a cell goes back to when its keeper cannot let it sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BeforeSleep {
    Awake,
    Paused,
}

/// Why the agent's container is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    None,
    /// For a snapshot, asked for by the keeper; never longer than `FREEZE_LIMIT_MS`.
    Freeze {
        until: Instant,
    },
    /// For idleness, or unknown: found frozen when the platform started.
    Pause,
}

/// The task's own state.
pub(crate) struct Actor {
    pub(super) shared: Arc<Shared>,
    pub(super) config: Arc<CellsConfig>,
    pub(super) driver: Arc<dyn Driver>,
    /// `None` in tests of the lifecycle, which attach their keepers themselves.
    pub(super) sockets: Option<SocketService>,
    pub(super) capacity: Arc<Semaphore>,
    pub(super) inbox: mpsc::Receiver<Event>,

    pub(super) stage: Stage,
    pub(super) hold: Hold,
    pub(super) keeper: Option<Attachment>,
    /// A keeper that went away and may come back.
    pub(super) away: Option<Awaited>,
    pub(super) wakers: Vec<Reply>,
    pub(super) sleepers: Vec<Reply>,
    /// The cell sleeps next, whatever its keeper says.
    pub(super) sleeps_now: bool,
    /// Who asked for a pause: answered when it is in force, or did not come about.
    pub(super) pausers: Vec<Reply>,
    pub(super) pause_problem: Option<CellsError>,
    pub(super) ladder_retry_at: Option<Instant>,
    /// When the pause that is under way, or in force, was asked for.
    pub(super) pause_asked: Instant,
    pub(super) wake_at: Option<Instant>,
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// Counts the agents that are prepared, of all cells; and this cell's own permit.
    pub(super) preparing: Arc<Semaphore>,
    pub(super) prepared: Option<OwnedSemaphorePermit>,
    /// When the keeper last told what was done, for the audit log.
    pub(super) deeds_at: Option<Instant>,
    pub(super) socket: Option<CellSocket>,
    pub(super) next_id: u64,
}

impl Actor {
    pub fn new(
        shared: Arc<Shared>,
        config: Arc<CellsConfig>,
        driver: Arc<dyn Driver>,
        sockets: Option<SocketService>,
        capacity: Arc<Semaphore>,
        preparing: Arc<Semaphore>,
        inbox: mpsc::Receiver<Event>,
    ) -> Self {
        Self {
            shared,
            config,
            driver,
            sockets,
            capacity,
            inbox,
            stage: Stage::Asleep,
            hold: Hold::None,
            keeper: None,
            away: None,
            wakers: Vec::new(),
            sleepers: Vec::new(),
            sleeps_now: false,
            pausers: Vec::new(),
            pause_problem: None,
            ladder_retry_at: None,
            pause_asked: Instant::now(),
            wake_at: None,
            permit: None,
            preparing,
            prepared: None,
            deeds_at: None,
            socket: None,
            next_id: 0,
        }
    }

    /// Takes over a cell whose keeper was found running.
    ///
    /// # Errors
    /// [`CellsError::Folder`] if its socket cannot be made again.
    pub async fn adopt(&mut self, agent: PartState) -> Result<(), CellsError> {
        // Over capacity is possible after the operator lowered it: the cell stays, new ones wait.
        self.permit = Arc::clone(&self.capacity).try_acquire_owned().ok();
        self.shared.activity.touch();
        if agent == PartState::Paused {
            self.hold = Hold::Pause;
        }
        self.open_socket().await?;
        self.stage = Stage::Adopting(Awaited::within(limits::REATTACH));
        self.publish();
        Ok(())
    }

    /// Works until told to end. What runs goes on running: the next process adopts it.
    pub async fn run(mut self, end: CancellationToken) {
        loop {
            let deadline = self.next_deadline();
            let event = tokio::select! {
                biased;
                () = end.cancelled() => break,
                event = self.inbox.recv() => event,
                () = at(deadline) => {
                    self.on_time().await;
                    self.publish();
                    self.answer_pausers();
                    continue;
                }
            };
            match event {
                None => break,
                Some(Event::Remove(reply)) => {
                    let result = self.destroy().await;
                    self.publish();
                    self.answer_pausers();
                    let done = result.is_ok();
                    let _ = reply.send(result);
                    if done {
                        self.tell_other_removers();
                        break;
                    }
                }
                Some(event) => {
                    self.on_event(event).await;
                    self.publish();
                    self.answer_pausers();
                }
            }
        }
        let waiting = self.wakers.drain(..).chain(self.sleepers.drain(..));
        for reply in waiting.chain(self.pausers.drain(..)) {
            let _ = reply.send(Err(CellsError::ShuttingDown));
        }
    }

    /// Whoever asked for the same meanwhile has it, too.
    fn tell_other_removers(&mut self) {
        self.inbox.close();
        while let Ok(event) = self.inbox.try_recv() {
            if let Event::Remove(reply) = event {
                let _ = reply.send(Ok(()));
            }
        }
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::Wake(reply) => {
                self.shared.activity.touch();
                self.wakers.push(reply);
                self.wake().await;
            }
            Event::Sleep(reply) => {
                self.sleepers.push(reply);
                self.sleep_if_asked().await;
            }
            Event::SleepNow(reply) => {
                self.sleepers.push(reply);
                self.sleep_whatever_runs().await;
            }
            Event::Pause(reply) => {
                self.pausers.push(reply);
                self.pause_if_asked();
            }
            Event::SecondDemanded if self.keeper.as_ref().is_some_and(|keeper| keeper.hears_demands) => {
                self.tell(FromPlatform::SecondDemanded);
            }
            // Its keeper hears of it with the next channel.
            Event::SecondDemanded => {}
            Event::Used => self.wake().await,
            Event::Attached(attachment) => self.on_attached(attachment).await,
            Event::FromKeeper { generation, message } => {
                if self.keeper.as_ref().is_some_and(|k| k.generation == generation) {
                    self.on_keeper(message).await;
                }
            }
            Event::Detached { generation } => {
                if self.keeper.as_ref().is_some_and(|k| k.generation == generation) {
                    self.on_detached().await;
                }
            }
            // Handled by the loop, which ends after it.
            Event::Remove(_) => {}
        }
    }

    async fn on_keeper(&mut self, message: FromKeeper) {
        match message {
            // The socket takes the first one; a second says what a status says.
            FromKeeper::Hello { status, .. } | FromKeeper::Status(status) => self.on_status(status).await,
            FromKeeper::Request { id, op } => self.on_request(id, op).await,
            FromKeeper::Reply { id, outcome } => self.on_reply(id, outcome).await,
        }
    }

    pub(super) async fn on_status(&mut self, status: KeeperStatus) {
        let was_busy = self.status().is_some_and(|s| s.busy);
        let busy = status.busy;
        if !matches!(status.agent, AgentState::Absent | AgentState::Waiting) {
            // What was prepared is used: from here on the cell's own permit counts it.
            self.prepared = None;
        }
        self.note_wake_at(&status);
        if self.status().is_some_and(|before| before.approvals != status.approvals) {
            self.tell_approvals(&status.approvals);
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.status = status;
        }
        match self.stage {
            // Between `Pause` and its answer the keeper seals, and may call that busy; its answer decides.
            Stage::Pausing { .. } => {}
            Stage::Paused if busy => self.wake().await,
            Stage::Paused => {}
            _ if busy || was_busy => self.shared.activity.touch(),
            _ => {}
        }
    }

    pub(super) fn note_wake_at(&mut self, status: &KeeperStatus) {
        self.wake_at = status.wake_at.map(|at| {
            let wait = at.saturating_sub(crate::now_ms());
            Instant::now() + Duration::from_millis(u64::try_from(wait).unwrap_or(0))
        });
    }

    /// Passes on what waits for the cell's owner. Nobody waits for whoever hears it: what does not fit is said with the next change, or
    /// the next connection.
    pub(super) fn tell_approvals(&self, approvals: &[ApprovalNotice]) {
        let Some(hearer) = &self.config.approvals else { return };
        let told = CellApprovals {
            cell: self.shared.cell,
            tenant: self.shared.tenant,
            approvals: approvals.to_vec(),
        };
        if hearer.try_send(told).is_err() {
            warn!(cell = %self.shared.cell, "what waits for its owner could not be passed on");
        }
    }

    pub(super) fn status(&self) -> Option<&KeeperStatus> {
        self.keeper.as_ref().map(|k| &k.status)
    }

    /// The next moment at which something must happen by itself.
    fn next_deadline(&self) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::Asleep => None,
            Stage::Starting(awaited) | Stage::Adopting(awaited) => Some(awaited.due()),
            Stage::Pausing { by, .. } | Stage::Sleeping { by, .. } => Some(*by),
            Stage::Awake | Stage::Paused => self.ladder_deadline(),
            Stage::Failed { clean_up_at } => *clean_up_at,
        };
        let freeze = match self.hold {
            Hold::Freeze { until } => Some(until),
            _ => None,
        };
        let wake = (self.stage == Stage::Paused).then_some(self.wake_at).flatten();
        let away = self.away.as_ref().map(Awaited::due);
        [stage, freeze, wake, away].into_iter().flatten().min()
    }

    async fn on_time(&mut self) {
        let now = Instant::now();
        if matches!(self.hold, Hold::Freeze { until } if until <= now) {
            warn!(cell = %self.shared.cell, "the keeper did not thaw its agent in time: thawing it");
            self.thaw().await;
        }
        if let Some(away) = self.away.take_if(|away| away.due() <= now) {
            self.away = self.still_awaited(away, now).await;
            if self.away.is_none() {
                self.give_up_keeper().await;
            }
            return;
        }
        match self.stage.clone() {
            Stage::Starting(awaited) if awaited.is_over(now) => {
                let cell = self.shared.cell;
                self.fail(CellsError::NotAttached { cell }).await;
            }
            Stage::Starting(awaited) if awaited.due() <= now => match self.still_awaited(awaited, now).await {
                Some(awaited) => self.stage = Stage::Starting(awaited),
                None => self.ended_while_starting().await,
            },
            Stage::Adopting(awaited) if awaited.due() <= now => match self.still_awaited(awaited, now).await {
                Some(awaited) => self.stage = Stage::Adopting(awaited),
                None => self.give_up_keeper().await,
            },
            Stage::Pausing { by, .. } if by <= now => self.pause_unanswered(),
            Stage::Sleeping { by, from, .. } if by <= now => {
                let error = CellsError::KeeperSilent {
                    cell: self.shared.cell,
                    limit: limits::SLEEP_ANSWER,
                };
                self.sleep_refused(from, error).await;
            }
            Stage::Paused if self.wake_at.is_some_and(|at| at <= now) => {
                debug!(cell = %self.shared.cell, "the agent asked to be awake now");
                self.wake_at = None;
                self.shared.activity.touch();
                self.wake().await;
            }
            Stage::Awake | Stage::Paused => self.step_down(now).await,
            Stage::Failed { clean_up_at: Some(at) } if at <= now => self.clean_up().await,
            _ => {}
        }
    }

    pub(super) fn publish(&self) {
        let next = Published {
            state: match &self.stage {
                Stage::Asleep => CellState::Asleep,
                Stage::Starting(_) | Stage::Adopting(_) => CellState::Starting,
                Stage::Awake | Stage::Pausing { .. } => CellState::Awake,
                Stage::Sleeping { from, .. } => match from {
                    BeforeSleep::Awake => CellState::Awake,
                    BeforeSleep::Paused => CellState::Paused,
                },
                Stage::Paused => CellState::Paused,
                Stage::Failed { .. } => CellState::Failed,
            },
            status: self.status().cloned(),
        };
        let pausing = matches!(self.stage, Stage::Pausing { .. } | Stage::Paused);
        self.shared.activity.pausing.store(pausing, Ordering::SeqCst);
        self.shared.published.send_if_modified(|now| {
            let changed = *now != next;
            if now.state != next.state {
                self.shared.history.came_into(next.state);
            }
            if changed {
                debug!(cell = %self.shared.cell, state = ?next.state, "cell");
                *now = next;
            }
            changed
        });
    }

    /// Sends to the keeper; one that does not read is cut off, so that it starts over.
    pub(super) fn tell(&mut self, message: FromPlatform) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        match keeper.to_keeper.try_send(message) {
            Ok(()) => return true,
            // It has ended, and says so itself.
            Err(TrySendError::Closed(_)) => return false,
            Err(TrySendError::Full(_)) => {}
        }
        warn!(cell = %self.shared.cell, "the keeper does not read its control connection: closing it");
        let _ = self.shared.events.try_send(Event::Detached {
            generation: keeper.generation,
        });
        false
    }

    /// Asks the keeper something; the id of the question, if it could be sent.
    pub(super) fn ask(&mut self, op: PlatformOp) -> Option<u64> {
        self.next_id += 1;
        let id = self.next_id;
        self.tell(FromPlatform::Request { id, op }).then_some(id)
    }

    pub(super) fn answer_wakers(&mut self, result: &Result<(), CellsError>) {
        // Whoever is told that the cell is awake finds it so.
        self.publish();
        for reply in self.wakers.drain(..) {
            let _ = reply.send(result.clone());
        }
    }

    pub(super) fn answer_sleepers(&mut self, result: &Result<(), CellsError>) {
        self.publish();
        for reply in self.sleepers.drain(..) {
            let _ = reply.send(result.clone());
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        crate::socket::folder(&self.config.data_dir, self.shared.cell)
    }

    /// Removes both containers, the agent first.
    pub(super) async fn remove_parts(&self) -> Result<(), DriverError> {
        for part in [Part::Agent, Part::Keeper] {
            timed("removing a container", self.driver.remove(self.shared.cell, part)).await?;
        }
        Ok(())
    }
}

/// A driver call with the limit that every one has.
pub(super) async fn timed<T>(step: &str, call: impl Future<Output = Result<T, DriverError>>) -> Result<T, DriverError> {
    match tokio::time::timeout(limits::DRIVER_CALL, call).await {
        Ok(result) => result,
        Err(_) => Err(DriverError::Timeout {
            step: step.into(),
            limit: limits::DRIVER_CALL,
        }),
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
