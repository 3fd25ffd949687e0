//! The tenant's model, under its own name and the first agent's, and its agents, under theirs.
//!
//! `GET /v1/models`: the names by which the tenant's agents may be asked for.
//!
//! `GET /v1/models/{id}`: one of these names.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::access::Tenant;
use super::{AGENT, OF_AGENTS, agent};
use crate::app::App;
use crate::openapi::silent;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::api_agents::{self, ApiAgent};

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
#[schema(as = OpenAiModels, examples(json!({
    "object": "list", "data": [{"id": "gpt-5", "object": "model", "created": 1_795_000_000, "owned_by": "holdfast"}],
})))]
pub(crate) struct Models {
    object: &'static str,
    data: Vec<Entry>,
}

fn entry(agent: &ApiAgent, id: &str) -> Entry {
    Entry {
        id: id.to_owned(),
        object: "model",
        created: agent.created_at.unix_timestamp(),
        owned_by: "holdfast",
    }
}

pub(crate) async fn list(State(app): State<App>, Tenant(tenant): Tenant) -> Result<Json<Models>, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    let others = api_agents::list(&mut transaction, &tenant).await?;
    transaction.commit().await?;
    let main = tenant.main();
    let own = main.model.as_ref().map(|model| entry(&main, &model.name));
    let agents = [&main]
        .into_iter()
        .chain(&others)
        .map(|agent| entry(agent, &format!("{OF_AGENTS}{}", agent.name)));
    let data = own.into_iter().chain([entry(&main, AGENT)]).chain(agents).collect();
    Ok(Json(Models { object: "list", data }))
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
    State(app): State<App>,
    Tenant(tenant): Tenant,
    Called(id): Called,
) -> Result<Json<Entry>, ApiError> {
    let agent = agent(&app, &tenant, &id).await?;
    Ok(Json(entry(&agent, &id)))
}
