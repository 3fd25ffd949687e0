//! What the operator sees of the machine and does with cells: a port, as [`crate::CellControl`] is one. Nothing that passes here is
//! content: states, sizes, times, and what a keeper writes down about itself.

use futures::future::BoxFuture;
use protocol::{CellId, Millis, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cell_control::{CellRef, CellState, CellUnavailable};

/// A cell that the server has had to do with since it started. All others are asleep.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OperatorCellFacts)]
pub struct CellFacts {
    pub cell: CellId,
    pub tenant: TenantId,
    pub state: CellState,
    /// Since when it is in this state.
    pub since: Millis,
    pub used_at: Millis,
    /// As its keeper says; `None` while none is there.
    pub vault: Option<&'static str>,
    pub agent: Option<&'static str>,
    pub busy: bool,
    /// Open connections of clients.
    pub channels: usize,
    /// Of its two containers together; `None` where there are none, or they cannot be measured.
    pub memory_bytes: Option<u64>,
    /// In hundredths of one processor, since the look before.
    pub cpu_percent: Option<f64>,
    pub processes: Option<u64>,
    /// The agent's image, and whether it is the one that agents are made from now.
    pub version: Option<String>,
    pub newest: Option<bool>,
    /// What last went wrong, if nothing went well since.
    pub problem: Option<String>,
}

/// How the machine is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OperatorHost)]
pub struct Host {
    pub memory_bytes: u64,
    pub memory_used_bytes: u64,
    pub processors: usize,
    /// In hundredths of all processors together, since the look before.
    pub cpu_percent: Option<f64>,
    pub disk_bytes: u64,
    pub disk_free_bytes: u64,
}

/// What was seen, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub at: Millis,
    pub host: Host,
    pub cells: Vec<CellFacts>,
    /// Why it could not be looked again since.
    pub problem: Option<String>,
}

/// What holds for every cell.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OperatorCellLimits)]
pub struct CellLimits {
    /// Cells that are not asleep at once.
    pub capacity: usize,
    pub agent_memory_bytes: u64,
    pub agent_processors: f64,
    pub keeper_memory_bytes: u64,
    pub home_bytes: u64,
    pub sealed_bytes: u64,
    pub pause_after_ms: u64,
    pub sleep_after_ms: u64,
}

/// One thing that happened to a cell.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OperatorCellEvent)]
pub struct CellEvent {
    pub at: Millis,
    pub state: CellState,
    pub problem: Option<String>,
}

/// What the operator may do with a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = OperatorCellAct)]
#[serde(rename_all = "snake_case")]
pub enum CellAct {
    Wake,
    Pause,
    Sleep,
    /// To sleep and awake again, so from the newest images.
    Restart,
}

/// Why an act was not done. The texts are for the operator.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ActFailed {
    /// The cell is left as it is: it is in the middle of something, or not in a state for it.
    #[error("{0}")]
    NotNow(String),
    #[error(transparent)]
    Unavailable(#[from] CellUnavailable),
}

/// How an act went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OperatorOutcome)]
#[serde(rename_all = "snake_case")]
pub enum Acted {
    Done,
    /// It takes longer than an answer may.
    UnderWay,
}

/// One look at something that must be in order.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = OperatorCheck)]
pub struct Check {
    pub name: String,
    pub state: CheckState,
    /// What was found.
    pub found: String,
    /// What to do, where something is not in order.
    pub fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OperatorCheckState)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    Good,
    /// Works, but weaker or slower than it could.
    Weak,
    Bad,
}

/// The machine.
pub trait Machine: Send + Sync + 'static {
    /// How it is now; what was seen a moment ago where it cannot be looked again.
    fn look(&self) -> BoxFuture<'_, Seen>;
    fn limits(&self) -> CellLimits;
    /// What happened to a cell since the server started, oldest first.
    fn events(&self, cell: CellId) -> Vec<CellEvent>;
    /// The last lines that a cell's keeper wrote. What an agent writes is kept nowhere.
    fn keeper_log(&self, cell: CellId, lines: usize) -> BoxFuture<'_, Result<Vec<String>, CellUnavailable>>;
    /// Waits for the end of an act, but not longer than an answer may take.
    fn act(&self, cell: CellRef, act: CellAct) -> BoxFuture<'_, Result<Acted, ActFailed>>;
    /// The checks of `holdfast doctor`.
    fn checks(&self) -> BoxFuture<'_, Vec<Check>>;
}
