//! `GET /api/v1/alerts`: the organisation's rules.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::RuleAnswer;
use crate::access::Manager;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::alerts;

#[derive(Serialize, ToSchema)]
pub(crate) struct Rules {
    alerts: Vec<RuleAnswer>,
}

pub(crate) async fn get(State(app): State<App>, manager: Manager) -> Result<Json<Rules>, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let rules = alerts::list(&mut transaction, &manager).await?;
    Ok(Json(Rules {
        alerts: rules.into_iter().map(RuleAnswer::from).collect(),
    }))
}
