//! What management needs of the part that runs cells. The two know nothing else of each other.

use futures::future::BoxFuture;
use protocol::{CellId, TenantId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

/// A cell and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CellRef {
    pub cell: CellId,
    pub tenant: TenantId,
    pub user: UserId,
}

/// How awake a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    Asleep,
    Starting,
    Awake,
    Paused,
    Failed,
}

/// Why the part that runs cells could not do it. The text is for the person who asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct CellUnavailable(pub String);

/// Starts cells and knows how they are.
pub trait CellControl: Send + Sync + 'static {
    /// Starts the keeper and the agent container if they do not run. Returns when this is under way, not when it is done.
    fn wake(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>>;
    /// Puts the cell of somebody to sleep who may not use it now: breaks off what runs in it, seals what can be sealed and stops its containers,
    /// whatever it says. Returns when this is under way.
    fn sleep(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>>;
    /// Removes the cell for ever, with its vault and everything sealed, and returns when it is gone. Of a cell that is not there, nothing is left
    /// to remove.
    fn erase(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>>;
    /// How awake the cell is now.
    fn state(&self, cell: CellRef) -> BoxFuture<'_, Result<CellState, CellUnavailable>>;
    /// Tells the keepers of an organisation that it demands a second person, those that are connected now. Returns when this is under way.
    fn second_demanded(&self, tenant: TenantId);
    /// The organisations of which a cell runs here.
    fn tenants_awake(&self) -> Vec<TenantId>;
    /// What opens the first registration while the cell's vault is new and its keeper is there. For the owner's session alone.
    fn claim(&self, cell: CellRef) -> BoxFuture<'_, Result<Option<String>, CellUnavailable>>;
}
