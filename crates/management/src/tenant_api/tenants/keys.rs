//! `POST /api/v1/tenants/{id}/keys`: a new key, told this once; the ones before go on working as long as is asked.
//!
//! `DELETE /api/v1/tenants/{id}/keys/{key}`: the end of a key, from the next request on.

use axum::extract::State;
use axum::response::NoContent;
use protocol::ApiKeyId;
use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;

use super::super::access::Operator;
use super::super::idempotency::Write;
use super::{KeyAnswer, Named, Part, target, write_down};
use crate::access::Body;
use crate::answer::Created;
use crate::api_key::TenantKey;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_tenant_keys, api_tenants, api_writes, wrapping_keys};

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"overlap_hours": 24})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    /// How long the keys before go on working. Absent: until they are revoked.
    #[schema(maximum = 168)]
    overlap_hours: Option<u32>,
}

#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "01981a2c-5c50-7f3e-b9a4-1a2b3c4d5e6f", "hint": "ocpk_YmFy", "created_at": 1_795_000_000_000_i64, "key": "ocpk_…",
})))]
pub(crate) struct Made {
    #[serde(flatten)]
    answer: KeyAnswer,
    key: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    write: Write,
    Body(body): Body<Rotate>,
) -> Result<Created<Made>, ApiError> {
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
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    wrapping_keys::newest(&mut transaction).await?;
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
    let mut entry = Entry::done(Action::ApiTenantKeyMade)
        .on(target(&tenant))
        .with("key", made.id)
        .with("hint", &made.hint);
    if let Some(hours) = body.overlap_hours {
        entry = entry.with("others_end_in_hours", hours);
    }
    write_down(&app, &mut transaction, &operator, &entry).await?;
    api_writes::taken_over(&mut transaction, tenant.cell).await?;
    let made = Made {
        answer: made.into(),
        key: key.text().as_str().to_owned(),
    };
    write.made(&app, &mut transaction, &made).await?;
    transaction.commit().await?;
    Ok(Created(made))
}

pub(crate) async fn delete(
    State(app): State<App>,
    operator: Operator,
    Named(id): Named,
    Part(key): Part,
    write: Write,
) -> Result<NoContent, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, id).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    wrapping_keys::newest(&mut transaction).await?;
    if !api_tenant_keys::revoke(&mut transaction, ApiKeyId::from(key)).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::ApiTenantKeyRevoked)
        .on(target(&tenant))
        .with("key", key);
    write_down(&app, &mut transaction, &operator, &entry).await?;
    write.ended(&app, &mut transaction).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
