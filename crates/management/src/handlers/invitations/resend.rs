//! `POST /api/v1/invitations/{id}/resend`: a new mail with a new link, good for another week; the old link stops working.

use axum::Json;
use axum::extract::State;

use super::super::email;
use super::{InvitationAnswer, deliver};
use crate::access::{Id, Manager};
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::clock::after;
use crate::ids::InvitationId;
use crate::limits;
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::storage::invitations;

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<InvitationId>,
) -> Result<Json<InvitationAnswer>, ApiError> {
    app.limits
        .invitation(manager.signed_in().session().tenant)
        .await
        .map_err(ApiError::TooMany)?;
    let token = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    let mut transaction = manager.signed_in().transaction(&app).await?;
    let renewed = invitations::renew(
        &mut transaction,
        &manager,
        id,
        token.hash(),
        after(now, limits::INVITATION_LIFE),
    )
    .await?;
    let invitation = renewed.ok_or(ApiError::NotFound)?;
    let email = email(&invitation.email)?;
    let entry = Entry::done(Action::InvitationResent).on(Target::new("invitation", id, email.as_str()));
    app.audit
        .record(&mut transaction, &manager.signed_in().by(), entry)
        .await?;
    transaction.commit().await?;
    let delivery = deliver(&app, &manager, &email, &token).await;
    Ok(Json(InvitationAnswer::new(invitation, now, Some(delivery))))
}
