//! `/api/v1/tenants/{id}/keys`: a new key, the ones before working as long as is asked; and the end of one, at once.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::ApiKeyId;
use serde::{Deserialize, Serialize};
use time::Duration;
use uuid::Uuid;

use super::super::access::Operator;
use super::{KeyAnswer, Named};
use crate::access::Body;
use crate::api_key::TenantKey;
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_tenant_keys, api_tenants};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    /// How long the keys before go on working. Absent: until they are revoked.
    overlap_hours: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct Made {
    #[serde(flatten)]
    answer: KeyAnswer,
    key: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    _operator: Operator,
    Named(id): Named,
    Body(body): Body<Rotate>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    if body
        .overlap_hours
        .is_some_and(|hours| hours > limits::KEY_OVERLAP_HOURS)
    {
        return Err(ApiError::InvalidField {
            field: "overlap_hours",
            reason: format!(
                "The keys before may go on working for {} hours at most.",
                limits::KEY_OVERLAP_HOURS
            ),
        });
    }
    let now = app.clock.now();
    let key = TenantKey::generate(&*app.entropy)?;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    if let Some(hours) = body.overlap_hours {
        let until = now.saturating_add(Duration::hours(hours.into()));
        api_tenant_keys::replace_all(&mut transaction, now, until).await?;
    }
    if api_tenant_keys::list(&mut transaction, now).await?.len() >= limits::TENANT_KEYS {
        return Err(ApiError::LimitReached(
            i64::try_from(limits::TENANT_KEYS).unwrap_or(i64::MAX),
        ));
    }
    let made = api_tenant_keys::create(&mut transaction, &key, now).await?;
    transaction.commit().await?;
    Ok((
        StatusCode::CREATED,
        Json(Made {
            answer: made.into(),
            key: key.text().as_str().to_owned(),
        }),
    ))
}

pub(crate) async fn delete(
    State(app): State<App>,
    _operator: Operator,
    Named(id): Named,
    Path((_, key)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let key: Uuid = key.parse().map_err(|_| ApiError::NotFound)?;
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let revoked = api_tenant_keys::revoke(&mut transaction, ApiKeyId::from(key)).await?;
    transaction.commit().await?;
    match revoked {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::NotFound),
    }
}
