//! The driver: what runs cells. Small, so that another engine is a small piece of work; every call is idempotent, so that
//! a caller that crashed half way simply calls again.

pub mod docker;
pub mod fake;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use protocol::{CellId, TenantId};

/// One of the two containers of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    Keeper,
    Agent,
}

impl Part {
    pub const BOTH: [Self; 2] = [Self::Keeper, Self::Agent];

    /// The name in labels and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keeper => "keeper",
            Self::Agent => "agent",
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a driver knows of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartState {
    /// There is no container.
    Absent,
    /// Made, not started.
    Created,
    Running,
    Paused,
    /// Ended by itself or killed.
    Exited,
}

/// A cell as the driver finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellView {
    pub cell: CellId,
    pub tenant: TenantId,
    pub keeper: PartState,
    pub agent: PartState,
}

impl CellView {
    pub fn part(&self, part: Part) -> PartState {
        match part {
            Part::Keeper => self.keeper,
            Part::Agent => self.agent,
        }
    }
}

/// Use of resources by one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartStats {
    pub memory_bytes: u64,
    pub cpu_total: Duration,
    pub pids: u64,
}

/// From which image a part was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The beginning of the image's hash.
    pub id: String,
    /// Whether a part that is made now comes from the same one.
    pub newest: bool,
}

/// What all cells of an installation share, once prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedNetwork {
    /// Where keepers reach this machine, if they may.
    pub gateway: IpAddr,
}

/// Why a driver call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DriverError {
    /// The engine cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// Something on this machine must be set right by its operator first; the text says what.
    #[error("{0}")]
    Machine(String),
    #[error("the image {image} is not on this machine: build it with `cargo xtask up`")]
    ImageMissing { image: String },
    #[error("the {part} of cell {cell} is not running")]
    NotRunning { cell: CellId, part: Part },
    /// As while it starts another program: that cannot be frozen, and is over in a moment.
    #[error("the {part} of cell {cell} is in the middle of something that cannot be paused")]
    Unfreezable { cell: CellId, part: Part },
    #[error("{step} failed: {message}")]
    Failed { step: String, message: String },
    #[error("{step} took longer than {} s", .limit.as_secs())]
    Timeout { step: String, limit: Duration },
}

/// What runs cells. Calls for one cell are made one after the other, but for the two parts, which may be made and started
/// side by side.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// Makes what all cells of the installation share: network and host rules.
    async fn prepare(&self) -> Result<SharedNetwork, DriverError>;

    /// Removes what [`Self::prepare`] made; cells must be gone.
    async fn teardown(&self) -> Result<(), DriverError>;

    /// Makes a part and the volumes it mounts; what was left of an earlier container of the same part is replaced,
    /// volumes are kept.
    async fn create(&self, cell: CellId, tenant: TenantId, part: Part) -> Result<(), DriverError>;

    async fn start(&self, cell: CellId, part: Part) -> Result<(), DriverError>;

    /// Freezes every process of a part; [`DriverError::NotRunning`] if there is none. A part that is paused stays so.
    async fn pause(&self, cell: CellId, part: Part) -> Result<(), DriverError>;

    /// Lets a paused part run on. A part that runs stays so.
    async fn resume(&self, cell: CellId, part: Part) -> Result<(), DriverError>;

    /// Asks a part to end and kills it after `grace`.
    async fn stop(&self, cell: CellId, part: Part, grace: Duration) -> Result<(), DriverError>;

    /// Ends a part at once, if it runs or is paused, and removes its container. Volumes stay; those in memory lose their
    /// contents when both parts are gone.
    async fn remove(&self, cell: CellId, part: Part) -> Result<(), DriverError>;

    /// Removes the volumes of a cell for ever. Both parts must be removed before.
    async fn destroy(&self, cell: CellId) -> Result<(), DriverError>;

    /// The cell's parts now; `None` if it has no container.
    async fn inspect(&self, cell: CellId) -> Result<Option<CellView>, DriverError>;

    /// Every cell of this installation that has a container.
    async fn list(&self) -> Result<Vec<CellView>, DriverError>;

    /// Memory that the machine of this cell has to give, in bytes; `None` where it is not for the platform to say.
    async fn free_memory(&self, _cell: CellId) -> Result<Option<u64>, DriverError> {
        Ok(None)
    }

    async fn stats(&self, cell: CellId, part: Part) -> Result<PartStats, DriverError>;

    /// From which image a part was made; [`DriverError::NotRunning`] if it has no container.
    async fn build(&self, cell: CellId, part: Part) -> Result<Build, DriverError>;

    /// The last lines that a part wrote, oldest first. An agent's output is never kept: it could hold words of a
    /// conversation.
    async fn logs(&self, cell: CellId, part: Part, lines: usize) -> Result<Vec<String>, DriverError>;
}
