//! `GET /api/v1/tenants/{id}`: one tenant, and its keys that work.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::super::access::Operator;
use super::{KeyAnswer, Named, TenantAnswer};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_tenant_keys, api_tenants};

#[derive(Serialize)]
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
