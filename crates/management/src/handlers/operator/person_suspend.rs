//! `POST /api/v1/operator/people/{id}/suspend`: takes away at once what lets somebody in, as their organisation's admins may. Who was suspended with their
//! organisation stays so when it is let back in.

use axum::Json;
use axum::extract::State;
use protocol::UserId;

use super::super::people::{self, Losses};
use super::{cell_of, leaver, record};
use crate::access::Id;
use crate::app::App;
use crate::audit::Action;
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::leaving::{self, Suspended};

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<UserId>,
) -> Result<Json<Losses>, ApiError> {
    let (person, mut transaction, leaver) = leaver(&app, &fresh, id).await?;
    let (cascade, named) = leaving::losses(&mut transaction, &leaver).await?;
    let cascade = cascade.suspended();
    if leaver.suspended != Some(Suspended::Alone) {
        leaving::suspend(&mut transaction, &leaver, app.clock.now()).await?;
        let entry = || people::told(&leaver, Action::PersonSuspended, Some(cascade));
        record(&app, transaction, fresh.operator(), entry).await?;
    }
    let cell = people::stop_cell(&app, cell_of(&person, leaver.cell)).await?;
    Ok(Json(Losses::new(cascade, named, cell)))
}
