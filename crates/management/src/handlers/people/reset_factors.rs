//! `POST /api/v1/people/{id}/reset-factors`: for somebody who lost their second factors. All of them go, every session ends, and
//! they are told by mail: a link alone signs in, until they set one up again.

use axum::extract::State;
use axum::response::NoContent;
use protocol::UserId;

use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::factors::reset::reset;
use crate::mail;
use crate::person::Email;
use crate::problem::ApiError;
use crate::storage::leaving;

pub(crate) async fn post(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
) -> Result<NoContent, ApiError> {
    let by = manager.signed_in();
    let mut transaction = by.transaction(&app).await?;
    let person = leaving::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let reset = reset(&mut transaction, &person).await?.ok_or(ApiError::NoFactor)?;
    app.audit
        .record(&mut transaction, &by.by(), reset.entry(&person))
        .await?;
    transaction.commit().await?;
    // The person learns of it also when it was not their wish; a mail that is not sent undoes nothing.
    let session = by.session();
    let letter = Email::parse(&person.email)
        .ok()
        .and_then(|email| mail::factors_reset(&email, &session.user_name, &session.tenant_name));
    if let Some(letter) = letter
        && let Err(error) = app.mailer.send(letter).await
    {
        tracing::error!(%error, "a notice that second factors were reset could not be mailed");
    }
    Ok(NoContent)
}
