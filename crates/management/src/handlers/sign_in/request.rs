//! `POST /api/v1/sign-in`: asks for a link. The answer, and the time it takes, are the same whether or not anybody has the
//! address: nothing is looked up before answering.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use super::super::email;
use crate::access::{Body, Client};
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize)]
pub(crate) struct SignIn {
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    Client(client): Client,
    Body(body): Body<SignIn>,
) -> Result<StatusCode, ApiError> {
    app.limits.attempt(client).map_err(ApiError::TooMany)?;
    let email = email(&body.email)?;
    app.limits.sign_in(&email).map_err(ApiError::TooMany)?;
    match app.sign_ins.push(email) {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(ApiError::MailQueueFull),
    }
}
