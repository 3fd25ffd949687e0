//! `GET /api/v1/operator/cells/{id}`: one cell: how it is, what happened to it, what its keeper wrote down, what it may use.

use axum::Json;
use axum::extract::State;
use protocol::{CellId, Millis};
use serde::Serialize;
use utoipa::ToSchema;

use super::cells::{CellAnswer, by_id};
use super::owner_of;
use crate::access::Id;
use crate::app::App;
use crate::limits;
use crate::machine::{CellEvent, CellLimits};
use crate::operator::Operator;
use crate::problem::ApiError;

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorWholeCell)]
pub(crate) struct WholeCell {
    seen_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    cell: CellAnswer,
    /// Since the server started, oldest first.
    events: Vec<CellEvent>,
    limits: CellLimits,
    /// The last lines of the keeper; empty while there is none.
    log: Vec<String>,
    /// Why its lines could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    log_problem: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    operator: Operator,
    Id(id): Id<CellId>,
) -> Result<Json<WholeCell>, ApiError> {
    let person = owner_of(&app, &operator, id).await?;
    let (seen, log) = futures::future::join(
        app.machine.look(),
        app.machine.keeper_log(id, limits::OPERATOR_LOG_LINES),
    )
    .await;
    let facts = by_id(&seen).remove(&(id, person.tenant));
    let (log, log_problem) = match log {
        Ok(lines) => (lines, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Ok(Json(WholeCell {
        seen_at: seen.at,
        problem: seen.problem,
        cell: CellAnswer::new(person, facts).ok_or(ApiError::NotFound)?,
        events: app.machine.events(id),
        limits: app.machine.limits(),
        log,
        log_problem,
    }))
}
