//! `POST /api/v1/step-up`: shows a code again, which allows dangerous acts for ten minutes.
//!
//! The session has another token from then on.

use axum::extract::State;
use axum::response::NoContent;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, Client, SignedIn};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors;
use crate::problem::ApiError;
use crate::session;

#[derive(Deserialize, ToSchema)]
pub(crate) struct StepUp {
    code: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    person: SignedIn,
    Body(body): Body<StepUp>,
) -> Result<WithCookies<NoContent>, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let by = person.by();
    let (mut transaction, code) = factors::show(&app, person.session(), &by, &body.code).await?;
    let entry = Entry::done(Action::SteppedUp).with("factor", code.as_str());
    app.audit.record(&mut transaction, &by, entry).await?;
    session::renew(&app, transaction, &client, person.session().id, NoContent).await
}
