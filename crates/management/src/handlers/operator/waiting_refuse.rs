//! `POST /api/v1/operator/join-requests/{id}/refuse`: does not let somebody in, and tells them by mail, as a manager of their organisation may.

use axum::extract::State;
use axum::response::NoContent;

use super::answer_waiting;
use crate::access::Id;
use crate::app::App;
use crate::ids::JoinRequestId;
use crate::joining::Answer;
use crate::operator::FreshOperator;
use crate::problem::ApiError;

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<JoinRequestId>,
) -> Result<NoContent, ApiError> {
    answer_waiting(&app, &fresh, id, Answer::Refuse).await
}
