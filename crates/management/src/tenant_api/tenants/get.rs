//! `GET /api/v1/tenants/{id}`: one tenant, and its keys that work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::access::Operator;
use super::{KeyAnswer, Named, TenantAnswer};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_tenant_keys, api_tenants};

#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01981a2c-5c4e-7d1a-9a53-2f6f0f6f1b11", "name": "Anna",
    "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
    "limits": {"requests_per_minute": 60, "spend_day": 5_000_000, "spend_month": null},
    "cell": {"id": "01981a2c-5c4f-7b0e-8c11-6d0c2f1f9a02", "state": "asleep"},
    "created_at": 1_795_000_000_000_i64, "updated_at": 1_795_000_000_000_i64,
    "keys": [{"id": "01981a2c-5c50-7f3e-b9a4-1a2b3c4d5e6f", "hint": "ocpk_Zm9v", "created_at": 1_795_000_000_000_i64}],
})))]
pub(crate) struct One {
    #[serde(flatten)]
    tenant: TenantAnswer,
    keys: Vec<KeyAnswer>,
}

pub(crate) async fn get(State(app): State<App>, _operator: Operator, Named(id): Named) -> Result<Json<One>, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let keys = api_tenant_keys::list(&mut transaction, app.clock.now()).await?;
    transaction.commit().await?;
    Ok(Json(One {
        tenant: TenantAnswer::new(&app, tenant).await,
        keys: keys.into_iter().map(KeyAnswer::from).collect(),
    }))
}
