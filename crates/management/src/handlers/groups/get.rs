//! `GET /api/v1/groups/{id}`: who is in a group, and, for those who manage it, who is invited.

use axum::Json;
use axum::extract::State;
use protocol::{GroupId, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{GroupAnswer, InvitationAnswer};
use crate::access::{Id, SignedIn};
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::groups::GroupRole;
use crate::storage::{group_invitations, groups};

#[derive(Serialize, ToSchema)]
pub(crate) struct Whole {
    group: GroupAnswer,
    members: Vec<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitations: Option<Vec<InvitationAnswer>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = GroupMember)]
struct Member {
    id: UserId,
    name: String,
    email: String,
    role: GroupRole,
}

pub(crate) async fn get(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<GroupId>,
) -> Result<Json<Whole>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let group = groups::find(&mut transaction, &person, id)
        .await?
        .ok_or(ApiError::NotFound)?;
    let members = groups::members(&mut transaction, &group).await?;
    let members = members
        .into_iter()
        .map(|member| Member {
            id: member.id,
            name: member.name,
            email: member.email,
            role: member.role,
        })
        .collect();
    let answer = GroupAnswer::from(&group);
    let invitations = match group.managed() {
        Some(group) => {
            let open = group_invitations::of_group(&mut transaction, &group, app.clock.now()).await?;
            Some(open.into_iter().map(InvitationAnswer::from).collect())
        }
        None => None,
    };
    Ok(Json(Whole {
        group: answer,
        members,
        invitations,
    }))
}
