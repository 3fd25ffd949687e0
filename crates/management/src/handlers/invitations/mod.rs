//! Inviting people by mail, and joining with the mail's link.

pub(crate) mod accept;
pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod preview;
pub(crate) mod resend;
pub(crate) mod revoke;

use protocol::Millis;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::access::Manager;
use crate::app::App;
use crate::clock::millis;
use crate::ids::InvitationId;
use crate::mail::{self, MailError};
use crate::person::{Email, Role};
use crate::secret_token::SecretToken;
use crate::storage::invitations::Invitation;

/// An invitation, as managers get it.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationAnswer {
    #[schema(value_type = Uuid)]
    id: InvitationId,
    email: String,
    role: Role,
    expires_at: Millis,
    status: Status,
    /// Whether the mail was handed over; only where one was just written.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<Delivery>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InvitationStatus)]
enum Status {
    Pending,
    Expired,
    Accepted,
    Revoked,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    Sent,
    Failed,
}

impl Delivery {
    /// What became of handing the mail over.
    pub(crate) fn of(sent: Result<(), MailError>) -> Self {
        match sent {
            Ok(()) => Self::Sent,
            Err(error) => {
                tracing::error!(%error, "an invitation could not be mailed");
                Self::Failed
            }
        }
    }
}

impl InvitationAnswer {
    fn new(invitation: Invitation, now: OffsetDateTime, delivery: Option<Delivery>) -> Self {
        let status = match &invitation {
            Invitation {
                accepted_at: Some(_), ..
            } => Status::Accepted,
            Invitation {
                revoked_at: Some(_), ..
            } => Status::Revoked,
            Invitation { expires_at, .. } if *expires_at <= now => Status::Expired,
            _ => Status::Pending,
        };
        Self {
            id: invitation.id,
            email: invitation.email,
            role: invitation.role,
            expires_at: millis(invitation.expires_at),
            status,
            delivery,
        }
    }
}

/// Mails the link. A mail that cannot be handed over does not undo the invitation: it can be sent again.
async fn deliver(app: &App, manager: &Manager, email: &Email, token: &SecretToken) -> Delivery {
    let session = manager.signed_in().session();
    let link = app.config.public_url.link("join", &token.text());
    let Some(letter) = mail::invitation(email, &session.tenant_name, &session.user_name, &link) else {
        return Delivery::Failed;
    };
    Delivery::of(app.mailer.send(letter).await)
}
