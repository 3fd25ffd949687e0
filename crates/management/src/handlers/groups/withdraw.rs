//! `POST /api/v1/groups/{id}/invitations/withdraw`: takes an open invitation back.

use axum::extract::State;
use axum::response::NoContent;
use protocol::GroupId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::managed;
use crate::access::{Body, Id, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::GroupInvitationId;
use crate::problem::ApiError;
use crate::storage::group_invitations;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Withdraw {
    #[schema(value_type = Uuid)]
    invitation: GroupInvitationId,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: SignedIn,
    Id(id): Id<GroupId>,
    Body(body): Body<Withdraw>,
) -> Result<NoContent, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let group = managed(&mut transaction, &person, id).await?;
    let email = group_invitations::withdraw(&mut transaction, &group, body.invitation, app.clock.now())
        .await?
        .ok_or(ApiError::NotFound)?;
    let entry = Entry::done(Action::GroupInvitationWithdrawn)
        .on(Target::new("invitation", body.invitation, &email))
        .with("group", &group.name);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
