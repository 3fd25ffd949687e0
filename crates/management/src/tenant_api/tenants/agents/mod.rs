//! `/api/v1/tenants/{id}/agents`: the agents of a tenant, each with a cell of its own. The first is the tenant's own, called `main`; the operator
//! makes others beside it, changes and removes them.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use protocol::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::access::agent_name;
use super::super::schedules::{self, JobAnswer};
use super::{CellAnswer, ModelAnswer, TemplateOf, given, not_below_zero};
use crate::app::App;
use crate::audit::Target;
use crate::cell_control::CellState;
use crate::clock::millis;
use crate::problem::ApiError;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_tenants::{ApiTenant, Share};
use crate::storage::{StorageError, TenantTransaction};

/// An agent, as the operator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiAgent, examples(json!({
    "name": "press", "template": {"name": "writer", "version": "5f0c2a91d3b4e678"},
    "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
    "limits": {"spend_day": 1_000_000, "spend_month": null},
    "cell": {"id": "01981a2c-5c52-7b0e-8c11-6d0c2f1f9a03", "state": "asleep"},
    "created_at": 1_795_000_000_000_i64, "updated_at": 1_795_000_000_000_i64,
})))]
pub(crate) struct AgentAnswer {
    /// `main` is the tenant's first, which is changed and removed with the tenant.
    name: String,
    /// What it is; absent: OpenClaw as it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<TemplateOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelAnswer>,
    /// What it goes on to where `model` cannot answer, in this order; absent: nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fallbacks: Vec<ModelAnswer>,
    limits: ShareAnswer,
    cell: CellAnswer,
    /// What it does by the clock; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Vec<JobAnswer>>,
    created_at: Millis,
    updated_at: Millis,
}

/// The share of what the tenant may spend. Null: none of its own. `main` has what the shares of the others leave.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiAgentLimits)]
struct ShareAnswer {
    /// Millionths of a US dollar in a day of UTC.
    spend_day: Option<i64>,
    /// The same in a month.
    spend_month: Option<i64>,
}

impl AgentAnswer {
    async fn new(app: &App, agent: ApiAgent) -> Self {
        let state = app.cells.state(agent.cell()).await.ok();
        let schedule = schedules::of(app, &agent).await;
        Self::of(agent, state, schedule)
    }

    fn of(agent: ApiAgent, state: Option<CellState>, schedule: Option<Vec<JobAnswer>>) -> Self {
        Self {
            schedule,
            cell: CellAnswer { id: agent.cell, state },
            name: agent.name,
            template: agent.template.map(TemplateOf::from),
            model: agent.model.map(ModelAnswer::from),
            fallbacks: agent.fallbacks.into_iter().map(ModelAnswer::from).collect(),
            limits: ShareAnswer {
                spend_day: agent.share.day,
                spend_month: agent.share.month,
            },
            created_at: millis(agent.created_at),
            updated_at: millis(agent.updated_at),
        }
    }
}

/// What is asked for as a share. Null: none. In a change, what is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = WantedShare)]
#[serde(default, deny_unknown_fields)]
struct ShareWanted {
    /// Millionths of a US dollar in a day of UTC; needed where the tenant has such a limit. Needs a model with a price.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    spend_day: Option<Option<i64>>,
    /// The same in a month.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    spend_month: Option<Option<i64>>,
}

impl ShareWanted {
    fn onto(self, known: Share) -> Result<Share, ApiError> {
        let share = Share {
            day: self.spend_day.unwrap_or(known.day),
            month: self.spend_month.unwrap_or(known.month),
        };
        not_below_zero(share)?;
        Ok(share)
    }
}

/// The agent in the path.
pub(crate) struct Called(String);

impl<S: Send + Sync> FromRequestParts<S> for Called {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        // What cannot be read is no name, as any other that is none.
        let Path((_, name)) = path.unwrap_or_else(|_| Path(Default::default()));
        Ok(Self(agent_name(&name)?.to_owned()))
    }
}

crate::openapi::silent!(Called);

/// The agent of this name, the first one also.
async fn find(
    transaction: &mut TenantTransaction,
    tenant: &ApiTenant,
    name: &str,
) -> Result<Option<ApiAgent>, StorageError> {
    match name {
        api_agents::MAIN => Ok(Some(tenant.main())),
        name => api_agents::find(transaction, tenant, name).await,
    }
}

/// An agent, as the operator's audit log names it.
fn target(tenant: &ApiTenant, agent: &str) -> Target {
    Target::new("api_agent", tenant.id, &format!("{}/{agent}", tenant.name))
}
