//! `POST /api/v1/operator/cells/{id}/act`: wakes a cell, pauses it, puts it to sleep or starts it anew. Its vault is opened by none of it.

use axum::Json;
use axum::extract::State;
use protocol::CellId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{cell_of, owner_of, record};
use crate::access::{Body, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::machine::{Acted, CellAct};
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;

#[derive(Deserialize, ToSchema)]
#[schema(as = OperatorAct)]
pub(crate) struct Wanted {
    act: CellAct,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorActed)]
pub(crate) struct Went {
    outcome: Acted,
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id<CellId>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Went>, ApiError> {
    let owner = owner_of(&app, &operator, id).await?;
    let cell = cell_of(&owner, id);
    if owner.suspended && matches!(wanted.act, CellAct::Wake | CellAct::Restart) {
        return Err(ApiError::PersonSuspended);
    }
    let action = match wanted.act {
        CellAct::Wake => Action::CellWoken,
        CellAct::Pause => Action::CellPaused,
        CellAct::Sleep => Action::CellSlept,
        CellAct::Restart => Action::CellRestarted,
    };
    // Written down before it is done: an act that fails was tried, and one that takes long is no secret meanwhile.
    let transaction = TenantTransaction::begin(&app.database, cell.tenant).await?;
    let entry = || Entry::done(action).on(Target::new("cell", cell.cell, &owner.name));
    record(&app, transaction, &operator, entry).await?;
    let outcome = app.machine.act(cell, wanted.act).await?;
    Ok(Json(Went { outcome }))
}
