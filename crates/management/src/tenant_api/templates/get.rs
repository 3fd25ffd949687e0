//! `GET /api/v1/templates/{name}`: one template, whole.

use axum::Json;
use axum::extract::State;

use super::super::access::Operator;
use super::{Called, TemplateAnswer, find};
use crate::app::App;
use crate::problem::ApiError;

pub(crate) async fn get(
    State(app): State<App>,
    _operator: Operator,
    Called(name): Called,
) -> Result<Json<TemplateAnswer>, ApiError> {
    let template = find(&app, &name).await?.ok_or(ApiError::NotFound)?;
    Ok(Json(template.into()))
}
