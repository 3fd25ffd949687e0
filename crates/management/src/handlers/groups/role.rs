//! `PUT /api/v1/groups/{id}/members`: changes what a member may do in the group.

use axum::extract::State;
use axum::response::NoContent;
use protocol::{GroupId, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::managed_open;
use crate::access::{Body, Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::storage::groups::{self, GroupRole};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Change {
    user: UserId,
    role: GroupRole,
}

pub(crate) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<GroupId>,
    Body(change): Body<Change>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let group = managed_open(&mut transaction, &person, id).await?;
    let name = groups::change_role(&mut transaction, &group, change.user, change.role, app.clock.now())
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::GroupRoleChanged)
        .on(Target::new("person", change.user, &name))
        .with("group", &group.name)
        .with("to", change.role.as_str());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
