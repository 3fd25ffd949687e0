//! `POST /api/v1/alerts/{id}/test`: sends a mail as an alert would come, at once, and says whether it was taken.

use axum::extract::State;
use axum::response::NoContent;

use super::super::email;
use crate::access::{Id, Manager};
use crate::app::App;
use crate::mail;
use crate::problem::ApiError;
use crate::storage::alerts;

pub(crate) async fn post(State(app): State<App>, manager: Manager, Id(id): Id) -> Result<NoContent, ApiError> {
    let session = manager.signed_in().session();
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let rule = alerts::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    drop(transaction);
    app.limits.invitation(session.tenant).await.map_err(ApiError::TooMany)?;
    let page = format!("{}/audit", app.config.public_url.origin());
    let words = format!("A test by {}: nothing has happened", session.user_name);
    let letter = mail::alert(
        &email(&rule.email)?,
        &session.tenant_name,
        "This is a test",
        1,
        &words,
        &page,
    );
    let Some(letter) = letter else {
        return Err(ApiError::MailFailed);
    };
    match app.mailer.send(letter).await {
        Ok(()) => Ok(NoContent),
        Err(error) => {
            tracing::warn!(%error, "the test of an alert could not be mailed");
            Err(ApiError::MailFailed)
        }
    }
}
