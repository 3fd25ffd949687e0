//! `GET /api/v1/invitations`: the organisation's invitations, newest first.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::InvitationAnswer;
use crate::access::Manager;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::invitations;

#[derive(Serialize, ToSchema)]
pub(crate) struct Invitations {
    invitations: Vec<InvitationAnswer>,
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Json<Invitations>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let now = app.clock.now();
    let invitations = invitations::list(&mut transaction, &manager).await?;
    let invitations = invitations
        .into_iter()
        .map(|i| InvitationAnswer::new(i, now, None))
        .collect();
    Ok(Json(Invitations { invitations }))
}
