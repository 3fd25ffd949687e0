//! `GET /v1/models`: the tenant's model, under its own name and the agent's.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::super::access::Tenant;
use super::{AGENT, model};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::api_tenants::ApiTenant;

fn entry(tenant: &ApiTenant, id: &str) -> Value {
    json!({"id": id, "object": "model", "created": tenant.created_at.unix_timestamp(), "owned_by": "holdfast"})
}

pub(crate) async fn list(State(_app): State<App>, Tenant(tenant): Tenant) -> Json<Value> {
    let own = tenant.model.as_ref().map(|model| entry(&tenant, &model.name));
    let data: Vec<_> = own.into_iter().chain([entry(&tenant, AGENT)]).collect();
    Json(json!({"object": "list", "data": data}))
}

pub(crate) async fn get(
    State(_app): State<App>,
    Tenant(tenant): Tenant,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    model(&tenant, &id)?;
    Ok(Json(entry(&tenant, &id)))
}
