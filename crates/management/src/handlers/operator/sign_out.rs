//! `POST /api/v1/operator/sign-out`: ends this session of the operator.

use axum::extract::State;
use axum::response::NoContent;

use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::operator::{self, Operator};
use crate::problem::ApiError;
use crate::storage::{StorageError, operator_sessions};

pub(crate) async fn post(State(app): State<App>, operator: Operator) -> Result<WithCookies<NoContent>, ApiError> {
    let mut transaction = app.database.begin().await?;
    operator_sessions::end(&mut transaction, operator.session()).await?;
    let entry = Entry::done(Action::OperatorSignedOut);
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    Ok(WithCookies {
        answer: NoContent,
        cookies: operator::clear(&app.config.public_url).into(),
    })
}
