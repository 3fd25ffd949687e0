//! `GET /api/v1/cell`: how the own cell is, and, while its vault is new, the claim that opens the first registration.

use axum::Json;
use axum::extract::State;
use protocol::CellId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::cell_control::CellState;
use crate::problem::ApiError;
use crate::storage::mailboxes;

#[derive(Serialize, ToSchema)]
pub(crate) struct Cell {
    id: CellId,
    state: CellState,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    /// Something from another vault waits until this one is unlocked. Left out when nothing is known to wait.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    something_waits: bool,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Cell>, ApiError> {
    let cell = person.cell();
    let state = app.cells.state(cell).await?;
    let claim = match state {
        // The claim opens a new vault: no key gets it.
        CellState::Starting | CellState::Awake if !person.session().by_key => app.cells.claim(cell).await?,
        _ => None,
    };
    let mut transaction = person.transaction(&app).await?;
    let something_waits = mailboxes::waits(&mut transaction, &person, app.clock.now()).await?;
    Ok(Json(Cell {
        id: cell.cell,
        state,
        claim,
        something_waits,
    }))
}
