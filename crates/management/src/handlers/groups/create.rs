//! `POST /api/v1/groups`: makes a group, with oneself as its admin.

use axum::extract::State;
use protocol::GroupId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::name;
use crate::access::{Body, Contributor};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::groups;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Wanted {
    name: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Made {
    id: GroupId,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: Contributor,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    let name = name("name", &wanted.name)?;
    let mut transaction = person.signed_in().transaction(&app).await?;
    let id = groups::create(&mut transaction, &person, &name, app.clock.now())
        .await?
        .ok_or(ApiError::LimitReached(limits::GROUPS))?;
    let entry = Entry::done(Action::GroupMade).on(Target::new("group", id, name.as_str()));
    app.audit
        .record(&mut transaction, &person.signed_in().by(), entry)
        .await?;
    transaction.commit().await?;
    Ok(Created(Made { id }))
}
