//! `POST /api/v1/setup`: the first organisation and its owner, once, with the setup link's token.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Deserialize;

use super::{email, link_token, name};
use crate::access::{Body, Client};
use crate::app::App;
use crate::person::Role;
use crate::problem::ApiError;
use crate::storage::{installation, tenants, users};
use crate::{session, setup_link};

#[derive(Deserialize)]
pub(crate) struct Setup {
    token: String,
    organisation: String,
    name: String,
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    Client(client): Client,
    Body(body): Body<Setup>,
) -> Result<impl IntoResponse, ApiError> {
    app.limits.attempt(client).map_err(ApiError::TooMany)?;
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
    let answer = session::issue(&app, transaction, user).await?;
    setup_link::remove(&app.config.data_dir);
    Ok(answer)
}
