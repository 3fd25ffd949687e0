//! Joins management, which knows whose a cell is, with the part that runs cells.

use cells::Cells;
use futures::future::BoxFuture;
use management::{CellControl, CellRef, CellState, CellUnavailable};
use protocol::TenantId;
use tracing::warn;

/// What management sees of the cells.
pub struct CellsOfManagement {
    cells: Cells,
}

impl CellsOfManagement {
    pub fn new(cells: Cells) -> Self {
        Self { cells }
    }
}

impl CellControl for CellsOfManagement {
    fn wake(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        let cells = self.cells.clone();
        Box::pin(async move {
            // Under way, not done: the person sees the state change. What fails later is in the state and in the log.
            tokio::spawn(async move {
                if let Err(error) = cells.wake(cell.cell, cell.tenant).await {
                    warn!(cell = %cell.cell, %error, "a cell did not wake");
                }
            });
            Ok(())
        })
    }

    fn sleep(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        let cells = self.cells.clone();
        Box::pin(async move {
            tokio::spawn(async move {
                if let Err(error) = cells.sleep_now(cell.cell).await {
                    warn!(cell = %cell.cell, %error, "the cell of a suspended person does not sleep yet");
                }
            });
            Ok(())
        })
    }

    fn erase(&self, cell: CellRef) -> BoxFuture<'_, Result<(), CellUnavailable>> {
        let cells = self.cells.clone();
        Box::pin(async move {
            let removed = cells.remove(cell.cell, cell.tenant).await;
            removed
                .map(drop)
                .map_err(|error| CellUnavailable(format!("the cell {} could not be removed: {error}.", cell.cell)))
        })
    }

    fn second_demanded(&self, tenant: TenantId) {
        let cells = self.cells.clone();
        tokio::spawn(async move { cells.second_demanded(tenant).await });
    }

    fn tenants_awake(&self) -> Vec<TenantId> {
        self.cells.tenants_awake()
    }

    fn state(&self, cell: CellRef) -> BoxFuture<'_, Result<CellState, CellUnavailable>> {
        Box::pin(std::future::ready(Ok(state(self.cells.state(cell.cell)))))
    }

    fn claim(&self, cell: CellRef) -> BoxFuture<'_, Result<Option<String>, CellUnavailable>> {
        Box::pin(std::future::ready(Ok(self.cells.claim(cell.cell))))
    }
}

/// How awake a cell is, in management's words.
pub(super) fn state(state: cells::CellState) -> CellState {
    match state {
        cells::CellState::Asleep => CellState::Asleep,
        cells::CellState::Starting => CellState::Starting,
        cells::CellState::Awake => CellState::Awake,
        cells::CellState::Paused => CellState::Paused,
        cells::CellState::Failed => CellState::Failed,
    }
}
