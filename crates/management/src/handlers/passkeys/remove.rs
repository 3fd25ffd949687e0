//! `DELETE /api/v1/factors/passkeys/{id}`: takes one's own passkey away; with the last factor its backup codes go, too.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{Fresh, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::factors;
use crate::ids::PasskeyId;
use crate::problem::ApiError;
use crate::storage::passkeys;

pub(crate) async fn delete(
    State(app): State<App>,
    person: Fresh,
    Id(id): Id<PasskeyId>,
) -> Result<NoContent, ApiError> {
    let person = person.signed_in();
    let user = person.session().user;
    let mut transaction = person.transaction(&app).await?;
    let name = passkeys::remove(&mut transaction, user, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    factors::after_removal(&mut transaction, user).await?;
    let entry = Entry::done(Action::PasskeyRemoved).on(Target::new("passkey", id, &name));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
