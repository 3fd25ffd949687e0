//! `DELETE /api/v1/accounts/{id}`: an account at another site signs one in no longer. A link by mail always does.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{Fresh, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::LinkedAccountId;
use crate::problem::ApiError;
use crate::storage::linked_accounts;

pub(crate) async fn delete(
    State(app): State<App>,
    person: Fresh,
    Id(id): Id<LinkedAccountId>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.signed_in().transaction(&app).await?;
    let (issuer, label) = linked_accounts::unlink(&mut transaction, &person, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::AccountUnlinked)
        .on(Target::new("account", id, &label))
        .with("issuer", issuer);
    app.audit
        .record(&mut transaction, &person.signed_in().by(), entry)
        .await?;
    transaction.commit().await?;
    Ok(NoContent)
}
