//! `POST /api/v1/keys/{id}/rotate`: a new key in place of one, for the same things and as long a time. The old one goes on working
//! for as long as is asked, so that programs can be changed one by one.

use axum::extract::State;
use protocol::ApiKeyId;
use serde::Deserialize;
use time::Duration;
use utoipa::ToSchema;

use super::super::name;
use super::Made;
use crate::access::{Body, Fresh, Id};
use crate::answer::Created;
use crate::api_key::ApiKey;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_keys::{self, NewKey};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Rotate {
    overlap_hours: u32,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: Fresh,
    Id(id): Id<ApiKeyId>,
    Body(body): Body<Rotate>,
) -> Result<Created<Made>, ApiError> {
    let person = person.signed_in();
    if body.overlap_hours > limits::KEY_OVERLAP_HOURS {
        return Err(ApiError::InvalidField {
            field: "overlap_hours",
            reason: format!(
                "The old key may go on working for {} hours at most.",
                limits::KEY_OVERLAP_HOURS
            ),
        });
    }
    let now = app.clock.now();
    let until = now.saturating_add(Duration::hours(body.overlap_hours.into()));
    let key = ApiKey::generate(&*app.entropy)?;
    let mut transaction = person.staying(&app).await?;
    let old = api_keys::replace(&mut transaction, person, id, now, until)
        .await?
        .ok_or(ApiError::NotFound)?;
    let name = name("name", &old.name)?;
    let new = NewKey {
        holder: old.holder,
        name: &name,
        scopes: &old.scopes,
        key: &key,
        now,
        expires_at: now.saturating_add(old.expires_at - old.created_at),
    };
    let made = api_keys::create(&mut transaction, new)
        .await?
        .ok_or(ApiError::LimitReached(limits::KEYS_PER_ACCOUNT))?;
    let entry = Entry::done(Action::KeyRotated)
        .on(Target::new("key", made.id, name.as_str()))
        .with("replaces", id)
        .with("overlap_hours", body.overlap_hours);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(Made::new(&key, made, now)))
}
