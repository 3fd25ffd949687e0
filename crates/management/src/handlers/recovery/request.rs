//! `POST /api/v1/recovery/request`: asks the contacts, in place of an earlier request. Only by who has just signed in,
//! with everything that they have to show: who finds a session open does not get to ask.

use axum::extract::State;
use protocol::b64;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Body, NewlySignedIn, SignedIn};
use crate::answer::Created;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::ids::RecoveryRequestId;
use crate::limits;
use crate::mail;
use crate::person::Email;
use crate::problem::ApiError;
use crate::storage::{recovery, users};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Ask {
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    request: Vec<u8>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    #[schema(value_type = Uuid)]
    id: RecoveryRequestId,
}

pub(crate) async fn post(
    State(app): State<App>,
    person: NewlySignedIn,
    Body(body): Body<Ask>,
) -> Result<Created<Asked>, ApiError> {
    if body.request.is_empty() || body.request.len() > limits::RECOVERY_REQUEST_BYTES {
        return Err(ApiError::InvalidField {
            field: "request",
            reason: "This is no request for recovery.".to_owned(),
        });
    }
    let person = person.signed_in();
    let mut transaction = person.transaction(&app).await?;
    let id = recovery::open(&mut transaction, person, &body.request, app.clock.now()).await?;
    let contacts = recovery::contacts(&mut transaction, person).await?;
    let people = users::list(&mut transaction).await?;
    let entry = Entry::done(Action::RecoveryAsked)
        .on(Target::new("recovery_request", id, ""))
        .with("contacts", contacts.contacts.len());
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    tell(&app, person, &people, &contacts).await;
    Ok(Created(Asked { id }))
}

/// Tells the owner and the contacts by mail. The pages tell them too, so a mail that is not sent undoes nothing.
async fn tell(app: &App, owner: &SignedIn, people: &[users::Person], contacts: &recovery::Contacts) {
    let session = owner.session();
    let page = app
        .config
        .public_url
        .link("trusted", "")
        .trim_end_matches('#')
        .to_owned();
    for person in people {
        let own = person.id == session.user;
        if person.suspended || (!own && !contacts.contacts.contains(&person.id)) {
            continue;
        }
        let letter = Email::parse(&person.email).ok().and_then(|email| match own {
            true => mail::recovery_asked(&email, &session.tenant_name, &page),
            false => mail::recovery_help(&email, &session.user_name, &page),
        });
        if let Some(letter) = letter
            && let Err(error) = app.mailer.send(letter).await
        {
            tracing::error!(%error, "a notice of recovery could not be mailed");
        }
    }
}
