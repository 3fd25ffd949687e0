//! `POST /api/v1/invitations`: invites an address, by mail. Inviting an owner or an admin takes a fresh proof, which no API key has.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::email;
use super::{InvitationAnswer, deliver};
use crate::access::{Body, Manager};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::clock::after;
use crate::limits;
use crate::person::Role;
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::storage::{StorageError, invitations, users};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Invite {
    email: String,
    role: Role,
}

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Body(body): Body<Invite>,
) -> Result<Created<InvitationAnswer>, ApiError> {
    let email = email(&body.email)?;
    let role = manager.give(body.role, &app)?;
    app.limits
        .invitation(manager.signed_in().session().tenant)
        .await
        .map_err(ApiError::TooMany)?;
    let token = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    let expires_at = after(now, limits::INVITATION_LIFE);
    let mut transaction = manager.signed_in().staying(&app).await?;
    if users::has_email(&mut transaction, &email).await? {
        return Err(ApiError::AlreadyMember);
    }
    let created = invitations::create(&mut transaction, &manager, &email, role, token.hash(), now, expires_at);
    let invitation = created.await.map_err(|error| match error {
        StorageError::Conflict(rule) if rule == "invitations_open" => ApiError::AlreadyInvited,
        other => other.into(),
    })?;
    let entry = Entry::done(Action::Invited)
        .on(Target::new("invitation", invitation.id, email.as_str()))
        .with("role", body.role.as_str());
    app.audit
        .record(&mut transaction, &manager.signed_in().by(), entry)
        .await?;
    transaction.commit().await?;
    let delivery = deliver(&app, &manager, &email, &token).await;
    Ok(Created(InvitationAnswer::new(invitation, now, Some(delivery))))
}
