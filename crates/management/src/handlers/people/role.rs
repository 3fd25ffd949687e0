//! `PUT /api/v1/people/{id}/role`: changes what somebody may do, from their next request on.

use axum::extract::State;
use axum::response::NoContent;
use protocol::UserId;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, FreshManager, Id};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::person::Role;
use crate::problem::ApiError;
use crate::storage::roles;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Change {
    role: Role,
}

pub(crate) async fn put(
    State(app): State<App>,
    manager: FreshManager,
    Id(id): Id<UserId>,
    Body(change): Body<Change>,
) -> Result<NoContent, ApiError> {
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let holder = roles::find(&mut transaction, &manager, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    if !manager.may_manage(change.role) {
        return Err(ApiError::NotAllowed);
    }
    if holder.role == change.role {
        return Ok(NoContent);
    }
    if holder.last_owner {
        return Err(ApiError::LastOwner);
    }
    let lost = roles::change(&mut transaction, &holder, change.role, app.clock.now()).await?;
    let entry = Entry::done(Action::RoleChanged)
        .on(Target::new("person", holder.id, &holder.name))
        .with("from", holder.role.as_str())
        .with("to", change.role.as_str())
        .with("invitations_revoked", lost.invitations)
        .with("alerts_ended", lost.alerts);
    app.audit
        .record(&mut transaction, &manager.signed_in().by(), entry)
        .await?;
    transaction.commit().await?;
    Ok(NoContent)
}
