//! `GET /api/v1/docs`: this document as a page for people.

use axum::response::{Html, IntoResponse, Response};

use crate::openapi::{InContract, Sketch, page};

/// HTML.
pub(crate) struct Page;

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        Html(page()).into_response()
    }
}

impl InContract for Page {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_text("The page.", "text/html");
    }
}

pub(crate) async fn get() -> Page {
    Page
}
