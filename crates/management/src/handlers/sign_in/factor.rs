//! `POST /api/v1/sign-in/factor`: finishes signing in with a code of the authenticator app or a backup code.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, HalfSignedIn};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, By, Entry};
use crate::factors;
use crate::problem::ApiError;
use crate::session::{self, Arrived, Shown};
use crate::storage::sessions;
use crate::storage::sessions::State as Stage;

#[derive(Deserialize, ToSchema)]
pub(crate) struct Factor {
    code: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    half: HalfSignedIn,
    Body(body): Body<Factor>,
) -> Result<WithCookies<Json<Arrived>>, ApiError> {
    let (session, client) = (half.session(), half.client());
    if session.state != Stage::Factor {
        return Err(ApiError::FactorFirst);
    }
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let by = By::person(session, client);
    let (mut transaction, code) = factors::show(&app, session, &by, &body.code).await?;
    let entry = Entry::done(Action::FactorShown).with("factor", code.as_str());
    app.audit.record(&mut transaction, &by, entry).await?;
    let way = sessions::way(&mut transaction, session.id)
        .await?
        .ok_or(ApiError::NotSignedIn)?;
    session::issue(&app, transaction, client, session.user, way, Shown::SecondFactor).await
}
