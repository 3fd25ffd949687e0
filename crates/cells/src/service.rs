//! What the rest of the platform asks of cells.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::WebSocket;
use futures::future::join_all;
use object_store::ObjectStore;
use protocol::control::{FromPlatform, KeeperStatus, TenantPolicy};
use protocol::relay::MailboxKey;
use protocol::{CarrierId, CellId, ChannelId, Millis, TenantId};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::cell::{Actor, CellEvent, CellState, Event, Reply, Shared};
use crate::driver::{Build, Driver, Part, PartState, PartStats};
use crate::socket::{SocketService, remove_blobs};
use crate::{CellsConfig, CellsError, limits, now_ms};

/// Events that may wait for a cell's task.
const INBOX: usize = 64;

/// One line of [`Cells::list`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CellSummary {
    pub cell: CellId,
    pub tenant: TenantId,
    pub state: CellState,
}

/// What was stored for a cell that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// Sealed pieces of its home.
    pub blobs: u64,
    /// Their size together.
    pub bytes: u64,
}

/// What the operator may know of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFacts {
    pub cell: CellId,
    pub tenant: TenantId,
    pub state: CellState,
    /// Since when it is in this state.
    pub since: Millis,
    /// When somebody, or the agent itself, last used it.
    pub used_at: Millis,
    /// What its keeper last said of itself.
    pub status: Option<KeeperStatus>,
    /// Channels of clients that are open.
    pub channels: usize,
    /// What last went wrong, if nothing went well since.
    pub problem: Option<String>,
}

/// The keeper's end of a channel, joined by the proxy with a client's.
pub struct KeeperChannel {
    pub socket: WebSocket,
    /// Counts against `CHANNELS_PER_CELL` until dropped.
    pub permit: OwnedSemaphorePermit,
}

struct Handle {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Inner {
    config: Arc<CellsConfig>,
    driver: Arc<dyn Driver>,
    blobs: Arc<dyn ObjectStore>,
    sockets: Option<SocketService>,
    capacity: Arc<Semaphore>,
    preparing: Arc<Semaphore>,
    handles: Mutex<HashMap<CellId, Handle>>,
    end: CancellationToken,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// The cells of one installation. Clones share them.
#[derive(Clone)]
pub struct Cells(Arc<Inner>);

impl Cells {
    /// Prepares the driver, takes over the cells that run, and removes what is left of those that do not.
    ///
    /// # Errors
    /// If the driver cannot be prepared or asked.
    pub async fn start(
        config: CellsConfig,
        driver: Arc<dyn Driver>,
        blobs: Arc<dyn ObjectStore>,
    ) -> Result<Self, CellsError> {
        let config = Arc::new(config);
        let sockets = SocketService::new(Arc::clone(&config), Arc::clone(&blobs));
        Self::start_with(config, driver, blobs, Some(sockets)).await
    }

    /// As [`Self::start`]; without sockets, keepers attach by [`Self::attach`].
    async fn start_with(
        config: Arc<CellsConfig>,
        driver: Arc<dyn Driver>,
        blobs: Arc<dyn ObjectStore>,
        sockets: Option<SocketService>,
    ) -> Result<Self, CellsError> {
        driver.prepare().await?;
        let cells = Self(Arc::new(Inner {
            capacity: Arc::new(Semaphore::new(config.capacity)),
            preparing: Arc::new(Semaphore::new(limits::PREPARED_AGENTS)),
            config,
            driver,
            blobs,
            sockets,
            handles: Mutex::default(),
            end: CancellationToken::new(),
        }));
        cells.adopt_all().await?;
        Ok(cells)
    }

    async fn adopt_all(&self) -> Result<(), CellsError> {
        let Inner { driver, .. } = &*self.0;
        for view in driver.list().await? {
            let cell = view.cell;
            if view.keeper == PartState::Running {
                let (shared, mut actor) = self.make(cell, view.tenant);
                actor.adopt(view.agent).await?;
                info!(%cell, agent = ?view.agent, "found running");
                self.insert(shared, actor);
            } else {
                // Without its keeper a cell's home cannot be sealed any more: what was saved is sealed already.
                info!(%cell, ?view, "removing what is left of a cell");
                for part in [Part::Agent, Part::Keeper] {
                    if let Err(error) = driver.remove(cell, part).await {
                        warn!(%cell, %part, %error, "could not be removed; the cell's next start tries again");
                    }
                }
            }
        }
        Ok(())
    }

    fn handles(&self) -> MutexGuard<'_, HashMap<CellId, Handle>> {
        self.0.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, cell: CellId, tenant: TenantId) -> (Arc<Shared>, Actor) {
        let (events, inbox) = mpsc::channel(INBOX);
        let shared = Arc::new(Shared::new(cell, tenant, events));
        let actor = Actor::new(
            Arc::clone(&shared),
            Arc::clone(&self.0.config),
            Arc::clone(&self.0.driver),
            self.0.sockets.clone(),
            Arc::clone(&self.0.capacity),
            Arc::clone(&self.0.preparing),
            inbox,
        );
        (shared, actor)
    }

    fn insert(&self, shared: Arc<Shared>, actor: Actor) {
        let task = tokio::spawn(actor.run(self.0.end.child_token()));
        self.handles().insert(shared.cell, Handle { shared, task });
    }

    fn find(&self, cell: CellId) -> Option<Arc<Shared>> {
        self.handles().get(&cell).map(|handle| Arc::clone(&handle.shared))
    }

    /// The cell's task, started if there is none.
    fn find_or_make(&self, cell: CellId, tenant: TenantId) -> Result<Arc<Shared>, CellsError> {
        if self.0.end.is_cancelled() {
            return Err(CellsError::ShuttingDown);
        }
        let mut handles = self.handles();
        if let Some(handle) = handles.get(&cell) {
            if handle.shared.tenant != tenant {
                return Err(CellsError::WrongTenant);
            }
            return Ok(Arc::clone(&handle.shared));
        }
        let (shared, actor) = self.make(cell, tenant);
        let task = tokio::spawn(actor.run(self.0.end.child_token()));
        handles.insert(
            cell,
            Handle {
                shared: Arc::clone(&shared),
                task,
            },
        );
        Ok(shared)
    }

    async fn ask(&self, shared: &Shared, event: impl FnOnce(Reply) -> Event) -> Result<(), CellsError> {
        let ended = || {
            if self.0.end.is_cancelled() {
                CellsError::ShuttingDown
            } else {
                CellsError::Removed { cell: shared.cell }
            }
        };
        let (reply, answer) = oneshot::channel();
        shared.events.send(event(reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Brings a cell to where its keeper answers and its agent runs; callers at the same time wait for the same start.
    ///
    /// # Errors
    /// [`CellsError::Full`] if no cell is paused that could sleep instead, and whatever keeps the containers or the keeper
    /// from starting.
    pub async fn wake(&self, cell: CellId, tenant: TenantId) -> Result<(), CellsError> {
        let shared = self.find_or_make(cell, tenant)?;
        let woken = self.ask(&shared, Event::Wake).await;
        match woken {
            Err(CellsError::Full { .. }) if self.make_room().await => self.ask(&shared, Event::Wake).await,
            woken => woken,
        }
    }

    /// Whether a cell may be woken though nobody waits for it: it runs already, or leaves places to the cells that somebody waits for.
    /// A paused cell counts as a place, since it makes room.
    pub fn has_spare_room(&self, cell: CellId) -> bool {
        if matches!(self.state(cell), CellState::Awake | CellState::Starting) {
            return true;
        }
        let handles = self.handles();
        let paused = handles
            .values()
            .filter(|handle| handle.shared.state() == CellState::Paused);
        let places = self.0.capacity.available_permits() + paused.count();
        let capacity = self.0.config.capacity;
        places > capacity.div_ceil(limits::CELLS_SPARED).min(capacity.saturating_sub(1))
    }

    /// Puts the paused cell that was not used for longest to sleep: its home is sealed and its vault locked already.
    async fn make_room(&self) -> bool {
        let idlest = self
            .handles()
            .values()
            .map(|handle| Arc::clone(&handle.shared))
            .filter(|shared| shared.state() == CellState::Paused)
            .min_by_key(|shared| shared.activity.last());
        let Some(shared) = idlest else { return false };
        info!(cell = %shared.cell, "sleeps early, to make room");
        match self.ask(&shared, Event::Sleep).await {
            Ok(()) => true,
            Err(error) => {
                warn!(cell = %shared.cell, %error, "could not make room");
                false
            }
        }
    }

    /// Seals the home, wipes the keys and removes both containers.
    ///
    /// # Errors
    /// If the keeper could not seal the home: then everything stays as it is.
    pub async fn sleep(&self, cell: CellId) -> Result<(), CellsError> {
        match self.find(cell) {
            Some(shared) => self.ask(&shared, Event::Sleep).await,
            None => Ok(()),
        }
    }

    /// As [`Self::sleep`], of a cell whose owner may not use it any more: what runs in it is broken off, and it has no way to the relay from now on. Where the home cannot be sealed
    /// in time, what was sealed last is kept, as if the keeper had been killed.
    ///
    /// # Errors
    /// If the containers could not be removed, which is tried again by itself until it is done.
    pub async fn sleep_now(&self, cell: CellId) -> Result<(), CellsError> {
        let Some(shared) = self.find(cell) else { return Ok(()) };
        // At once: its task may wait for the driver.
        shared.relay_way.close();
        self.ask(&shared, Event::SleepNow).await
    }

    /// Tells the keepers of an organisation that it demands a second person. One that is not connected now is not told.
    pub async fn second_demanded(&self, tenant: TenantId) {
        let all: Vec<_> = (self.handles().values())
            .map(|handle| Arc::clone(&handle.shared))
            .collect();
        let of_it = all.iter().filter(|shared| shared.tenant == tenant);
        // A task that has ended has no keeper.
        join_all(of_it.map(|shared| shared.events.send(Event::SecondDemanded))).await;
    }

    /// The organisations of which a cell runs, each once.
    pub fn tenants_awake(&self) -> Vec<TenantId> {
        let handles = self.handles();
        let awake = handles
            .values()
            .filter(|handle| handle.shared.state() != CellState::Asleep);
        let tenants: HashSet<_> = awake.map(|handle| handle.shared.tenant).collect();
        tenants.into_iter().collect()
    }

    /// Freezes the agent of a cell that is awake, as idleness would.
    ///
    /// # Errors
    /// [`CellsError::NotAwake`], [`CellsError::InUse`], and a keeper that is busy or does not answer.
    pub async fn pause(&self, cell: CellId) -> Result<(), CellsError> {
        match self.find(cell) {
            Some(shared) => self.ask(&shared, Event::Pause).await,
            None => Err(CellsError::NotAwake { cell }),
        }
    }

    /// Removes a cell for ever: containers, vault, home, blobs. It goes to its end also where nobody waits for it any more.
    ///
    /// # Errors
    /// What could not be removed; calling again goes on.
    pub async fn remove(&self, cell: CellId, tenant: TenantId) -> Result<Removed, CellsError> {
        let cells = self.clone();
        let removed = tokio::spawn(async move { cells.remove_now(cell, tenant).await });
        removed.await.map_err(|_| CellsError::ShuttingDown)?
    }

    async fn remove_now(&self, cell: CellId, tenant: TenantId) -> Result<Removed, CellsError> {
        let mut shared = self.find_or_make(cell, tenant)?;
        shared.relay_way.close();
        let mut removed = self.ask(&shared, Event::Remove).await;
        if let Err(CellsError::Removed { .. }) = removed {
            // Its task ended meanwhile, by another removal or otherwise: another one looks at what is there.
            self.forget(&shared);
            shared = self.find_or_make(cell, tenant)?;
            removed = self.ask(&shared, Event::Remove).await;
        }
        removed?;
        self.forget(&shared);
        remove_blobs(&self.0.blobs, tenant, cell)
            .await
            .map_err(|error| CellsError::Blobs {
                message: error.to_string(),
            })
    }

    /// This task of a cell has ended. Another one of it stays.
    fn forget(&self, shared: &Arc<Shared>) {
        let mut handles = self.handles();
        let ours = |handle: &Handle| Arc::ptr_eq(&handle.shared, shared);
        if handles.get(&shared.cell).is_some_and(ours) {
            handles.remove(&shared.cell);
        }
    }

    pub fn state(&self, cell: CellId) -> CellState {
        self.find(cell).map_or(CellState::Asleep, |shared| shared.state())
    }

    /// What the attached keeper last said of itself.
    pub fn keeper_status(&self, cell: CellId) -> Option<KeeperStatus> {
        self.find(cell)?.published.borrow().status.clone()
    }

    /// What opens the first registration, for the cell's owner alone; there is one while the vault is new.
    pub fn claim(&self, cell: CellId) -> Option<String> {
        self.find(cell)?.published.borrow().status.as_ref()?.claim.clone()
    }

    /// Whose a connection to the relay is that was carried under this id, and over which this mailbox was opened: of a cell, if it is one of
    /// its last since this process started.
    pub fn opened(&self, carrier: CarrierId, mailbox: &MailboxKey) -> Option<(CellId, TenantId)> {
        let handles = self.handles();
        let mut all = handles.values().map(|handle| &handle.shared);
        let shared = all.find(|shared| shared.relay_way.opened(carrier, mailbox))?;
        Some((shared.cell, shared.tenant))
    }

    /// The cells that this process has had to do with since it started, and those it found.
    pub fn list(&self) -> Vec<CellSummary> {
        let mut list: Vec<_> = self
            .handles()
            .values()
            .map(|handle| CellSummary {
                cell: handle.shared.cell,
                tenant: handle.shared.tenant,
                state: handle.shared.state(),
            })
            .collect();
        list.sort_by_key(|summary| summary.cell);
        list
    }

    /// What the operator may know of the cells of [`Self::list`].
    pub fn facts(&self) -> Vec<CellFacts> {
        let mut facts: Vec<_> = self
            .handles()
            .values()
            .map(|handle| {
                let shared = &handle.shared;
                let idle = Instant::now().saturating_duration_since(shared.activity.last());
                CellFacts {
                    cell: shared.cell,
                    tenant: shared.tenant,
                    state: shared.state(),
                    since: shared.history.since(),
                    used_at: now_ms().saturating_sub(Millis::try_from(idle.as_millis()).unwrap_or(Millis::MAX)),
                    status: shared.published.borrow().status.clone(),
                    channels: protocol::limits::CHANNELS_PER_CELL.saturating_sub(shared.channels.available_permits()),
                    problem: shared.history.last_problem(),
                }
            })
            .collect();
        facts.sort_by_key(|facts| facts.cell);
        facts
    }

    /// What happened to a cell since this process knows it, oldest first.
    pub fn events(&self, cell: CellId) -> Vec<CellEvent> {
        self.find(cell)
            .map(|shared| shared.history.events())
            .unwrap_or_default()
    }

    /// From which image a part of a cell was made.
    ///
    /// # Errors
    /// If the part has no container or the driver cannot tell.
    pub async fn build(&self, cell: CellId, part: Part) -> Result<Build, CellsError> {
        Ok(self.0.driver.build(cell, part).await?)
    }

    /// Memory, processors and processes of one part of a cell.
    ///
    /// # Errors
    /// If the part does not run or the driver cannot tell.
    pub async fn stats(&self, cell: CellId, part: Part) -> Result<PartStats, CellsError> {
        Ok(self.0.driver.stats(cell, part).await?)
    }

    /// The last lines that the keeper of a cell wrote, for the operator.
    ///
    /// # Errors
    /// If the driver cannot tell.
    pub async fn keeper_log(&self, cell: CellId, lines: usize) -> Result<Vec<String>, CellsError> {
        Ok(self.0.driver.logs(cell, Part::Keeper, lines).await?)
    }

    pub(crate) fn shared(&self, cell: CellId, tenant: TenantId) -> Result<Arc<Shared>, CellsError> {
        self.find_or_make(cell, tenant)
    }

    /// Wakes a cell and has its keeper dial in. A cell that falls asleep in that moment, its vault having been locked just before,
    /// is woken once more.
    ///
    /// # Errors
    /// As [`Self::wake`]; [`CellsError::TooManyChannels`], or a keeper that is away or does not dial.
    pub(crate) async fn reach(&self, shared: &Shared, policy: TenantPolicy) -> Result<KeeperChannel, CellsError> {
        self.wake(shared.cell, shared.tenant).await?;
        match self.open_channel(shared, policy).await {
            Err(CellsError::ChannelNotDialled) => {
                self.wake(shared.cell, shared.tenant).await?;
                self.open_channel(shared, policy).await
            }
            opened => opened,
        }
    }

    async fn open_channel(&self, shared: &Shared, policy: TenantPolicy) -> Result<KeeperChannel, CellsError> {
        let permit = Arc::clone(&shared.channels)
            .try_acquire_owned()
            .map_err(|_| CellsError::TooManyChannels)?;
        let to_keeper = shared.to_keeper().ok_or(CellsError::ChannelNotDialled)?;
        let channel = ChannelId::new();
        let dialled = shared.expect_channel(channel);
        let asked = to_keeper.try_send(FromPlatform::OpenChannel { channel, policy });
        let result = match asked {
            Ok(()) => tokio::time::timeout(limits::DIAL, dialled)
                .await
                .ok()
                .and_then(Result::ok),
            Err(_) => None,
        };
        match result {
            Some(socket) => Ok(KeeperChannel { socket, permit }),
            None => {
                shared.take_channel(channel);
                Err(CellsError::ChannelNotDialled)
            }
        }
    }

    /// Ends this process's work and leaves the cells running, for the next process to find.
    pub async fn shutdown(&self) {
        self.0.end.cancel();
        let tasks: Vec<_> = self.handles().drain().map(|(_, handle)| handle.task).collect();
        join_all(tasks).await;
    }

    /// Puts every cell to sleep, then removes what they share on this machine. Turns that run have `limits::DOWN_PATIENCE`
    /// to end.
    ///
    /// # Errors
    /// The first cell that could not be put to sleep; then the network and the host rules stay too.
    pub async fn down(&self) -> Result<(), CellsError> {
        let by = Instant::now() + limits::DOWN_PATIENCE;
        let slept = join_all(self.list().into_iter().map(async |CellSummary { cell, .. }| {
            loop {
                match self.sleep(cell).await {
                    Err(CellsError::Keeper { code, .. }) if code == "busy" && Instant::now() < by => {
                        tokio::time::sleep(limits::DOWN_RETRY).await;
                    }
                    slept => return slept,
                }
            }
        }))
        .await;
        slept.into_iter().collect::<Result<Vec<()>, _>>()?;
        self.shutdown().await;
        self.0.driver.teardown().await?;
        Ok(())
    }
}

#[cfg(test)]
mod lifecycle_tests;
