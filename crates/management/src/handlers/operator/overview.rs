//! `GET /api/v1/operator/overview`: how the installation is, in numbers, and what needs somebody's hand.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use super::health;
use crate::app::App;
use crate::cell_control::CellState;
use crate::machine::{CheckState, Host, Seen};
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::operator::{self, Only, PersonFacts};

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorOverview)]
pub(crate) struct Overview {
    seen_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    tenants: Count,
    people: Count,
    cells: Cells,
    host: Host,
    /// The worst first.
    alerts: Vec<Alert>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorCount)]
struct Count {
    all: usize,
    suspended: usize,
    /// Signed in now.
    active: usize,
}

#[derive(Serialize, Default, ToSchema)]
#[schema(as = OperatorCellCounts)]
struct Cells {
    all: usize,
    awake: usize,
    paused: usize,
    starting: usize,
    failed: usize,
    asleep: usize,
    capacity: usize,
    memory_bytes: u64,
    cpu_percent: f64,
}

/// Something that needs somebody's hand.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorAlert)]
struct Alert {
    state: CheckState,
    words: String,
    fix: String,
    /// The page where more of it is.
    page: &'static str,
}

/// A disk, or memory, that is this full, in percent, is worth a word, and one that is so full is bad.
const FULL: (u64, u64) = (90, 97);

pub(crate) async fn get(State(app): State<App>, operator: Operator) -> Result<Json<Overview>, ApiError> {
    let (tenants, people, seen, checks) = futures::join!(
        operator::tenants(&app.database, &operator, None, app.session_clock()),
        operator::people(&app.database, &operator, Only::default(), app.session_clock()),
        app.machine.look(),
        health::checks(&app),
    );
    let (tenants, people) = (tenants?, people?);
    let cells = count(&people, &seen, app.machine.limits().capacity);
    let mut alerts = alerts(&cells, &seen.host);
    alerts.extend(
        checks
            .into_iter()
            .filter(|check| check.state != CheckState::Good)
            .map(|check| Alert {
                state: check.state,
                words: format!("{}: {}", check.name, check.found),
                fix: check.fix.unwrap_or_default(),
                page: "/admin/health",
            }),
    );
    alerts.sort_by_key(|alert| alert.state != CheckState::Bad);
    let persons: Vec<_> = people.iter().filter(|person| !person.service).collect();
    Ok(Json(Overview {
        seen_at: seen.at,
        problem: seen.problem,
        tenants: Count {
            all: tenants.len(),
            suspended: tenants.iter().filter(|tenant| tenant.suspended_at.is_some()).count(),
            active: tenants.iter().filter(|tenant| tenant.signed_in_people > 0).count(),
        },
        people: Count {
            all: persons.len(),
            suspended: persons.iter().filter(|person| person.suspended).count(),
            active: persons.iter().filter(|person| person.sessions > 0).count(),
        },
        cells,
        host: seen.host,
        alerts,
    }))
}

fn count(people: &[PersonFacts], seen: &Seen, capacity: usize) -> Cells {
    let mut cells = Cells {
        all: people.iter().filter(|person| person.cell.is_some()).count(),
        capacity,
        ..Cells::default()
    };
    for facts in &seen.cells {
        match facts.state {
            CellState::Awake => cells.awake += 1,
            CellState::Paused => cells.paused += 1,
            CellState::Starting => cells.starting += 1,
            CellState::Failed => cells.failed += 1,
            CellState::Asleep => {}
        }
        cells.memory_bytes += facts.memory_bytes.unwrap_or(0);
        cells.cpu_percent += facts.cpu_percent.unwrap_or(0.0);
    }
    let up = cells.awake + cells.paused + cells.starting + cells.failed;
    cells.asleep = cells.all.saturating_sub(up);
    cells
}

fn alerts(cells: &Cells, host: &Host) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if cells.failed > 0 {
        alerts.push(Alert {
            state: CheckState::Bad,
            words: match cells.failed {
                1 => "1 cell did not start.".to_owned(),
                many => format!("{many} cells did not start."),
            },
            fix: "Open it to see why; starting it again may be enough.".to_owned(),
            page: "/admin/cells?q=state%3Afailed",
        });
    }
    let up = cells.awake + cells.paused + cells.starting;
    if up >= cells.capacity {
        alerts.push(Alert {
            state: CheckState::Weak,
            words: format!(
                "All {} places for cells are taken: who comes next waits, or a paused cell sleeps early.",
                cells.capacity
            ),
            fix: "Raise cells.capacity in holdfast.toml if the machine has the memory.".to_owned(),
            page: "/admin/cells",
        });
    }
    let mut full = |percent: u64, words: &str, fix: &str| {
        if percent >= FULL.0 {
            alerts.push(Alert {
                state: if percent >= FULL.1 {
                    CheckState::Bad
                } else {
                    CheckState::Weak
                },
                words: format!("{words} {percent} % full."),
                fix: fix.to_owned(),
                page: "/admin",
            });
        }
    };
    full(
        percent(host.memory_used_bytes, host.memory_bytes),
        "The machine's memory is",
        "Put cells that nobody needs to sleep, lower cells.capacity, or add memory.",
    );
    full(
        percent(host.disk_bytes.saturating_sub(host.disk_free_bytes), host.disk_bytes),
        "The disk of the data directory is",
        "Remove old images (docker image prune), or move the data directory to a larger disk.",
    );
    alerts
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}
