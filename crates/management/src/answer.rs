//! What handlers answer with, as types: so a route's answer is in its handler's signature, and from there in the OpenAPI document.

use axum::Json;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};

/// 201, and what was made.
pub(crate) struct Created<T>(pub(crate) T);

impl<T> IntoResponse for Created<T>
where
    Json<T>: IntoResponse,
{
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

/// 202: it will be done.
pub(crate) struct Accepted;

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

/// An answer with cookies.
pub(crate) struct WithCookies<T> {
    pub(crate) answer: T,
    pub(crate) cookies: Vec<HeaderValue>,
}

impl<T: IntoResponse> IntoResponse for WithCookies<T> {
    fn into_response(self) -> Response {
        let cookies = self.cookies.into_iter().map(|cookie| (SET_COOKIE, cookie));
        (AppendHeaders(cookies), self.answer).into_response()
    }
}
