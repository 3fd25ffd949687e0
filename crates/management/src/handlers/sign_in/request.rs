//! `POST /api/v1/sign-in`: asks for a link. The answer, and the time it takes, are the same whether or not anybody has the
//! address: nothing is looked up before answering. The browser gets a cookie, and the link works in it alone.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::email;
use crate::access::{Body, Client};
use crate::answer::{Accepted, WithCookies};
use crate::app::App;
use crate::problem::ApiError;
use crate::sign_in::{Asked, mark};

#[derive(Deserialize, ToSchema)]
pub(crate) struct SignIn {
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<SignIn>,
) -> Result<WithCookies<Accepted>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let email = email(&body.email)?;
    app.limits.sign_in(&email).await.map_err(ApiError::TooMany)?;
    // Whoever asks twice may open either link.
    let (browser, cookie) = mark(&app, &client)?;
    let asked = Asked { email, browser, client };
    if !app.sign_ins.push(asked) {
        return Err(ApiError::MailQueueFull);
    }
    Ok(WithCookies {
        answer: Accepted,
        cookies: cookie.into_iter().collect(),
    })
}
