//! `POST /api/v1/setup`: the first organisation and its owner, once, with the setup link's token.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{email, link_token, name};
use crate::access::{Body, Client};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::person::Role;
use crate::problem::ApiError;
use crate::session::{self, Arrived, Shown, Way};
use crate::setup_link;
use crate::storage::{installation, tenants, users};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Setup {
    token: String,
    organisation: String,
    name: String,
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<Setup>,
) -> Result<WithCookies<Json<Arrived>>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    if !installation::needs_setup(&app.database).await? {
        return Err(ApiError::AlreadySetUp);
    }
    let token = link_token(&body.token)?;
    let (organisation, name, email) = (
        name("organisation", &body.organisation)?,
        name("name", &body.name)?,
        email(&body.email)?,
    );
    let now = app.clock.now();
    let mut transaction = tenants::create(&app.database, &organisation, now).await?;
    if !installation::use_setup_token(&mut transaction, token.hash(), now).await? {
        return Err(ApiError::LinkInvalid);
    }
    let user = users::create(&mut transaction, &name, &email, Role::Owner, now).await?;
    let by = By::user(user, name.as_str(), &client);
    let made = Target::new("organisation", transaction.tenant(), organisation.as_str());
    let entry = Entry::done(Action::OrganisationMade).on(made);
    app.audit.record(&mut transaction, &by, entry).await?;
    let answer = session::issue(&app, transaction, &client, user, Way::Setup, Shown::Mailbox).await?;
    setup_link::remove(&app.config.data_dir);
    Ok(answer)
}
