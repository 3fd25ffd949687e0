//! `POST /api/v1/keys`: makes a key that acts as oneself. It is shown this once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::name;
use super::{Made, Wanted};
use crate::access::{Body, Fresh};
use crate::api_key::ApiKey;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_keys::{self, NewKey};

pub(crate) async fn post(
    State(app): State<App>,
    person: Fresh,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let person = person.signed_in();
    let now = app.clock.now();
    let name = name("name", &wanted.name)?;
    let (scopes, expires_at) = (wanted.scopes()?, wanted.expires_at(now)?);
    let key = ApiKey::generate(&*app.entropy)?;
    let mut transaction = person.transaction(&app).await?;
    let new = NewKey {
        holder: person.session().user,
        name: &name,
        scopes: &scopes,
        key: &key,
        now,
        expires_at,
    };
    let made = api_keys::create(&mut transaction, new)
        .await?
        .ok_or(ApiError::LimitReached(limits::KEYS_PER_ACCOUNT))?;
    let words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    let entry = Entry::done(Action::KeyMade)
        .on(Target::new("key", made.id, name.as_str()))
        .with("scopes", words.join(" "))
        .with("days", (expires_at - now).whole_days());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(Made::new(&key, made, now))))
}
