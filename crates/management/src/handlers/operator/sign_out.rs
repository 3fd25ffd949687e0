//! `POST /api/v1/operator/sign-out`: ends this session of the operator.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};

use crate::app::App;
use crate::audit::{Action, Entry};
use crate::operator::{self, Operator};
use crate::problem::ApiError;
use crate::storage::{StorageError, operator_sessions};

pub(crate) async fn post(State(app): State<App>, operator: Operator) -> Result<impl IntoResponse, ApiError> {
    let mut transaction = app.database.pool().begin().await.map_err(StorageError::from)?;
    operator_sessions::end(&mut transaction, operator.session()).await?;
    let entry = Entry::done(Action::OperatorSignedOut);
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    Ok((
        StatusCode::NO_CONTENT,
        AppendHeaders(operator::clear(&app.config.public_url).map(|cookie| (SET_COOKIE, cookie))),
    ))
}
