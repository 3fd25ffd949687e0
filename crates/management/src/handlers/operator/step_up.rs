//! `POST /api/v1/operator/step-up`: shows the token again, before a dangerous act.

use axum::extract::State;
use axum::response::NoContent;

use super::sign_in::{Shown, check};
use crate::access::Body;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::operator::Operator;
use crate::problem::ApiError;
use crate::storage::{StorageError, operator_sessions};

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Body(shown): Body<Shown>,
) -> Result<NoContent, ApiError> {
    check(&app, operator.client(), shown, Action::OperatorSteppedUp).await?;
    let mut transaction = app.database.pool().begin().await.map_err(StorageError::from)?;
    operator_sessions::proved(&mut transaction, operator.session(), app.clock.now()).await?;
    let entry = Entry::done(Action::OperatorSteppedUp);
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    Ok(NoContent)
}
