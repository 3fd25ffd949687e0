//! `GET /api/v1/tenants`: the tenants, in the order in which they were made, page by page.

use axum::Json;
use axum::extract::State;
use protocol::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::access::Operator;
use super::TenantAnswer;
use crate::access::InQuery;
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_tenants;

#[derive(Deserialize, IntoParams)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<Uuid>)]
    cursor: Option<TenantId>,
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "tenants": [{
        "id": "01981a2c-5c4e-7d1a-9a53-2f6f0f6f1b11", "name": "Anna",
        "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
        "limits": {"requests_per_minute": 60, "spend_day": 5_000_000, "spend_month": null},
        "cell": {"id": "01981a2c-5c4f-7b0e-8c11-6d0c2f1f9a02", "state": "asleep"},
        "created_at": 1_795_000_000_000_i64, "updated_at": 1_795_000_000_000_i64,
    }],
})))]
pub(crate) struct Tenants {
    tenants: Vec<TenantAnswer>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<TenantId>,
}

pub(crate) async fn get(
    State(app): State<App>,
    _operator: Operator,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Tenants>, ApiError> {
    let most = page.limit.unwrap_or(limits::TENANTS_LISTED);
    if !(1..=limits::TENANTS_LISTED).contains(&most) {
        return Err(ApiError::InvalidField {
            field: "limit",
            reason: format!("A page has 1 to {} tenants.", limits::TENANTS_LISTED),
        });
    }
    let mut found = api_tenants::list(&app.database, page.cursor, most + 1).await?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = found.len() > most;
    found.truncate(most);
    let next_cursor = found.last().filter(|_| more).map(|last| last.id);
    let mut tenants = Vec::with_capacity(found.len());
    for tenant in found {
        tenants.push(TenantAnswer::new(&app, tenant).await);
    }
    Ok(Json(Tenants { tenants, next_cursor }))
}
