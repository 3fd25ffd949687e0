//! `GET /api/v1/audit/export.cef`: what matches a search, one event a line in the form that collectors of logs read. It cannot be
//! checked; the signed export can.

use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;

use super::{Search, taken_away};
use crate::access::Manager;
use crate::app::App;
use crate::audit::cef;
use crate::problem::ApiError;

pub(crate) async fn get(
    State(app): State<App>,
    manager: Manager,
    search: Search,
) -> Result<impl IntoResponse, ApiError> {
    let mut lines = String::new();
    for event in taken_away(&app, &manager, search, "cef").await? {
        lines.push_str(&cef::line(&event, &app.config.version));
        lines.push('\n');
    }
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"holdfast-audit.cef\""),
    ];
    Ok((headers, lines))
}
