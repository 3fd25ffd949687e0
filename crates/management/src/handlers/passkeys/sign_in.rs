//! `POST /api/v1/sign-in/passkey`: signs in whoever's passkey it is. Nobody has to say who they are first.

use axum::Json;
use axum::extract::State;

use crate::access::{Body, Client};
use crate::answer::WithCookies;
use crate::app::App;
use crate::factors::passkey;
use crate::problem::ApiError;
use crate::session::{self, Arrived, Shown, Way};

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    Body(shown): Body<passkey::Shown>,
) -> Result<WithCookies<Json<Arrived>>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let (transaction, user) = passkey::show(&app, &client, shown, None).await?;
    session::issue(&app, transaction, &client, user, Way::Passkey, Shown::SecondFactor).await
}
