//! The cells of people who were sent away: those of who is suspended sleep, and of who was removed nothing is left. It is done when they are
//! sent away, and again and again until it has worked: Docker or the blobs may be away in that moment, and a server may end before it.

use futures::StreamExt as _;

use crate::app::App;
use crate::cell_control::{CellRef, CellState, CellUnavailable};
use crate::limits;
use crate::problem::ApiError;
use crate::repeating::Repeating;
use crate::storage::TenantTransaction;
use crate::storage::cells_of_leavers::{self, Wanted};

/// Sees to them, until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let app = app.clone();
    Repeating::start(limits::CELLS_OF_LEAVERS, move || {
        let app = app.clone();
        async move { see_to_all(&app).await }
    })
}

/// Sees to every one that runs, or of which something is left.
pub(crate) async fn see_to_all(app: &App) {
    let cells = match cells_of_leavers::all(&app.database).await {
        Ok(cells) => cells,
        Err(error) => {
            tracing::error!(%error, "whose cells may not run could not be looked for; it is done later");
            return;
        }
    };
    futures::stream::iter(cells)
        .for_each_concurrent(limits::CELLS_REMOVED_TOGETHER, |(cell, wanted)| {
            let app = app.clone();
            async move { see_to(&app, cell, wanted).await }
        })
        .await;
}

async fn see_to(app: &App, cell: CellRef, wanted: Wanted) {
    match wanted {
        Wanted::Asleep => {
            if let Err(error) = if_still_suspended(app, cell).await {
                tracing::warn!(cell = %cell.cell, %error, "the cell of somebody who is suspended does not sleep yet");
            }
        }
        Wanted::Erased => {
            erase(app, cell).await;
        }
    }
}

/// Nobody who was let back in since they were looked for is sent to sleep.
async fn if_still_suspended(app: &App, cell: CellRef) -> Result<(), ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, cell.tenant).await?;
    let is_suspended = cells_of_leavers::is_to_sleep(&mut transaction, cell.cell).await?;
    transaction.commit().await?;
    if is_suspended {
        send_to_sleep(app, cell).await?;
    }
    Ok(())
}

/// Has the cell of somebody who is suspended sleep, whatever goes on in it; how it is now.
pub(crate) async fn send_to_sleep(app: &App, cell: CellRef) -> Result<CellState, CellUnavailable> {
    app.cells.sleep(cell).await?;
    app.cells.state(cell).await
}

/// Erases the cell of somebody who was removed; false if something is left, which is erased later.
pub(crate) async fn erase(app: &App, cell: CellRef) -> bool {
    let erased = erase_now(app, cell).await;
    if let Err(error) = &erased {
        tracing::warn!(cell = %cell.cell, %error, "of the cell of somebody who was removed something is left; it is tried again");
    }
    erased.is_ok()
}

async fn erase_now(app: &App, cell: CellRef) -> Result<(), ApiError> {
    app.cells.erase(cell).await?;
    let mut transaction = TenantTransaction::begin(&app.database, cell.tenant).await?;
    cells_of_leavers::erased(&mut transaction, cell.cell).await?;
    Ok(transaction.commit().await?)
}
