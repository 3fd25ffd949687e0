//! What every answer of the API has in common: a request id, a time limit, no caching, a line in the log.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::limits;
use crate::problem::ApiError;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a request. The id is ours: one that a client sends is not taken over, so it cannot forge lines of the log.
pub(crate) async fn wrap(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let span = tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
    async {
        let mut response = tokio::time::timeout(limits::REQUEST_TIME, next.run(request))
            .await
            .unwrap_or_else(|_| ApiError::TimedOut.into_response());
        let status = response.status().as_u16();
        tracing::debug!(status, "answered");
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::try_from(&id) {
            headers.insert(REQUEST_ID.clone(), id);
        }
        response
    }
    .instrument(span.clone())
    .await
}
