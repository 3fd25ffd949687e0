//! `GET /api/v1/people/{id}/cascade`: what somebody would lose.

use axum::Json;
use axum::extract::State;
use protocol::UserId;

use super::{Losses, cell_of};
use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::leaving;

pub(crate) async fn get(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
) -> Result<Json<Losses>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let leaver = leaving::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let (cascade, named) = leaving::losses(&mut transaction, &leaver).await?;
    let state = app.cells.state(cell_of(&manager, &leaver)).await?;
    Ok(Json(Losses::new(cascade, named, state.into())))
}
