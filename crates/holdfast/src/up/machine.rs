//! What the operator sees of this machine and does with its cells. It is looked at when somebody asks, and not again within moments.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use cells::driver::{Part, PartStats};
use cells::{Cells, CellsError};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use management::machine::{
    ActFailed, Acted, CellAct, CellEvent, CellFacts, CellLimits, Check, CheckState, Machine, Seen,
};
use management::{CellRef, CellUnavailable};
use protocol::channel::VaultState;
use protocol::control::AgentState;
use protocol::{CellId, Millis};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::cell_control::state;
use super::host;
use crate::config::Config;
use crate::doctor::{self, Finding};
use crate::limits;

/// The machine under a running server.
pub struct MachineOfManagement {
    cells: Cells,
    limits: CellLimits,
    data_dir: PathBuf,
    config: Config,
    last: Mutex<Option<Look>>,
    checked: Mutex<Option<(Instant, Vec<Check>)>>,
}

/// A look, and what the next one compares with.
#[derive(Clone)]
struct Look {
    taken: Instant,
    seen: Seen,
    busy: Option<host::Busy>,
    cpu: HashMap<CellId, Duration>,
}

impl MachineOfManagement {
    pub fn new(cells: Cells, limits: CellLimits, data_dir: PathBuf, config: Config) -> Self {
        Self {
            cells,
            limits,
            data_dir,
            config,
            last: Mutex::default(),
            checked: Mutex::default(),
        }
    }
}

impl Machine for MachineOfManagement {
    fn look(&self) -> BoxFuture<'_, Seen> {
        Box::pin(async move {
            // One look for all who ask at once.
            let mut last = self.last.lock().await;
            if let Some(last) = last.as_ref().filter(|last| last.taken.elapsed() < limits::LOOK_EVERY) {
                return last.seen.clone();
            }
            let looking = look(&self.cells, &self.data_dir, last.clone());
            match tokio::time::timeout(limits::LOOK_TIME, looking).await {
                Ok(look) => last.insert(look).seen.clone(),
                Err(_) => {
                    let problem = format!("Docker did not answer within {} s.", limits::LOOK_TIME.as_secs());
                    tracing::warn!(problem, "the machine could not be looked at");
                    let mut seen = last.as_ref().map_or_else(
                        || Seen {
                            at: now_ms(),
                            host: host::now(&self.data_dir, None).0,
                            cells: Vec::new(),
                            problem: None,
                        },
                        |last| last.seen.clone(),
                    );
                    // States are known without Docker; sizes are of before.
                    for facts in &mut seen.cells {
                        facts.state = state(self.cells.state(facts.cell));
                    }
                    seen.problem = Some(problem);
                    seen
                }
            }
        })
    }

    fn limits(&self) -> CellLimits {
        self.limits.clone()
    }

    fn events(&self, cell: CellId) -> Vec<CellEvent> {
        let events = self.cells.events(cell).into_iter();
        events
            .map(|event| CellEvent {
                at: event.at,
                state: state(event.state),
                problem: event.problem,
            })
            .collect()
    }

    fn keeper_log(&self, cell: CellId, lines: usize) -> BoxFuture<'_, Result<Vec<String>, CellUnavailable>> {
        Box::pin(async move {
            match tokio::time::timeout(limits::LOOK_TIME, self.cells.keeper_log(cell, lines)).await {
                Ok(log) => log.map_err(|error| CellUnavailable(error.to_string())),
                Err(_) => Err(CellUnavailable(format!(
                    "Docker did not answer within {} s.",
                    limits::LOOK_TIME.as_secs()
                ))),
            }
        })
    }

    fn act(&self, cell: CellRef, act: CellAct) -> BoxFuture<'_, Result<Acted, ActFailed>> {
        let cells = self.cells.clone();
        Box::pin(async move {
            // Goes on when nobody waits any more.
            let acting = tokio::spawn(async move {
                let result = carry_out(&cells, cell, act).await;
                if let Err(error) = &result {
                    tracing::warn!(cell = %cell.cell, ?act, %error, "an act of the operator failed");
                }
                result
            });
            match tokio::time::timeout(management::limits::OPERATOR_ACT_WAIT, acting).await {
                Ok(Ok(Ok(()))) => Ok(Acted::Done),
                Ok(Ok(Err(error))) if error.is_not_now() => Err(ActFailed::NotNow(error.to_string())),
                Ok(Ok(Err(error))) => Err(CellUnavailable(error.to_string()).into()),
                Ok(Err(_)) => Err(CellUnavailable("the act was broken off".to_owned()).into()),
                Err(_) => Ok(Acted::UnderWay),
            }
        })
    }

    fn checks(&self) -> BoxFuture<'_, Vec<Check>> {
        Box::pin(async move {
            let mut checked = self.checked.lock().await;
            if let Some((_, checks)) = checked.as_ref().filter(|(at, _)| at.elapsed() < limits::CHECKS_EVERY) {
                return checks.clone();
            }
            let (data_dir, config) = (self.data_dir.clone(), self.config.clone());
            let looked = tokio::task::spawn_blocking(move || doctor::look(&data_dir, &config)).await;
            let checks: Vec<_> = match looked {
                Ok(findings) => findings.into_iter().map(check).collect(),
                Err(error) => vec![Check {
                    name: "Machine".to_owned(),
                    state: CheckState::Bad,
                    found: format!("It could not be looked at: {error}."),
                    fix: Some("Run `holdfast doctor` on it.".to_owned()),
                }],
            };
            *checked = Some((Instant::now(), checks.clone()));
            checks
        })
    }
}

async fn carry_out(cells: &Cells, cell: CellRef, act: CellAct) -> Result<(), CellsError> {
    match act {
        CellAct::Wake => cells.wake(cell.cell, cell.tenant).await,
        CellAct::Pause => cells.pause(cell.cell).await,
        CellAct::Sleep => cells.sleep(cell.cell).await,
        CellAct::Restart => {
            cells.sleep(cell.cell).await?;
            cells.wake(cell.cell, cell.tenant).await
        }
    }
}

fn check((name, finding): (&'static str, Finding)) -> Check {
    let state = match finding.mark {
        doctor::Mark::Good => CheckState::Good,
        doctor::Mark::Weak => CheckState::Weak,
        doctor::Mark::Bad => CheckState::Bad,
    };
    Check {
        name: name.to_owned(),
        state,
        found: finding.found,
        fix: finding.fix,
    }
}

async fn look(cells: &Cells, data_dir: &std::path::Path, before: Option<Look>) -> Look {
    let taken = Instant::now();
    let (host, busy) = host::now(data_dir, before.as_ref().and_then(|before| before.busy));
    let measured: Vec<_> = stream::iter(cells.facts())
        .map(|facts| measure(cells, facts))
        .buffered(limits::LOOKS_AT_ONCE)
        .collect()
        .await;
    let mut cpu = HashMap::new();
    let mut facts = Vec::new();
    for (mut cell, total) in measured {
        if let Some(total) = total {
            let then = before
                .as_ref()
                .and_then(|before| Some((before.taken, before.cpu.get(&cell.cell)?)));
            cell.cpu_percent = then.and_then(|(then, used)| {
                let passed = taken.saturating_duration_since(then).as_secs_f64();
                // Containers that were made anew began at nothing.
                (passed > 0.0).then(|| total.saturating_sub(*used).as_secs_f64() / passed * 100.0)
            });
            cpu.insert(cell.cell, total);
        }
        facts.push(cell);
    }
    Look {
        taken,
        seen: Seen {
            at: now_ms(),
            host,
            cells: facts,
            problem: None,
        },
        busy,
        cpu,
    }
}

/// A cell with its sizes, and the processors' time that it has used.
async fn measure(cells: &Cells, facts: cells::CellFacts) -> (CellFacts, Option<Duration>) {
    let cell = facts.cell;
    let runs = matches!(
        facts.state,
        cells::CellState::Awake | cells::CellState::Paused | cells::CellState::Starting
    );
    let (stats, build) = match runs {
        true => {
            let (keeper, agent, build) = futures::join!(
                cells.stats(cell, Part::Keeper),
                cells.stats(cell, Part::Agent),
                cells.build(cell, Part::Agent)
            );
            let together = match (keeper.ok(), agent.ok()) {
                (None, None) => None,
                (keeper, agent) => Some(sum(keeper.unwrap_or_default(), agent.unwrap_or_default())),
            };
            (together, build.ok())
        }
        false => (None, None),
    };
    let measured = CellFacts {
        cell,
        tenant: facts.tenant,
        state: state(facts.state),
        since: facts.since,
        used_at: facts.used_at,
        vault: facts.status.as_ref().map(|status| match status.vault {
            VaultState::New => "new",
            VaultState::Locked => "locked",
            VaultState::Unlocked => "unlocked",
        }),
        agent: facts.status.as_ref().map(|status| match status.agent {
            AgentState::Absent => "absent",
            AgentState::Waiting => "waiting",
            AgentState::Starting => "starting",
            AgentState::Ready => "ready",
            AgentState::Suspended => "suspended",
            AgentState::Failed => "failed",
        }),
        busy: facts.status.as_ref().is_some_and(|status| status.busy),
        channels: facts.channels,
        memory_bytes: stats.map(|stats| stats.memory_bytes),
        cpu_percent: None,
        processes: stats.map(|stats| stats.pids),
        version: build.as_ref().map(|build| build.id.clone()),
        newest: build.map(|build| build.newest),
        problem: facts.problem,
    };
    (measured, stats.map(|stats| stats.cpu_total))
}

fn sum(one: PartStats, two: PartStats) -> PartStats {
    PartStats {
        memory_bytes: one.memory_bytes.saturating_add(two.memory_bytes),
        cpu_total: one.cpu_total.saturating_add(two.cpu_total),
        pids: one.pids.saturating_add(two.pids),
    }
}

fn now_ms() -> Millis {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}
