//! What every answer of the API has in common: a request id, a time limit, no caching; and how many are made at once.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tower_http::request_id::RequestId;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::limits;
use crate::problem::ApiError;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Lets a request in while there is room. Where there is none, that is said at once: who waits in a queue that only grows is served
/// by nobody, and the queue is memory.
pub(crate) async fn admit(State(room): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match room.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => ApiError::Busy.into_response(),
    }
}

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
