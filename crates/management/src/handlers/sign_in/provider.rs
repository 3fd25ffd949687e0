//! `POST /api/v1/sign-in/provider`: begins signing in with another site: where the browser is to go. It is asked for by our own pages
//! alone, as every write is, so nobody is signed in as somebody else by a link.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Body, Client};
use crate::answer::WithCookies;
use crate::app::App;
use crate::ids::IdentityProviderId;
use crate::problem::ApiError;
use crate::providers::attempt::{self, Purpose, Sent};
use crate::storage::providers;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Begin {
    #[schema(value_type = Uuid)]
    provider: IdentityProviderId,
    /// Has the site ask anew who they are, and say when it did: a dangerous act takes that of who has no second factor, or a mailed link.
    #[serde(default)]
    again: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Begun {
    pub(crate) url: String,
}

impl From<Sent> for WithCookies<Json<Begun>> {
    fn from(sent: Sent) -> Self {
        Self {
            answer: Json(Begun { url: sent.url }),
            cookies: sent.cookie.into_iter().collect(),
        }
    }
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(body): Body<Begin>,
) -> Result<WithCookies<Json<Begun>>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let found = providers::find_pressed(&app.database, body.provider).await?;
    let provider = found.ok_or(ApiError::NotFound)?;
    let purpose = match body.again {
        true => Purpose::SignInAnew,
        false => Purpose::SignIn,
    };
    let sent = attempt::begin(&app, &client, &provider, purpose).await?;
    Ok(sent.into())
}
