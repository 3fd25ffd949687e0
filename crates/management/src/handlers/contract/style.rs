//! `GET /api/v1/docs.css`: how that page looks, since the pages of this server carry no style of their own.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::openapi::{InContract, Sketch};

/// CSS.
pub(crate) struct Style;

impl IntoResponse for Style {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("style.css")).into_response()
    }
}

impl InContract for Style {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_text("The style.", "text/css");
    }
}

pub(crate) async fn get() -> Style {
    Style
}
