//! `PUT /api/v1/groups/{id}`: renames a group, puts it away, or takes it out again.

use axum::extract::State;
use axum::response::NoContent;
use protocol::GroupId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::name;
use super::managed;
use crate::access::{Body, Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::groups;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Change {
    name: String,
    archived: bool,
}

pub(crate) async fn put(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<GroupId>,
    Body(change): Body<Change>,
) -> Result<NoContent, ApiError> {
    let name = name("name", &change.name)?;
    let mut transaction = person.transaction(&app).await?;
    let group = managed(&mut transaction, &person, id).await?;
    if !groups::change(&mut transaction, &group, &name, change.archived, app.clock.now()).await? {
        return Err(ApiError::LimitReached(limits::GROUPS));
    }
    let target = || Target::new("group", group.id, name.as_str());
    if group.name != name.as_str() {
        let entry = Entry::done(Action::GroupRenamed)
            .on(target())
            .with("before", &group.name);
        app.audit.record(&mut transaction, &person.by(), entry).await?;
    }
    if group.archived != change.archived {
        let action = match change.archived {
            true => Action::GroupArchived,
            false => Action::GroupRestored,
        };
        app.audit
            .record(&mut transaction, &person.by(), Entry::done(action).on(target()))
            .await?;
    }
    transaction.commit().await?;
    Ok(NoContent)
}
