//! `GET /api/v1/operator/session`: whether the operator is signed in, and until when.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::{after, millis};
use crate::limits;
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::operator_sessions::OperatorSession;

#[derive(Serialize, ToSchema)]
#[schema(as = OperatorSession)]
pub(crate) struct SessionAnswer {
    /// What the installation is called, and its version.
    name: String,
    version: String,
    signed_in_at: Millis,
    expires_at: Millis,
    /// Until then dangerous acts need no other look at the token.
    fresh_until: Millis,
    /// The session ends when it is not used for so long.
    idle_ms: u64,
}

impl SessionAnswer {
    pub(super) fn new(app: &App, session: &OperatorSession) -> Self {
        Self {
            name: app.config.name.clone(),
            version: app.config.version.clone(),
            signed_in_at: millis(session.created_at),
            expires_at: millis(session.expires_at),
            fresh_until: millis(after(session.proved_at, limits::STEP_UP)),
            idle_ms: u64::try_from(limits::OPERATOR_IDLE.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

pub(crate) async fn get(State(app): State<App>, operator: Operator) -> Result<Json<SessionAnswer>, ApiError> {
    Ok(Json(SessionAnswer::new(&app, operator.session())))
}
