//! `POST /api/v1/people/{id}/suspend`: takes away at once what lets somebody in; their cell goes to sleep and is kept.

use axum::Json;
use axum::extract::State;
use protocol::UserId;

use super::{Losses, cell_of, record, stop_cell};
use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::Action;
use crate::problem::ApiError;
use crate::storage::leaving;

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
) -> Result<Json<Losses>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let leaver = leaving::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let (cascade, named) = leaving::losses(&mut transaction, &leaver).await?;
    let cascade = cascade.suspended();
    leaving::suspend(&mut transaction, &leaver, app.clock.now()).await?;
    record(
        &app,
        transaction,
        &manager,
        &leaver,
        Action::PersonSuspended,
        Some(cascade),
    )
    .await?;
    let cell = stop_cell(&app, cell_of(&manager, &leaver)).await?;
    Ok(Json(Losses::new(cascade, named, cell)))
}
