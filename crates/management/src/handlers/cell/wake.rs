//! `POST /api/v1/cell/wake`: starts the own cell if it does not run; asking twice is asking once.

use axum::extract::State;
use axum::http::StatusCode;

use crate::access::SignedIn;
use crate::app::App;
use crate::problem::ApiError;

pub(crate) async fn post(State(app): State<App>, person: SignedIn) -> Result<StatusCode, ApiError> {
    app.cells.wake(person.cell()).await?;
    Ok(StatusCode::ACCEPTED)
}
