//! `POST /api/v1/operator/step-up`: shows the token again, before a dangerous act.
//!
//! The session has another token of its own from then on.

use axum::extract::State;
use axum::response::NoContent;

use super::sign_in::{Shown, check};
use crate::access::Body;
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::operator::{self, Given, Operator};
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::session;
use crate::storage::{StorageError, operator_sessions};

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Body(shown): Body<Shown>,
) -> Result<WithCookies<NoContent>, ApiError> {
    check(&app, operator.client(), shown, Action::OperatorSteppedUp).await?;
    let token = SecretToken::generate(&*app.entropy)?;
    let (hash, now) = (token.hash(), app.clock.now());
    let mut transaction = app.database.begin().await?;
    if !operator_sessions::renew(&mut transaction, operator.session(), hash, now).await? {
        return Err(ApiError::NotSignedIn);
    }
    let entry = Entry::done(Action::OperatorSteppedUp);
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    let life = session::left(operator.session().expires_at, now);
    let cookies = operator::cookies(&app.config.public_url, &Given(token), life)?.into();
    transaction.commit().await.map_err(StorageError::from)?;
    app.limits.known_session(hash);
    let answer = NoContent;
    Ok(WithCookies { answer, cookies })
}
