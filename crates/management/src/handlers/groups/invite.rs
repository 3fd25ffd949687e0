//! `POST /api/v1/groups/{id}/invitations`: invites an address. The answer is the same whether or not anybody has it.

use axum::extract::State;
use protocol::GroupId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::email;
use super::{InvitationAnswer, managed_open};
use crate::access::{Body, Id, SignedIn};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::clock::after;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::groups::GroupRole;
use crate::storage::{StorageError, group_invitations};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Invite {
    email: String,
    role: GroupRole,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<GroupId>,
    Body(body): Body<Invite>,
) -> Result<Created<InvitationAnswer>, ApiError> {
    let email = email(&body.email)?;
    let mut transaction = person.staying(&app).await?;
    let group = managed_open(&mut transaction, &person, id).await?;
    app.limits
        .invitation(person.session().tenant)
        .await
        .map_err(ApiError::TooMany)?;
    if group_invitations::is_member(&mut transaction, &group, &email).await? {
        return Err(ApiError::AlreadyMember);
    }
    if group.members >= limits::GROUP_MEMBERS {
        return Err(ApiError::LimitReached(limits::GROUP_MEMBERS));
    }
    let now = app.clock.now();
    let expires_at = after(now, limits::INVITATION_LIFE);
    let created =
        group_invitations::create(&mut transaction, &group, &person, &email, body.role, now, expires_at).await;
    let invitation = created.map_err(|error| match error {
        StorageError::Conflict(rule) if rule == "group_invitations_open" => ApiError::AlreadyInvited,
        other => other.into(),
    })?;
    let entry = Entry::done(Action::GroupInvited)
        .on(Target::new("invitation", invitation.id, email.as_str()))
        .with("group", &group.name)
        .with("role", body.role.as_str());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Created(invitation.into()))
}
