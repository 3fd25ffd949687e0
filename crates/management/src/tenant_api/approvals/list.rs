//! `GET /api/v1/approvals`: what the tenant's agent asks for and was not answered yet, whole. It wakes the cell.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use protocol::{ApprovalId, Millis};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::access::Talking;
use super::super::agents::read;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_sessions};

#[derive(Serialize, ToSchema)]
#[schema(as = TenantApprovals, examples(json!({
    "approvals": [{
        "id": "01981a2c-5c52-7c11-9e0d-5a4b3c2d1e0f", "session_id": "first", "asked_at": 1_795_000_000_000_i64,
        "ends_at": 1_795_001_800_000_i64, "hash": "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "action": {"kind": "run_command", "command": "ls", "folder": "/home/agent"},
    }],
    "ask_before_commands": true,
})))]
pub(crate) struct Waiting {
    /// The oldest first.
    approvals: Vec<Request>,
    /// Whether the agent asks before it runs a command.
    ask_before_commands: bool,
}

/// Something that the agent asks for.
#[derive(Serialize, ToSchema)]
#[schema(as = TenantApproval)]
struct Request {
    id: ApprovalId,
    /// In which it was at work when it asked; null where that was none, or several.
    session_id: Option<String>,
    asked_at: Millis,
    /// When it ends by itself.
    ends_at: Millis,
    /// What an answer is bound to: of `action`, as it is written here.
    hash: String,
    /// What would be done, with everything that would be sent: as in `docs/protocol.md`, section 2.
    #[schema(value_type = Object)]
    action: Value,
}

/// As the keeper says it.
#[derive(Deserialize)]
struct Listed {
    waiting: Vec<Shown>,
    ask_before_commands: bool,
}

#[derive(Deserialize)]
struct Shown {
    id: ApprovalId,
    asked_at: Millis,
    expires_at: Millis,
    conversation: Option<String>,
    hash: String,
    action: Value,
}

pub(crate) async fn get(State(app): State<App>, Talking(agent): Talking) -> Result<Json<Waiting>, ApiError> {
    let listed = app.tenant_api()?.ask(agent.cell(), "approval.list", json!({})).await?;
    let listed: Listed = read(listed)?;
    let conversations: Vec<_> = listed
        .waiting
        .iter()
        .filter_map(|each| each.conversation.clone())
        .collect();
    let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
    let names: HashMap<_, _> = api_sessions::names(&mut transaction, &agent.name, &conversations)
        .await?
        .into_iter()
        .collect();
    transaction.commit().await?;
    let approvals = listed.waiting.into_iter().map(|each| Request {
        id: each.id,
        session_id: each
            .conversation
            .and_then(|conversation| names.get(&conversation).cloned()),
        asked_at: each.asked_at,
        ends_at: each.expires_at,
        hash: each.hash,
        action: each.action,
    });
    Ok(Json(Waiting {
        approvals: approvals.collect(),
        ask_before_commands: listed.ask_before_commands,
    }))
}
