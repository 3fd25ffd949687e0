//! `POST /api/v1/keys`: makes a key that acts as oneself. It is shown this once.

use axum::extract::State;

use super::{Made, Wanted, make};
use crate::access::{Body, Fresh};
use crate::answer::Created;
use crate::app::App;
use crate::problem::ApiError;

pub(crate) async fn post(
    State(app): State<App>,
    person: Fresh,
    Body(wanted): Body<Wanted>,
) -> Result<Created<Made>, ApiError> {
    let person = person.signed_in();
    let transaction = person.staying(&app).await?;
    make(&app, transaction, &person.by(), person.session().user, &wanted).await
}
