//! What every answer of the API has in common: a request id, a time limit, no caching.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::request_id::RequestId;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::limits;
use crate::problem::ApiError;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a request. Where the server around us gave it an id and a span already, those are used; an id that only the client
/// sent is not taken over, so nobody writes into our log.
pub(crate) async fn wrap(request: Request, next: Next) -> Response {
    wrap_within(Some(limits::REQUEST_TIME), request, next).await
}

/// As [`wrap`], for requests that take as long as an agent does: their parts have limits of their own.
pub(crate) async fn wrap_untimed(request: Request, next: Next) -> Response {
    wrap_within(None, request, next).await
}

async fn wrap_within(limit: Option<Duration>, request: Request, next: Next) -> Response {
    let given = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.header_value().clone());
    let (id, span) = match given {
        Some(id) => (Some(id), tracing::Span::current()),
        None => {
            let id = Uuid::now_v7().to_string();
            let span = tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
            (HeaderValue::try_from(id).ok(), span)
        }
    };
    async {
        let mut response = match limit {
            Some(limit) => tokio::time::timeout(limit, next.run(request))
                .await
                .unwrap_or_else(|_| ApiError::TimedOut.into_response()),
            None => next.run(request).await,
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(id) = id {
            headers.insert(REQUEST_ID.clone(), id);
        }
        response
    }
    .instrument(span)
    .await
}
