//! `POST /api/v1/service-accounts/{id}/keys`: makes a key of a service account. It is shown this once.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::keys::{Made, Wanted};
use super::super::name;
use crate::access::{Body, FreshManager, Id};
use crate::api_key::ApiKey;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_keys::{self, NewKey};
use crate::storage::service_accounts;

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id,
    Body(wanted): Body<Wanted>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let person = manager.signed_in();
    let now = app.clock.now();
    let name = name("name", &wanted.name)?;
    let (scopes, expires_at) = (wanted.scopes()?, wanted.expires_at(now)?);
    if scopes.iter().any(|scope| scope.is_of_cell()) {
        return Err(ApiError::InvalidField {
            field: "scopes",
            reason: "A service account has no cell.".to_owned(),
        });
    }
    let key = ApiKey::generate(&*app.entropy)?;
    let mut transaction = person.transaction(&app).await?;
    let account = service_accounts::find(&mut transaction, &manager, id.into())
        .await?
        .ok_or(ApiError::NotFound)?;
    let new = NewKey {
        holder: account.id,
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
        .with("service_account", account.id);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(Made::new(&key, made, now))))
}
