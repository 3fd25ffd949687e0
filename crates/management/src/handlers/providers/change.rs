//! `PUT /api/v1/providers/{id}`: names a sign-in provider, keeps what it gave, turns it on or off. A secret that is left out stays as it
//! is.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::name;
use super::ProviderAnswer;
use crate::access::{Body, FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::IdentityProviderId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::providers;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    name: String,
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    on: bool,
}

pub(crate) async fn put(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<IdentityProviderId>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<ProviderAnswer>, ApiError> {
    let name = name("name", &wanted.name)?;
    let client_id = given("client_id", &wanted.client_id, limits::CLIENT_ID_BYTES)?;
    let secret = match wanted.client_secret.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(text) => Some(given("client_secret", text, limits::CLIENT_SECRET_BYTES)?),
    };
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let found = providers::find(&mut transaction, manager.manager(), id).await?;
    let mut provider = found.ok_or(ApiError::NotFound)?;
    name.as_str().clone_into(&mut provider.name);
    client_id.clone_into(&mut provider.client_id);
    if let Some(secret) = secret {
        provider.sealed_secret = Some(app.provider_key.seal(&*app.entropy, provider.tenant, id, secret)?);
    }
    if wanted.on && (provider.client_id.is_empty() || provider.sealed_secret.is_none()) {
        return Err(ApiError::ProviderUnfinished);
    }
    provider.on = wanted.on;
    providers::change(&mut transaction, &manager, &provider).await?;
    let entry = Entry::done(Action::ProviderChanged)
        .on(Target::new("provider", id, &provider.name))
        .with("on", provider.on)
        .with("new_secret", secret.is_some());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Json(ProviderAnswer::new(&app, provider)))
}

/// What a provider gave: one line of visible characters.
fn given<'a>(field: &'static str, text: &'a str, longest: usize) -> Result<&'a str, ApiError> {
    let text = text.trim();
    let fits = text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(text).ok_or_else(|| ApiError::InvalidField {
        field,
        reason: format!("Enter it as the provider shows it: at most {longest} characters, without spaces."),
    })
}
