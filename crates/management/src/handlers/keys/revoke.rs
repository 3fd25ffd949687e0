//! `DELETE /api/v1/keys/{id}`: ends a key at once.

use axum::extract::State;
use axum::response::NoContent;
use protocol::ApiKeyId;

use crate::access::{Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::storage::api_keys;

pub(crate) async fn delete(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<ApiKeyId>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let name = api_keys::revoke(&mut transaction, &person, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::KeyRevoked).on(Target::new("key", id, &name));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
