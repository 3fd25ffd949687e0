//! `GET /api/v1/usage`: what the tenant's agent used of its model, by day and model, and its limits, as its keeper counts them.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Tenant;
use crate::access::InQuery;
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize)]
pub(crate) struct Month {
    /// `2026-11`; this one, if none is named.
    month: Option<String>,
}

pub(crate) async fn get(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    InQuery(Month { month }): InQuery<Month>,
) -> Result<Json<Value>, ApiError> {
    let params = match month {
        Some(month) => json!({"month": month}),
        None => json!({}),
    };
    let spending = app
        .tenant_api()?
        .agents
        .call(tenant.cell(), "spending.get", params)
        .await?;
    Ok(Json(spending))
}
