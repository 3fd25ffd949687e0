//! `POST /api/v1/providers`: adds a sign-in provider, turned off: the answer has the address that the provider wants to know before it
//! gives a client id and a secret.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::name;
use super::ProviderAnswer;
use crate::access::{Body, FreshManager};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::IdentityProviderId;
use crate::limits;
use crate::problem::ApiError;
use crate::providers::{Kind, issuer};
use crate::storage::providers::Provider;
use crate::storage::{StorageError, providers};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    kind: Kind,
    name: String,
    /// For Microsoft the id of the directory; for GitHub the address of one's own server, or nothing.
    #[serde(default)]
    issuer: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Body(wanted): Body<Wanted>,
) -> Result<Created<ProviderAnswer>, ApiError> {
    let wrong = |reason| ApiError::InvalidField {
        field: "issuer",
        reason,
    };
    let name = name("name", &wanted.name)?;
    let issuer = issuer(wanted.kind, &wanted.issuer).map_err(wrong)?;
    app.providers
        .may_call(&issuer)
        .map_err(|error| wrong(format!("{error}.")))?;
    let person = manager.signed_in();
    let provider = Provider {
        id: IdentityProviderId::new(),
        tenant: person.session().tenant,
        kind: wanted.kind,
        name: name.as_str().to_owned(),
        issuer,
        client_id: String::new(),
        sealed_secret: None,
        on: false,
    };
    let mut transaction = person.transaction(&app).await?;
    let created = providers::create(&mut transaction, &manager, &provider, app.clock.now()).await;
    let created = created.map_err(|error| match error {
        StorageError::Conflict(rule) if rule == "sign_in_providers_tenant_id_issuer_key" => ApiError::ProviderKnown,
        other => other.into(),
    })?;
    if !created {
        return Err(ApiError::LimitReached(limits::PROVIDERS));
    }
    let entry = Entry::done(Action::ProviderAdded)
        .on(Target::new("provider", provider.id, &provider.name))
        .with("kind", provider.kind.as_str())
        .with("issuer", &provider.issuer);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(ProviderAnswer::new(&app, provider)))
}
