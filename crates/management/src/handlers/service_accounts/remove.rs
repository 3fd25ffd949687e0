//! `DELETE /api/v1/service-accounts/{id}`: ends a service account for ever, with every key of it.

use axum::extract::State;
use axum::response::NoContent;
use protocol::UserId;

use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::storage::service_accounts;

pub(crate) async fn delete(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let account = service_accounts::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let keys = service_accounts::remove(&mut transaction, &account, app.clock.now()).await?;
    let entry = Entry::done(Action::ServiceAccountRemoved)
        .on(Target::new("service_account", account.id, &account.name))
        .with("api_keys", keys);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
