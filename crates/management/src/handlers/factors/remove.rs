//! `DELETE /api/v1/factors/authenticator`: takes the authenticator and its backup codes away.

use axum::extract::State;
use axum::http::StatusCode;

use crate::access::Fresh;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::factors;

pub(crate) async fn delete(State(app): State<App>, person: Fresh) -> Result<StatusCode, ApiError> {
    let person = person.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let user = person.session().user;
    if factors::standing(&mut transaction, user).await?.required {
        return Err(ApiError::FactorRequired);
    }
    if !factors::remove_authenticator(&mut transaction, user).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::AuthenticatorRemoved);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
