//! `DELETE /api/v1/providers/{id}`: nobody signs in with this provider any more. Whoever is signed in stays so.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::IdentityProviderId;
use crate::problem::ApiError;
use crate::storage::providers;

pub(crate) async fn delete(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<IdentityProviderId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let name = providers::remove(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::ProviderRemoved).on(Target::new("provider", id, &name));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
