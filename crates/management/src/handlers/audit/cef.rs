//! `GET /api/v1/audit/export.cef`: what matches a search, one event a line in the form that collectors of logs read. It cannot be
//! checked; the signed export can.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::{Search, taken_away};
use crate::access::{InQuery, Manager};
use crate::app::App;
use crate::audit::cef;
use crate::audit::told::Told;
use crate::openapi::{InContract, Sketch};
use crate::problem::ApiError;

/// The file.
pub(crate) struct Cef(Body);

impl IntoResponse for Cef {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (CONTENT_DISPOSITION, "attachment; filename=\"holdfast-audit.cef\""),
        ];
        (headers, self.0).into_response()
    }
}

impl InContract for Cef {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_text("One event a line.", "text/plain");
    }
}

pub(crate) async fn get(
    State(app): State<App>,
    manager: Manager,
    InQuery(search): InQuery<Search>,
) -> Result<Cef, ApiError> {
    let version = app.config.version.clone();
    let line = move |event: &Told| cef::line(event, &version) + "\n";
    let found = taken_away(&app, &manager, search, "cef", line).await?;
    Ok(Cef(Body::from_stream(found)))
}
