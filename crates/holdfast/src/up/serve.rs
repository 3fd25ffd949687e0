//! The HTTP side: all routes with the headers, request ids and log lines that every answer gets.

use std::future::Future;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tower::ServiceBuilder;
use tower_http::ServiceBuilderExt as _;
use tower_http::request_id::{MakeRequestUuid, RequestId};
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, info_span, warn};

use super::stop::Stop;
use crate::http::{assets, connections, health, security_headers};
use crate::limits::REQUEST_PAUSE;

/// How long open requests may go on after a signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// All routes.
pub fn router(api: Router, readiness: health::Readiness, over_tls: bool) -> Router {
    let around = ServiceBuilder::new()
        .map_request(without_a_foreign_id)
        .set_x_request_id(MakeRequestUuid)
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_response(DefaultOnResponse::new().level(Level::DEBUG)),
        )
        .propagate_x_request_id()
        .layer(middleware::from_fn(move |request, next| {
            security_headers::add(over_tls, request, next)
        }))
        .layer(RequestBodyTimeoutLayer::new(REQUEST_PAUSE))
        .map_request(|request: Request<_>| request.map(Body::new));
    health::router(readiness)
        .merge(api)
        .fallback(assets::serve)
        .layer(around)
}

/// The id in our log is ours: one that a client sends would let it write there.
fn without_a_foreign_id(mut request: Request) -> Request {
    request.headers_mut().remove("x-request-id");
    request
}

/// Paths carry no secrets: tokens travel in bodies, headers and fragments.
fn span(request: &Request) -> tracing::Span {
    let id = request.extensions().get::<RequestId>();
    let id = id.and_then(|id| id.header_value().to_str().ok()).unwrap_or_default();
    info_span!("request", id, method = %request.method(), path = request.uri().path())
}

/// Serves until `stop` says to, then lets open requests end within [`GRACE`].
pub async fn until(listener: TcpListener, router: Router, stop: impl Future<Output = Stop>) -> Stop {
    let (ending, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(connections::serve(listener, router, async {
        let _ = ended.await;
    }));
    let stop = stop.await;
    drop(ending);
    if tokio::time::timeout(GRACE, serving).await.is_err() {
        warn!("some requests did not end in time");
    }
    stop
}
