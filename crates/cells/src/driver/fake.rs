//! A driver in memory: the lifecycle is tested against it, fast, with every call able to fail, hang or be slow.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use protocol::{CellId, TenantId};
use tokio::sync::broadcast;

use super::{Build, CellView, Driver, DriverError, Part, PartState, PartStats, SharedNetwork};

/// A call to the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    Prepare,
    Teardown,
    Create(CellId, Part),
    Start(CellId, Part),
    Pause(CellId, Part),
    Resume(CellId, Part),
    Stop(CellId, Part),
    Remove(CellId, Part),
    Destroy(CellId),
    Inspect(CellId),
    List,
}

impl Call {
    /// The call without its cell and part, to say which kind shall fail.
    pub fn kind(self) -> CallKind {
        match self {
            Self::Prepare => CallKind::Prepare,
            Self::Teardown => CallKind::Teardown,
            Self::Create(..) => CallKind::Create,
            Self::Start(..) => CallKind::Start,
            Self::Pause(..) => CallKind::Pause,
            Self::Resume(..) => CallKind::Resume,
            Self::Stop(..) => CallKind::Stop,
            Self::Remove(..) => CallKind::Remove,
            Self::Destroy(..) => CallKind::Destroy,
            Self::Inspect(..) => CallKind::Inspect,
            Self::List => CallKind::List,
        }
    }
}

/// What [`Call::kind`] tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    Prepare,
    Teardown,
    Create,
    Start,
    Pause,
    Resume,
    Stop,
    Remove,
    Destroy,
    Inspect,
    List,
}

#[derive(Default)]
struct State {
    containers: BTreeMap<(CellId, Part), (TenantId, PartState)>,
    vaults: HashSet<CellId>,
    calls: Vec<Call>,
    fail: HashMap<(CallKind, Option<Part>), u32>,
    delay: HashMap<CallKind, Duration>,
    prepared: bool,
    free_memory: Option<u64>,
}

/// The driver in memory. Clones share the same engine, as two processes would share Docker.
#[derive(Clone)]
pub struct FakeDriver {
    state: Arc<Mutex<State>>,
    calls: broadcast::Sender<Call>,
}

impl Default for FakeDriver {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            calls: broadcast::channel(1024).0,
        }
    }
}

impl FakeDriver {
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine has this much memory left.
    pub fn set_free_memory(&self, bytes: u64) {
        self.state().free_memory = Some(bytes);
    }

    /// Every call from now on, once it has been carried out.
    pub fn watch(&self) -> broadcast::Receiver<Call> {
        self.calls.subscribe()
    }

    /// Every call so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Makes the next `times` calls of this kind fail, for one part or for any.
    pub fn fail_next(&self, kind: CallKind, part: Option<Part>, times: u32) {
        self.state().fail.insert((kind, part), times);
    }

    /// Makes every call of this kind take this long.
    pub fn delay(&self, kind: CallKind, delay: Duration) {
        self.state().delay.insert(kind, delay);
    }

    pub fn part(&self, cell: CellId, part: Part) -> PartState {
        self.state()
            .containers
            .get(&(cell, part))
            .map_or(PartState::Absent, |&(_, state)| state)
    }

    /// Sets up or changes a container behind the platform's back, as a crash or an operator would.
    pub fn set_part(&self, cell: CellId, tenant: TenantId, part: Part, state: PartState) {
        let mut inner = self.state();
        if state == PartState::Absent {
            inner.containers.remove(&(cell, part));
        } else {
            inner.containers.insert((cell, part), (tenant, state));
        }
    }

    pub fn has_vault(&self, cell: CellId) -> bool {
        self.state().vaults.contains(&cell)
    }

    pub fn is_prepared(&self) -> bool {
        self.state().prepared
    }

    /// Waits as long as this kind of call takes, fails if it is to fail, and otherwise changes the engine.
    async fn call<T>(
        &self,
        call: Call,
        part: Option<Part>,
        change: impl FnOnce(&mut State) -> Result<T, DriverError> + Send,
    ) -> Result<T, DriverError> {
        let delay = self.state().delay.get(&call.kind()).copied();
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        let result = {
            let mut state = self.state();
            state.calls.push(call);
            let mut fails = false;
            for key in [(call.kind(), part), (call.kind(), None)] {
                if let Some(left) = state.fail.get_mut(&key)
                    && *left > 0
                {
                    *left -= 1;
                    fails = true;
                    break;
                }
            }
            if fails {
                Err(DriverError::Failed {
                    step: format!("{call:?}"),
                    message: "told to fail".into(),
                })
            } else {
                change(&mut state)
            }
        };
        // No receiver is no error: only tests watch.
        let _ = self.calls.send(call);
        result
    }

    async fn set_running(&self, call: Call, cell: CellId, part: Part, to: PartState) -> Result<(), DriverError> {
        self.call(call, Some(part), |state| {
            match state.containers.get_mut(&(cell, part)) {
                Some((_, now)) if matches!(*now, PartState::Running | PartState::Paused) => {
                    *now = to;
                    Ok(())
                }
                _ => Err(DriverError::NotRunning { cell, part }),
            }
        })
        .await
    }
}

fn view(state: &State, cell: CellId) -> Option<CellView> {
    let part = |part| state.containers.get(&(cell, part));
    let tenant = part(Part::Keeper).or(part(Part::Agent))?.0;
    let of = |p| part(p).map_or(PartState::Absent, |&(_, state)| state);
    Some(CellView {
        cell,
        tenant,
        keeper: of(Part::Keeper),
        agent: of(Part::Agent),
    })
}

#[async_trait]
impl Driver for FakeDriver {
    async fn prepare(&self) -> Result<SharedNetwork, DriverError> {
        self.call(Call::Prepare, None, |state| {
            state.prepared = true;
            Ok(SharedNetwork {
                gateway: IpAddr::V4(Ipv4Addr::LOCALHOST),
            })
        })
        .await
    }

    async fn teardown(&self) -> Result<(), DriverError> {
        self.call(Call::Teardown, None, |state| {
            state.prepared = false;
            Ok(())
        })
        .await
    }

    async fn create(&self, cell: CellId, tenant: TenantId, part: Part) -> Result<(), DriverError> {
        self.call(Call::Create(cell, part), Some(part), |state| {
            state.containers.insert((cell, part), (tenant, PartState::Created));
            if part == Part::Keeper {
                state.vaults.insert(cell);
            }
            Ok(())
        })
        .await
    }

    async fn start(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.call(Call::Start(cell, part), Some(part), |state| {
            match state.containers.get_mut(&(cell, part)) {
                Some((_, now)) if *now != PartState::Paused => {
                    *now = PartState::Running;
                    Ok(())
                }
                _ => Err(DriverError::NotRunning { cell, part }),
            }
        })
        .await
    }

    async fn pause(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.set_running(Call::Pause(cell, part), cell, part, PartState::Paused)
            .await
    }

    async fn resume(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.set_running(Call::Resume(cell, part), cell, part, PartState::Running)
            .await
    }

    async fn stop(&self, cell: CellId, part: Part, _grace: Duration) -> Result<(), DriverError> {
        self.call(Call::Stop(cell, part), Some(part), |state| {
            if let Some((_, now)) = state.containers.get_mut(&(cell, part)) {
                *now = PartState::Exited;
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, cell: CellId, part: Part) -> Result<(), DriverError> {
        self.call(Call::Remove(cell, part), Some(part), |state| {
            state.containers.remove(&(cell, part));
            Ok(())
        })
        .await
    }

    async fn destroy(&self, cell: CellId) -> Result<(), DriverError> {
        self.call(Call::Destroy(cell), None, |state| {
            if view(state, cell).is_some() {
                return Err(DriverError::Failed {
                    step: "removing the volumes".into(),
                    message: "they are in use".into(),
                });
            }
            state.vaults.remove(&cell);
            Ok(())
        })
        .await
    }

    async fn inspect(&self, cell: CellId) -> Result<Option<CellView>, DriverError> {
        self.call(Call::Inspect(cell), None, |state| Ok(view(state, cell)))
            .await
    }

    async fn list(&self) -> Result<Vec<CellView>, DriverError> {
        self.call(Call::List, None, |state| {
            let mut cells: Vec<_> = state.containers.keys().map(|&(cell, _)| cell).collect();
            cells.dedup();
            Ok(cells.into_iter().filter_map(|cell| view(state, cell)).collect())
        })
        .await
    }

    async fn free_memory(&self, _cell: CellId) -> Result<Option<u64>, DriverError> {
        Ok(self.state().free_memory)
    }

    async fn stats(&self, _cell: CellId, _part: Part) -> Result<PartStats, DriverError> {
        Ok(PartStats::default())
    }

    async fn build(&self, _cell: CellId, _part: Part) -> Result<Build, DriverError> {
        Ok(Build {
            id: "fake".into(),
            newest: true,
        })
    }

    async fn logs(&self, _cell: CellId, _part: Part, _lines: usize) -> Result<Vec<String>, DriverError> {
        Ok(Vec::new())
    }
}
