//! Inviting who is to own an organisation: for a new one, and again where nobody came.

use protocol::Millis;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::clock::{after, millis};
use crate::handlers::invitations::Delivery;
use crate::limits;
use crate::mail;
use crate::operator::FreshOperator;
use crate::person::Email;
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::storage::owner_invitations::{self, Invited, OwnerInvitation};
use crate::storage::{TenantTransaction, tenants};

/// Who is to own an organisation in which nobody is yet.
#[derive(Serialize, ToSchema)]
#[schema(as = OperatorOwnerInvitation)]
pub(crate) struct OwnerAnswer {
    email: String,
    expires_at: Millis,
    expired: bool,
    /// Whether the mail was handed over; only where one was just written.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivery>,
}

impl OwnerAnswer {
    pub(super) fn new(invitation: &OwnerInvitation, now: OffsetDateTime, delivery: Option<Delivery>) -> Self {
        Self {
            email: invitation.email.clone(),
            expires_at: millis(invitation.expires_at),
            expired: invitation.expires_at <= now,
            delivery,
        }
    }
}

/// Invites, writes it down in both logs, commits and mails the link. A mail that is not taken does not undo it: it can be sent again.
pub(super) async fn invite(
    app: &App,
    mut transaction: TenantTransaction,
    fresh: &FreshOperator,
    email: &Email,
) -> Result<OwnerAnswer, ApiError> {
    let token = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    let expires_at = after(now, limits::INVITATION_LIFE);
    let invited = owner_invitations::invite(&mut transaction, fresh, email, token.hash(), now, expires_at).await?;
    let invitation = match invited {
        Invited::Done(invitation) => invitation,
        Invited::Inhabited => return Err(ApiError::Inhabited),
        Invited::Suspended => return Err(ApiError::TenantSuspended),
    };
    let organisation = tenants::name(&mut transaction).await?;
    let entry = || {
        Entry::done(Action::Invited)
            .on(Target::new("invitation", invitation.id, email.as_str()))
            .with("role", "owner")
    };
    super::record(app, transaction, fresh.operator(), entry).await?;
    let link = app.config.public_url.link("join", &token.text());
    let delivery = match mail::owner_invitation(email, &organisation, &link) {
        Some(letter) => Delivery::of(app.mailer.send(letter).await),
        None => Delivery::Failed,
    };
    Ok(OwnerAnswer::new(&invitation, now, Some(delivery)))
}
