//! `PATCH /api/v1/approvals`: JSON Merge Patch (RFC 7396): whether the agent asks before it runs a command, from its next start on.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::super::access::Talking;
use super::super::agents::read;
use super::super::tenants::given;
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;

/// Kept in the cell's vault.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ApprovalSettings, examples(json!({"ask_before_commands": true})))]
pub(crate) struct Settings {
    ask_before_commands: bool,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangedApprovalSettings, examples(json!({"ask_before_commands": true})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// It is one or the other, and cannot be taken away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    ask_before_commands: Option<Option<bool>>,
}

pub(crate) async fn patch(
    State(app): State<App>,
    Talking(agent): Talking,
    Body(change): Body<Change>,
) -> Result<Json<Settings>, ApiError> {
    let api = app.tenant_api()?;
    match change.ask_before_commands {
        Some(Some(ask)) => {
            let params = json!({"ask_before_commands": ask});
            api.ask(agent.cell(), "approval.settings", params).await?;
            Ok(Json(Settings {
                ask_before_commands: ask,
            }))
        }
        Some(None) => Err(ApiError::InvalidField {
            field: "ask_before_commands",
            reason: "It is true or false.".to_owned(),
        }),
        None => Ok(Json(read(api.ask(agent.cell(), "approval.list", json!({})).await?)?)),
    }
}
