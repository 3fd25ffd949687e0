//! `POST /api/v1/approvals/{id}`: allows what the agent asks for, once and exactly as it was shown, or refuses it.

use axum::Json;
use axum::extract::State;
use protocol::ApprovalId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::super::access::Talking;
use crate::access::{Body, Client, Id};
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, operator_audit};

#[derive(Deserialize, ToSchema)]
#[schema(as = ApprovalAnswer, examples(json!({
    "hash": "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "answer": "refuse", "reason": "Not today.",
})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// As it was listed: what is allowed is what was seen.
    hash: String,
    answer: Answer,
    /// For the agent to read, where it is refused.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApprovalVerdict)]
enum Answer {
    Allow,
    Refuse,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AnsweredApproval, examples(json!({"id": "01981a2c-5c52-7c11-9e0d-5a4b3c2d1e0f", "answer": "refuse"})))]
pub(crate) struct Answered {
    id: ApprovalId,
    answer: Answer,
}

pub(crate) async fn post(
    State(app): State<App>,
    Talking(agent): Talking,
    client: Client,
    Id(id): Id<ApprovalId>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Answered>, ApiError> {
    let Wanted { hash, answer, reason } = wanted;
    let (word, said) = match answer {
        Answer::Allow => ("allowed", json!({"answer": "once"})),
        Answer::Refuse => ("refused", json!({"answer": "deny", "reason": reason})),
    };
    let params = json!({"id": id, "hash": hash, "answer": said});
    app.tenant_api()?.ask(agent.cell(), "approval.decide", params).await?;
    let mut transaction = TenantTransaction::begin(&app.database, agent.tenant).await?;
    let entry = Entry::done(Action::ApiTenantApprovalAnswered)
        .on(Target::new("api_approval", id, ""))
        .with("answer", word)
        .with("agent", &agent.name);
    let by = By::api_tenant(agent.tenant, &agent.tenant_name, &client);
    // The keeper takes the same answer again. Whoever writes it down now is waited for.
    operator_audit::lock_head(&mut transaction).await?;
    if !operator_audit::is_answered(&mut transaction, agent.tenant, id).await? {
        app.audit
            .record_operator(&mut transaction, Some(agent.tenant), &by, &entry)
            .await?;
    }
    transaction.commit().await?;
    Ok(Json(Answered { id, answer }))
}
