//! `DELETE /api/v1/invitations/{id}`: takes an open invitation back; its link stops working.

use axum::extract::State;
use axum::http::StatusCode;

use crate::access::{Id, Manager};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::invitations;

pub(crate) async fn delete(State(app): State<App>, manager: Manager, Id(id): Id) -> Result<StatusCode, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    if !invitations::revoke(&mut transaction, &manager, id, app.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
