//! `DELETE /api/v1/people/{id}`: removes somebody for ever, with their cell, their vault and all that is in it.

use axum::Json;
use axum::extract::State;
use protocol::UserId;

use super::{Fate, Losses, cell_of, record};
use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::Action;
use crate::leavers;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::leaving;

pub(crate) async fn delete(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
) -> Result<Json<Losses>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let leaver = leaving::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let (cascade, named) = leaving::losses(&mut transaction, &leaver).await?;
    leaving::remove(&mut transaction, &leaver, app.clock.now()).await?;
    record(
        &app,
        transaction,
        &manager,
        &leaver,
        Action::PersonRemoved,
        Some(cascade),
    )
    .await?;
    let erased = leavers::erase(&app, cell_of(&manager, &leaver));
    let cell = match tokio::time::timeout(limits::CELL_ERASED, erased).await {
        Ok(true) => Fate::Removed,
        Ok(false) | Err(_) => Fate::Removing,
    };
    Ok(Json(Losses::new(cascade, named, cell)))
}
