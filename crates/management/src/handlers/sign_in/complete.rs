//! `POST /api/v1/sign-in/complete`: signs in with the token of a mailed link, which works once.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::link_token;
use crate::access::{Body, Client};
use crate::answer::WithCookies;
use crate::app::App;
use crate::problem::ApiError;
use crate::session::{self, Arrived, Shown, Way};
use crate::storage::sign_in_links::{self, Redeemed};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Complete {
    token: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<Complete>,
) -> Result<WithCookies<Json<Arrived>>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let token = link_token(&body.token)?;
    let redeemed = sign_in_links::redeem(&app.database, token.hash(), client.begun, app.clock.now()).await?;
    match redeemed {
        Redeemed::By(transaction, user) => {
            session::issue(&app, transaction, &client, user, Way::Link, Shown::Mailbox).await
        }
        Redeemed::OtherBrowser => Err(ApiError::OtherBrowser),
        Redeemed::Nothing => Err(ApiError::LinkInvalid),
    }
}
