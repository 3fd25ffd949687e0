//! `POST /api/v1/sign-in`: asks for a link. The answer, and the time it takes, are the same whether or not anybody has the
//! address: nothing is looked up before answering. The browser gets a cookie, and the link works in it alone.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::super::email;
use crate::access::{Body, Client};
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::session;
use crate::sign_in::{Asked, cookie_name};

#[derive(Deserialize)]
pub(crate) struct SignIn {
    email: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<SignIn>,
) -> Result<impl IntoResponse, ApiError> {
    app.limits.attempt(client.address).map_err(ApiError::TooMany)?;
    let email = email(&body.email)?;
    app.limits.sign_in(&email).map_err(ApiError::TooMany)?;
    // Whoever asks twice may open either link.
    let (browser, new) = match client.begun {
        Some(begun) => (begun, None),
        None => {
            let token = SecretToken::generate(&*app.entropy)?;
            (token.hash(), Some(token))
        }
    };
    let asked = Asked { email, browser, client };
    if !app.sign_ins.push(asked) {
        return Err(ApiError::MailQueueFull);
    }
    let url = &app.config.public_url;
    let cookie = new.map(|token| session::set_cookie(cookie_name(url), url, &token, limits::BROWSER_COOKIE_LIFE));
    let headers = cookie.transpose()?.map(|cookie| (SET_COOKIE, cookie));
    Ok((StatusCode::ACCEPTED, HeaderMap::from_iter(headers)))
}
