//! `POST /api/v1/people/{id}/restore`: lets somebody back in who was suspended. They sign in anew; their cell is as it was.

use axum::extract::State;
use axum::response::NoContent;
use protocol::UserId;

use super::record;
use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::Action;
use crate::problem::ApiError;
use crate::storage::leaving;

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
) -> Result<NoContent, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let leaver = leaving::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    if leaver.suspended.is_some() {
        leaving::restore(&mut transaction, &leaver).await?;
        record(&app, transaction, &manager, &leaver, Action::PersonRestored, None).await?;
    }
    Ok(NoContent)
}
