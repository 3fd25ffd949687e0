//! `POST /api/v1/passkeys/challenge`: what a passkey is to sign, for this browser, once. It tells nothing about anybody: the
//! authenticator knows whose passkeys it has.

use axum::Json;
use axum::extract::State;

use crate::access::Client;
use crate::answer::WithCookies;
use crate::app::App;
use crate::factors::passkey::{self, Asked};
use crate::problem::ApiError;
use crate::sign_in;
use crate::storage::passkey_challenges::Purpose;

pub(crate) async fn post(State(app): State<App>, client: Client) -> Result<WithCookies<Json<Asked>>, ApiError> {
    // Nothing is presented yet, but each is kept in the database until it is over.
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let (browser, cookie) = sign_in::mark(&app, &client)?;
    let asked = passkey::ask(&app, browser, Purpose::Show).await?;
    Ok(WithCookies {
        answer: Json(asked),
        cookies: cookie.into_iter().collect(),
    })
}
