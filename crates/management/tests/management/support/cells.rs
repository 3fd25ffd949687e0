//! The port to the part that runs cells, in memory: remembers what it was asked for.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use futures::future::BoxFuture;
use management::machine::{
    ActFailed, Acted, CellAct, CellEvent, CellFacts, CellLimits, Check, CheckState, Host, Machine, Seen,
};
use management::{CellControl, CellRef, CellState, CellUnavailable};
use protocol::{CellId, TenantId};

#[derive(Default)]
pub struct Cells {
    awake: Mutex<HashSet<CellRef>>,
    removed: Mutex<Vec<CellRef>>,
    claims: Mutex<HashMap<CellRef, String>>,
    broken: Mutex<bool>,
    /// What is sent to sleep goes on with what it does.
    in_a_turn: Mutex<bool>,
    /// Organisations whose keepers were told that a second person is demanded.
    demands: Mutex<Vec<TenantId>>,
}

impl Cells {
    pub fn awake(&self) -> Vec<CellRef> {
        self.awake.lock().unwrap().iter().copied().collect()
    }

    pub fn removed(&self) -> Vec<CellRef> {
        self.removed.lock().unwrap().clone()
    }

    /// The keeper of this cell has an empty vault.
    pub fn set_claim(&self, cell: CellRef, claim: &str) {
        self.claims.lock().unwrap().insert(cell, claim.into());
    }

    pub fn break_down(&self) {
        *self.broken.lock().unwrap() = true;
    }

    pub fn mend(&self) {
        *self.broken.lock().unwrap() = false;
    }

    pub fn set_in_a_turn(&self, whether: bool) {
        *self.in_a_turn.lock().unwrap() = whether;
    }

    /// Since it was last asked.
    pub fn demands(&self) -> Vec<TenantId> {
        std::mem::take(&mut self.demands.lock().unwrap())
    }

    fn check(&self) -> Result<(), CellUnavailable> {
        match *self.broken.lock().unwrap() {
            true => Err(CellUnavailable("Docker does not answer.".into())),
            false => Ok(()),
        }
    }
}

impl CellControl for Cells {
    fn wake(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            self.awake.lock().unwrap().insert(cell);
            Ok(())
        })
    }

    fn sleep(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            if !*self.in_a_turn.lock().unwrap() {
                self.awake.lock().unwrap().remove(&cell);
            }
            Ok(())
        })
    }

    fn erase(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            self.awake.lock().unwrap().remove(&cell);
            self.removed.lock().unwrap().push(cell);
            Ok(())
        })
    }

    fn second_demanded(&self, tenant: TenantId) {
        self.demands.lock().unwrap().push(tenant);
    }

    fn tenants_awake(&self) -> Vec<TenantId> {
        let tenants: HashSet<_> = self.awake().into_iter().map(|cell| cell.tenant).collect();
        tenants.into_iter().collect()
    }

    fn state(&self, cell: CellRef) -> BoxFuture<'_, Result<CellState, CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            Ok(match self.awake.lock().unwrap().contains(&cell) {
                true => CellState::Awake,
                false => CellState::Asleep,
            })
        })
    }

    fn claim(&self, cell: CellRef) -> BoxFuture<'_, Result<Option<String>, CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            Ok(self.claims.lock().unwrap().get(&cell).cloned())
        })
    }
}

impl Machine for Cells {
    fn look(&self) -> BoxFuture<'_, Seen> {
        Box::pin(async move {
            let facts = |cell: CellRef| CellFacts {
                cell: cell.cell,
                tenant: cell.tenant,
                state: CellState::Awake,
                since: 1,
                used_at: 2,
                vault: Some("locked"),
                agent: Some("waiting"),
                busy: false,
                channels: 0,
                memory_bytes: Some(1 << 20),
                cpu_percent: Some(1.5),
                processes: Some(3),
                version: Some("abc".into()),
                newest: Some(true),
                problem: None,
            };
            Seen {
                at: 3,
                host: Host {
                    memory_bytes: 100,
                    memory_used_bytes: 95,
                    processors: 2,
                    cpu_percent: None,
                    disk_bytes: 100,
                    disk_free_bytes: 90,
                },
                cells: self.awake().into_iter().map(facts).collect(),
                problem: self.check().err().map(|error| error.0),
            }
        })
    }

    fn limits(&self) -> CellLimits {
        CellLimits {
            capacity: 2,
            agent_memory_bytes: 1,
            agent_processors: 1.0,
            keeper_memory_bytes: 1,
            home_bytes: 1,
            sealed_bytes: 1,
            pause_after_ms: 1,
            sleep_after_ms: 1,
        }
    }

    fn events(&self, _cell: CellId) -> Vec<CellEvent> {
        Vec::new()
    }

    fn keeper_log(&self, _cell: CellId, _lines: usize) -> BoxFuture<'_, Result<Vec<String>, CellUnavailable>> {
        Box::pin(async move {
            self.check()?;
            Ok(vec!["the keeper is there".into()])
        })
    }

    fn act(&self, cell: CellRef, act: CellAct) -> BoxFuture<'_, Result<Acted, ActFailed>> {
        Box::pin(async move {
            match act {
                CellAct::Pause if *self.in_a_turn.lock().unwrap() => {
                    return Err(ActFailed::NotNow("a turn is under way".into()));
                }
                CellAct::Wake | CellAct::Restart => self.wake(cell).await?,
                CellAct::Pause | CellAct::Sleep => self.sleep(cell).await?,
            }
            Ok(Acted::Done)
        })
    }

    fn checks(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async move {
            vec![Check {
                name: "Swap".into(),
                state: CheckState::Weak,
                found: "There is some.".into(),
                fix: Some("Encrypt it.".into()),
            }]
        })
    }
}
