//! `POST /api/v1/join-requests/{id}/refuse`: does not let somebody in, and tells them by mail. They are not asked about again for a
//! while; an invitation lets them in all the same.

use axum::extract::State;
use axum::response::NoContent;

use super::answer;
use crate::access::{Id, Manager};
use crate::app::App;
use crate::ids::JoinRequestId;
use crate::joining::Answer;
use crate::problem::ApiError;

pub(crate) async fn post(
    State(app): State<App>,
    manager: Manager,
    Id(id): Id<JoinRequestId>,
) -> Result<NoContent, ApiError> {
    answer(&app, &manager, id, Answer::Refuse).await
}
