//! `GET /api/v1/destinations`: where the organisation's alerts and audit events may go besides mailboxes.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::DestinationAnswer;
use crate::access::Manager;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::destinations;

#[derive(Serialize, ToSchema)]
pub(crate) struct Destinations {
    destinations: Vec<DestinationAnswer>,
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Json<Destinations>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let found = destinations::list(&mut transaction, &manager).await?;
    Ok(Json(Destinations {
        destinations: found.into_iter().map(DestinationAnswer::from).collect(),
    }))
}
