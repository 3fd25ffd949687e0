//! `POST /api/v1/group-invitations/{id}/accept`: joins the group.

use axum::extract::State;
use axum::response::NoContent;

use super::own;
use crate::access::{Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::GroupInvitationId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::group_invitations;

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<GroupInvitationId>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.staying(&app).await?;
    group_invitations::lock_group(&mut transaction, id).await?;
    let invitation = own(&app, &mut transaction, &person, id).await?;
    if !group_invitations::accept(&mut transaction, &person, &invitation, app.clock.now()).await? {
        return Err(ApiError::LimitReached(limits::GROUP_MEMBERS));
    }
    let entry = Entry::done(Action::GroupJoined).on(Target::new("group", invitation.group, &invitation.group_name));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
