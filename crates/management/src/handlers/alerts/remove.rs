//! `DELETE /api/v1/alerts/{id}`: ends a rule, with what waits to be told for it.

use axum::extract::State;
use axum::response::NoContent;

use crate::access::{FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::AlertRuleId;
use crate::problem::ApiError;
use crate::storage::alerts;

pub(crate) async fn delete(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<AlertRuleId>,
) -> Result<NoContent, ApiError> {
    let person = manager.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let rule = alerts::find(&mut transaction, manager.manager(), id)
        .await?
        .ok_or(ApiError::NotFound)?;
    if !alerts::remove(&mut transaction, &manager, id).await? {
        return Err(ApiError::NotFound);
    }
    let entry = Entry::done(Action::AlertRemoved)
        .on(Target::new("alert", id, rule.receiver.name()))
        .with("trigger", rule.trigger.as_str());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
