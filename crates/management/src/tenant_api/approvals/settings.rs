//! `PATCH /api/v1/approvals`: whether the agent asks before it runs a command, from its next start on.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::super::access::Talking;
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;

/// Kept in the cell's vault.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalSettings, examples(json!({"ask_before_commands": true})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    ask_before_commands: bool,
}

pub(crate) async fn patch(
    State(app): State<App>,
    Talking(agent): Talking,
    Body(settings): Body<Settings>,
) -> Result<Json<Settings>, ApiError> {
    let params = json!({"ask_before_commands": settings.ask_before_commands});
    app.tenant_api()?
        .agents
        .call(agent.cell(), "approval.settings", params)
        .await?;
    Ok(Json(settings))
}
