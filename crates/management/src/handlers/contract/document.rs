//! `GET /api/v1/openapi.json`: this document.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::openapi::{COMMITTED, InContract, Sketch};

/// OpenAPI 3.1.
pub(crate) struct Document;

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], COMMITTED).into_response()
    }
}

impl InContract for Document {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_json::<Value>(200, "OpenAPI 3.1.");
    }
}

pub(crate) async fn get() -> Document {
    Document
}
