//! `DELETE /api/v1/templates/{name}`: nobody is given it any more; agents that were stay what they are.

use axum::extract::State;
use axum::response::NoContent;
use protocol::TenantId;
use uuid::Uuid;

use super::super::access::Operator;
use super::super::idempotency::Write;
use super::{Called, built_in, target};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, api_templates, wrapping_keys};

pub(crate) async fn delete(
    State(app): State<App>,
    operator: Operator,
    Called(name): Called,
    write: Write,
) -> Result<NoContent, ApiError> {
    if built_in::find(&name).is_some() {
        return Err(ApiError::TemplateBuiltIn);
    }
    let mut transaction = api_templates::begin(&app.database).await?;
    if !api_templates::remove(&mut transaction, &name).await? {
        return Err(ApiError::NotFound);
    }
    // It is of no tenant, as the operator's writes are.
    let mut transaction = TenantTransaction::enter(&app.database, transaction, TenantId::from(Uuid::nil())).await?;
    wrapping_keys::newest(&mut transaction).await?;
    let entry = Entry::done(Action::ApiTemplateRemoved).on(target(&name));
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    write.ended(&app, &mut transaction).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
