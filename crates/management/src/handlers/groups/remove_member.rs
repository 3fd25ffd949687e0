//! `POST /api/v1/groups/{id}/members/remove`: takes somebody out of a group, or leaves it oneself.

use axum::extract::State;
use axum::response::NoContent;
use protocol::{GroupId, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;
use crate::storage::groups::{self, Removal};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Remove {
    user: UserId,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<GroupId>,
    Body(body): Body<Remove>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let group = groups::find(&mut transaction, &person, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let group_name = group.name.clone();
    let now = app.clock.now();
    let leaves = body.user == person.session().user;
    let removed = match leaves {
        true => groups::remove(&mut transaction, Removal::Leaving(&group, &person), now).await?,
        false => {
            let group = group.managed().ok_or(ApiError::NotAllowed)?;
            groups::remove(&mut transaction, Removal::Of(&group, body.user), now).await?
        }
    };
    let name = removed.ok_or(ApiError::NotFound)?;
    let entry = match leaves {
        true => Entry::done(Action::GroupLeft).on(Target::new("group", id, &group_name)),
        false => Entry::done(Action::GroupMemberRemoved)
            .on(Target::new("person", body.user, &name))
            .with("group", &group_name),
    };
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
