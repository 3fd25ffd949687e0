//! `GET /api/v1/usage`: what one of the tenant's agents used of its model, by day and model, and its limits, as its keeper counts them.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::access::Talking;
use super::agents::read;
use crate::access::InQuery;
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize, IntoParams)]
pub(crate) struct Month {
    /// `2026-11`; this one, if none is named.
    #[param(pattern = "^[0-9]{4}-[0-9]{2}$")]
    month: Option<String>,
}

/// Money is in millionths of a US dollar; days and months are of UTC.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "agent": "main", "limits": {"day": 5_000_000, "month": null}, "spent": {"day": 2_100, "month": 48_000}, "month": "2026-11",
    "usage": [{
        "day": "2026-11-27", "provider": "llm.example", "model": "gpt-5", "calls": 3, "failed": 0, "input": 1_200, "cached": 300,
        "written": 0, "output": 90, "cost": 2_100, "estimated": 0, "unpriced": 0,
    }],
})))]
pub(crate) struct Usage {
    agent: String,
    #[serde(flatten)]
    counted: Counted,
}

/// As the agent's keeper says it.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(as = CountedUsage)]
struct Counted {
    /// Of this agent: its share, or, for `main`, what the shares of the others leave of the tenant's.
    limits: UsageLimits,
    spent: Spent,
    /// The one that `usage` is of, such as `2026-11`.
    month: String,
    /// The latest day first.
    usage: Vec<Used>,
}

/// Null: no limit.
#[derive(Deserialize, Serialize, ToSchema)]
struct UsageLimits {
    day: Option<u64>,
    month: Option<u64>,
}

/// Today, and in this month.
#[derive(Deserialize, Serialize, ToSchema)]
struct Spent {
    day: u64,
    month: u64,
}

/// What one model did in a day.
#[derive(Deserialize, Serialize, ToSchema)]
struct Used {
    day: String,
    provider: String,
    model: String,
    calls: u64,
    /// Calls that were not answered.
    failed: u64,
    /// Tokens that were neither read from the provider's cache nor written to it.
    input: u64,
    cached: u64,
    written: u64,
    output: u64,
    cost: u64,
    /// Calls whose usage was not told by the end of an answer: they count as the most that they could cost.
    estimated: u64,
    /// Calls of a model whose price is not set.
    unpriced: u64,
}

pub(crate) async fn get(
    State(app): State<App>,
    Talking(agent): Talking,
    InQuery(Month { month }): InQuery<Month>,
) -> Result<Json<Usage>, ApiError> {
    let params = match month {
        Some(month) => json!({"month": month}),
        None => json!({}),
    };
    let spending = app.tenant_api()?.ask(agent.cell(), "spending.get", params).await?;
    Ok(Json(Usage {
        agent: agent.name,
        counted: read(spending)?,
    }))
}
