//! `GET /api/v1/tenants/{id}/agents`: the tenant's agents by name, `main` among them, page by page.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::super::access::{Operator, agent_name};
use super::super::Named;
use super::AgentAnswer;
use crate::access::InQuery;
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_agents, api_tenants};

#[derive(Deserialize, IntoParams)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    #[param(pattern = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
    cursor: Option<String>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiAgents, examples(json!({
    "agents": [{
        "name": "main", "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
        "limits": {"spend_day": 5_000_000, "spend_month": null},
        "cell": {"id": "01981a2c-5c4f-7b0e-8c11-6d0c2f1f9a02", "state": "asleep"},
        "created_at": 1_795_000_000_000_i64, "updated_at": 1_795_000_000_000_i64,
    }],
})))]
pub(crate) struct Agents {
    agents: Vec<AgentAnswer>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    _operator: Operator,
    Named(id): Named,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Agents>, ApiError> {
    let most = page.limit.unwrap_or(limits::AGENTS_LISTED);
    if !(1..=limits::AGENTS_LISTED).contains(&most) {
        return Err(ApiError::InvalidField {
            field: "limit",
            reason: format!("A page has 1 to {} agents.", limits::AGENTS_LISTED),
        });
    }
    let after = page.cursor.as_deref().map(agent_name).transpose()?;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let mut found = api_agents::list(&mut transaction, &tenant).await?;
    transaction.commit().await?;
    found.push(tenant.main());
    found.retain(|agent| after.is_none_or(|after| agent.name.as_str() > after));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let more = found.len() > most;
    found.truncate(most);
    let next_cursor = found.last().filter(|_| more).map(|last| last.name.clone());
    let mut agents = Vec::with_capacity(found.len());
    for agent in found {
        agents.push(AgentAnswer::new(&app, agent).await);
    }
    Ok(Json(Agents { agents, next_cursor }))
}
