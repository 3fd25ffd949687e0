//! `DELETE /api/v1/templates/{name}`: nobody is given it any more; agents that were stay what they are.

use axum::extract::State;
use axum::response::NoContent;

use super::super::access::Operator;
use super::{Called, built_in, target};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::{StorageError, api_templates};

pub(crate) async fn delete(
    State(app): State<App>,
    operator: Operator,
    Called(name): Called,
) -> Result<NoContent, ApiError> {
    if built_in::find(&name).is_some() {
        return Err(ApiError::TemplateBuiltIn);
    }
    let mut transaction = api_templates::begin(&app.database).await?;
    if !api_templates::remove(&mut transaction, &name).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::ApiTemplateRemoved).on(target(&name));
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    Ok(NoContent)
}
