//! The tenant's model, under its own name and the agent's.
//!
//! `GET /v1/models`: the names by which the tenant's model may be asked for.
//!
//! `GET /v1/models/{id}`: the tenant's model under one of its names.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::access::Tenant;
use super::{AGENT, model};
use crate::app::App;
use crate::openapi::silent;
use crate::problem::ApiError;
use crate::storage::api_tenants::ApiTenant;

/// A model.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiModel, examples(json!({"id": "gpt-5", "object": "model", "created": 1_795_000_000, "owned_by": "holdfast"})))]
pub(crate) struct Entry {
    id: String,
    object: &'static str,
    /// Seconds since 1970.
    created: i64,
    owned_by: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Models {
    object: &'static str,
    data: Vec<Entry>,
}

fn entry(tenant: &ApiTenant, id: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        object: "model",
        created: tenant.created_at.unix_timestamp(),
        owned_by: "holdfast",
    }
}

pub(crate) async fn list(State(_app): State<App>, Tenant(tenant): Tenant) -> Json<Models> {
    let own = tenant.model.as_ref().map(|model| entry(&tenant, &model.name));
    let data = own.into_iter().chain([entry(&tenant, AGENT)]).collect();
    Json(Models { object: "list", data })
}

/// The name in the path, which may have slashes in it; what cannot be read names nothing.
pub(crate) struct Called(String);

impl<S: Send + Sync> FromRequestParts<S> for Called {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|_| ApiError::NotFound)
    }
}

silent!(Called);

pub(crate) async fn get(
    State(_app): State<App>,
    Tenant(tenant): Tenant,
    Called(id): Called,
) -> Result<Json<Entry>, ApiError> {
    model(&tenant, &id)?;
    Ok(Json(entry(&tenant, &id)))
}
