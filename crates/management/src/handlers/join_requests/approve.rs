//! `POST /api/v1/join-requests/{id}/approve`: lets somebody in, as a member, and tells them by mail.

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
    answer(&app, &manager, id, Answer::Approve).await
}
