//! `GET /api/v1/operator/people/{id}/cascade`: what somebody would lose who is suspended.

use axum::Json;
use axum::extract::State;
use protocol::UserId;

use super::super::people::Losses;
use super::{cell_of, leaver};
use crate::access::Id;
use crate::app::App;
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::leaving;

pub(crate) async fn get(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<UserId>,
) -> Result<Json<Losses>, ApiError> {
    let (person, mut transaction, leaver) = leaver(&app, &fresh, id).await?;
    let (cascade, named) = leaving::losses(&mut transaction, &leaver).await?;
    let cascade = cascade.suspended();
    let state = app.cells.state(cell_of(&person, leaver.cell)).await?;
    Ok(Json(Losses::new(cascade, named, state.into())))
}
