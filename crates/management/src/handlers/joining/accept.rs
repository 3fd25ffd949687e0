//! `POST /api/v1/joining/accept`: joins with a link, which works once: signs in, or has one wait until somebody agrees.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{email, link_token, name};
use crate::access::{Body, Client};
use crate::answer::WithCookies;
use crate::app::App;
use crate::joining::{self, Newcomer};
use crate::openapi::{InContract, Sketch};
use crate::problem::ApiError;
use crate::session::{self, Arrived, Shown, Way};
use crate::storage::join_links::{self, Redeemed};

#[derive(Deserialize, ToSchema)]
pub(crate) struct Accept {
    token: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
struct Waits {
    waiting: bool,
}

/// Signed in, or waiting.
pub(crate) enum Joined {
    In(WithCookies<Json<Arrived>>),
    Waits,
}

impl IntoResponse for Joined {
    fn into_response(self) -> Response {
        match self {
            Self::In(arrived) => arrived.into_response(),
            Self::Waits => (StatusCode::ACCEPTED, Json(Waits { waiting: true })).into_response(),
        }
    }
}

impl InContract for Joined {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_json::<Arrived>(200, "Joined.");
        sketch.answers_json::<Waits>(202, "Somebody has to agree first.");
    }
}

pub(crate) async fn post(State(app): State<App>, client: Client, Body(body): Body<Accept>) -> Result<Joined, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let token = link_token(&body.token)?;
    let name = name("name", &body.name)?;
    let redeemed = join_links::redeem(&app.database, token.hash(), client.begun, app.clock.now()).await?;
    let (transaction, address) = match redeemed {
        Redeemed::By(transaction, address) => (transaction, address),
        Redeemed::OtherBrowser => return Err(ApiError::OtherBrowser),
        Redeemed::Nothing => return Err(ApiError::LinkInvalid),
    };
    let newcomer = Newcomer {
        name: &name,
        email: &email(&address)?,
        account: None,
    };
    match joining::join(&app, transaction, &client, &newcomer).await {
        Ok((transaction, user)) => {
            let issued = session::issue(&app, transaction, &client, user, Way::Joined, Shown::Mailbox).await?;
            Ok(Joined::In(issued))
        }
        Err(ApiError::Waiting) => Ok(Joined::Waits),
        Err(other) => Err(other),
    }
}
