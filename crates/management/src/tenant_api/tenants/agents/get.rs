//! `GET /api/v1/tenants/{id}/agents/{name}`: one agent.

use axum::Json;
use axum::extract::State;

use super::super::super::access::Operator;
use super::super::Named;
use super::{AgentAnswer, Called, find};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_tenants};

pub(crate) async fn get(
    State(app): State<App>,
    _operator: Operator,
    Named(id): Named,
    Called(name): Called,
) -> Result<Json<AgentAnswer>, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let agent = find(&mut transaction, &tenant, &name).await?;
    transaction.commit().await?;
    let agent = agent.ok_or(ApiError::NotFound)?;
    Ok(Json(AgentAnswer::new(&app, agent).await))
}
