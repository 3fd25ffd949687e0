//! `POST /api/v1/step-up`: shows a code again, which allows dangerous acts for ten minutes.

use axum::extract::State;
use axum::response::NoContent;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::{Body, Client, SignedIn};
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::factors;
use crate::problem::ApiError;
use crate::storage::sessions;

#[derive(Deserialize, ToSchema)]
pub(crate) struct StepUp {
    code: String,
}

pub(crate) async fn post(
    State(app): State<App>,
    client: Client,
    person: SignedIn,
    Body(body): Body<StepUp>,
) -> Result<NoContent, ApiError> {
    app.limits.attempt(client.address).await.map_err(ApiError::TooMany)?;
    let by = person.by();
    let (mut transaction, code) = factors::show(&app, person.session(), &by, &body.code).await?;
    sessions::showed_second_factor(&mut transaction, person.session().id, app.clock.now()).await?;
    let entry = Entry::done(Action::SteppedUp).with("factor", code.as_str());
    app.audit.record(&mut transaction, &by, entry).await?;
    transaction.commit().await?;
    Ok(NoContent)
}
