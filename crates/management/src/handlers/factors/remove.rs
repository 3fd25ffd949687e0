//! `DELETE /api/v1/factors/authenticator`: takes the authenticator away; with the last factor the backup codes go, too.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::Fresh;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors;
use crate::problem::ApiError;
use crate::storage::factors as stored;

pub(crate) async fn delete(State(app): State<App>, person: Fresh) -> Result<NoContent, ApiError> {
    let person = person.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let user = person.session().user;
    if !stored::remove_authenticator(&mut transaction, user).await? {
        return Err(ApiError::NotFound);
    }
    factors::after_removal(&mut transaction, user).await?;
    let entry = Entry::done(Action::AuthenticatorRemoved);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
