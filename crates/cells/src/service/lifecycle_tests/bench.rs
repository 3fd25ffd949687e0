//! A cell, its driver and its keeper, for tests.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use protocol::channel::VaultState;
use protocol::control::{AgentState, FromKeeper, FromPlatform, KeeperOp, KeeperStatus, Outcome, PlatformOp};
use protocol::{CellId, InstallationId, TenantId};
use tokio::sync::mpsc;

use crate::cell::{Attachment, CellState, Event, Shared};
use crate::driver::fake::{Call, CallKind, FakeDriver};
use crate::driver::{Part, PartState};
use crate::{Cells, CellsConfig, CellsError};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(60 * 60);

/// What never comes fails a test instead of holding it up: the clock is stopped, so two days pass at once.
async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(48 * HOUR, what)
        .await
        .expect("it happens within two days")
}

pub struct Bench {
    pub driver: FakeDriver,
    pub blobs: Arc<InMemory>,
    pub cells: Cells,
    pub cell: CellId,
    pub tenant: TenantId,
}

impl Bench {
    pub async fn new() -> Self {
        Self::with(FakeDriver::new(), |_| {}).await
    }

    pub async fn with(driver: FakeDriver, change: impl FnOnce(&mut CellsConfig)) -> Self {
        let blobs = Arc::new(InMemory::new());
        let cells = start_over(&driver, &blobs, change).await.unwrap();
        Self {
            driver,
            blobs,
            cells,
            cell: CellId::new(),
            tenant: TenantId::new(),
        }
    }

    /// The next process over the same engine.
    pub async fn restart(&mut self) {
        self.cells.shutdown().await;
        self.cells = start_over(&self.driver, &self.blobs, |_| {}).await.unwrap();
    }

    /// A cell that is awake, and its keeper.
    pub async fn awake() -> (Self, Keeper) {
        let bench = Self::new().await;
        let keeper = bench.wake().await;
        (bench, keeper)
    }

    pub async fn wake(&self) -> Keeper {
        let waking = self.waking();
        self.until_started().await;
        let keeper = self.attach(idle()).await;
        waking.await.unwrap().unwrap();
        assert_eq!(self.state(), CellState::Awake);
        keeper
    }

    pub fn waking(&self) -> tokio::task::JoinHandle<Result<(), CellsError>> {
        let (cells, cell, tenant) = (self.cells.clone(), self.cell, self.tenant);
        tokio::spawn(async move { cells.wake(cell, tenant).await })
    }

    pub fn sleeping(&self) -> tokio::task::JoinHandle<Result<(), CellsError>> {
        let (cells, cell) = (self.cells.clone(), self.cell);
        tokio::spawn(async move { cells.sleep(cell).await })
    }

    pub async fn until_started(&self) {
        let mut calls = self.driver.watch();
        while self.parts() != (PartState::Running, PartState::Running) {
            in_time(calls.recv()).await.unwrap();
        }
    }

    pub async fn until(&self, state: CellState) {
        let mut published = self.shared().published.subscribe();
        in_time(published.wait_for(|now| now.state == state)).await.unwrap();
    }

    /// Lets the cell's task work off what it was told.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Sent to sleep, since its owner may not use it any more.
    pub fn sent_to_sleep(&self) -> tokio::task::JoinHandle<Result<(), CellsError>> {
        let (cells, cell) = (self.cells.clone(), self.cell);
        tokio::spawn(async move { cells.sleep_now(cell).await })
    }

    pub async fn attach(&self, status: KeeperStatus) -> Keeper {
        self.attach_as(status, true).await
    }

    /// A keeper that knows all, or one of an earlier version.
    pub async fn attach_as(&self, status: KeeperStatus, knows: bool) -> Keeper {
        let shared = self.shared();
        let (to_keeper, from_platform) = mpsc::channel(64);
        let generation = shared.next_generation();
        let attachment = Attachment {
            generation,
            status,
            sleeps_now: knows,
            hears_demands: knows,
            to_keeper,
        };
        assert!(shared.events.send(Event::Attached(attachment)).await.is_ok());
        Keeper {
            shared,
            generation,
            from_platform,
            next_id: 0,
        }
    }

    pub fn shared(&self) -> Arc<Shared> {
        self.cells.shared(self.cell, self.tenant).unwrap()
    }

    pub fn state(&self) -> CellState {
        self.cells.state(self.cell)
    }

    /// Keeper and agent.
    pub fn parts(&self) -> (PartState, PartState) {
        (
            self.driver.part(self.cell, Part::Keeper),
            self.driver.part(self.cell, Part::Agent),
        )
    }

    pub fn set(&self, part: Part, state: PartState) {
        self.driver.set_part(self.cell, self.tenant, part, state);
    }

    pub fn count(&self, kind: CallKind, part: Part) -> usize {
        let is = |call: &Call| match *call {
            Call::Create(_, p) | Call::Start(_, p) | Call::Pause(_, p) | Call::Resume(_, p) | Call::Remove(_, p) => {
                p == part && call.kind() == kind
            }
            _ => false,
        };
        self.driver.calls().iter().filter(|call| is(call)).count()
    }
}

pub async fn start(driver: &FakeDriver, change: impl FnOnce(&mut CellsConfig)) -> Result<Cells, CellsError> {
    start_over(driver, &Arc::new(InMemory::new()), change).await
}

async fn start_over(
    driver: &FakeDriver,
    blobs: &Arc<InMemory>,
    change: impl FnOnce(&mut CellsConfig),
) -> Result<Cells, CellsError> {
    let folder = std::env::temp_dir().join(format!("holdfast-lifecycle-{}", std::process::id()));
    let mut config = CellsConfig::new(InstallationId::new(), folder);
    change(&mut config);
    Cells::start_with(
        Arc::new(config),
        Arc::new(driver.clone()),
        Arc::clone(blobs) as Arc<dyn object_store::ObjectStore>,
        None,
    )
    .await
}

pub fn idle() -> KeeperStatus {
    KeeperStatus {
        vault: VaultState::Locked,
        agent: AgentState::Waiting,
        busy: false,
        claim: None,
        wake_at: None,
        approvals: Vec::new(),
    }
}

pub fn busy() -> KeeperStatus {
    KeeperStatus { busy: true, ..idle() }
}

pub fn suspended() -> KeeperStatus {
    KeeperStatus {
        agent: AgentState::Suspended,
        ..idle()
    }
}

pub fn refusal(code: &str) -> Outcome {
    Outcome::Error {
        code: code.into(),
        message: "told to refuse".into(),
    }
}

/// A keeper's end of the control connection.
pub struct Keeper {
    pub shared: Arc<Shared>,
    pub generation: u64,
    pub from_platform: mpsc::Receiver<FromPlatform>,
    next_id: u64,
}

impl Keeper {
    pub async fn say(&self, message: FromKeeper) {
        let generation = self.generation;
        assert!(
            self.shared
                .events
                .send(Event::FromKeeper { generation, message })
                .await
                .is_ok()
        );
    }

    pub async fn status(&self, status: KeeperStatus) {
        self.say(FromKeeper::Status(status)).await;
    }

    /// The next request of the platform, which must be this one.
    pub async fn asked(&mut self, wanted: PlatformOp) -> u64 {
        match in_time(self.from_platform.recv()).await {
            Some(FromPlatform::Request { id, op }) if op == wanted => id,
            other => panic!("{other:?} instead of {wanted:?}"),
        }
    }

    /// The next message of the platform, which must ask for a channel.
    pub async fn asked_to_dial(&mut self) {
        match in_time(self.from_platform.recv()).await {
            Some(FromPlatform::OpenChannel { .. }) => {}
            other => panic!("{other:?} instead of a channel"),
        }
    }

    pub async fn answer(&self, id: u64, outcome: Outcome) {
        self.say(FromKeeper::Reply { id, outcome }).await;
    }

    pub async fn obey(&mut self, wanted: PlatformOp) {
        let id = self.asked(wanted).await;
        self.answer(id, Outcome::Ok).await;
    }

    /// Asks the platform and waits for its answer.
    pub async fn ask(&mut self, op: KeeperOp) -> Outcome {
        self.next_id += 1;
        let id = self.next_id;
        self.say(FromKeeper::Request { id, op }).await;
        loop {
            match in_time(self.from_platform.recv()).await {
                Some(FromPlatform::Reply { id: reply, outcome }) if reply == id => return outcome,
                Some(FromPlatform::Request { .. }) => {}
                other => panic!("{other:?} instead of an answer"),
            }
        }
    }

    pub async fn detach(self) {
        let generation = self.generation;
        let _ = self.shared.events.send(Event::Detached { generation }).await;
    }

    /// That the platform said nothing.
    pub fn heard_nothing(&mut self) {
        assert!(self.from_platform.try_recv().is_err());
    }
}
