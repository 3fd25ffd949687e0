//! `POST /api/v1/invitations/accept`: joins the organisation with a link, which works once, and signs in.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::{email, link_token, name};
use crate::access::{Body, Client};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::problem::ApiError;
use crate::session::{self, Arrived, Shown, Way};
use crate::storage::{StorageError, invitations, users};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Accept {
    token: String,
    name: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<Accept>,
) -> Result<WithCookies<Json<Arrived>>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let token = link_token(&body.token)?;
    let name = name("name", &body.name)?;
    let now = app.clock.now();
    let found = invitations::find_open(&app.database, token.hash(), now).await?;
    let (mut transaction, offer) = found.ok_or(ApiError::LinkInvalid)?;
    let email = email(&offer.email)?;
    let created = users::create(&mut transaction, &name, &email, offer.role, now).await;
    let user = created.map_err(|error| match error {
        StorageError::Conflict(rule) if rule == "users_tenant_id_email_key" => ApiError::AlreadyMember,
        other => other.into(),
    })?;
    invitations::accept(&mut transaction, &offer, now).await?;
    let by = By::user(user, name.as_str(), &client);
    let entry = Entry::done(Action::InvitationAccepted)
        .on(Target::new("person", user, name.as_str()))
        .with("role", offer.role.as_str());
    app.audit.record(&mut transaction, &by, entry).await?;
    session::issue(&app, transaction, &client, user, Way::Invitation, Shown::Mailbox).await
}
