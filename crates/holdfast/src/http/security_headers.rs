//! The headers that every answer carries, whatever route gave it.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Nothing but our own files, no inline code, Trusted Types for everything that writes into the page. The one loosening is
/// WebAssembly, for the OPAQUE client.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html hf-url";

static ALWAYS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=()",
    ),
];

const TWO_YEARS: &str = "max-age=63072000; includeSubDomains";

/// Adds the headers; `over_tls` says whether people reach this installation by https.
pub async fn add(over_tls: bool, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if over_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TWO_YEARS));
    }
    // Nothing that an API answers may be kept by a cache.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt as _;

    use super::*;

    async fn headers_of(path: &str, over_tls: bool) -> axum::http::HeaderMap {
        let app = Router::new()
            .route("/here", get(|| async { "hello" }))
            .layer(middleware::from_fn(move |request, next| add(over_tls, request, next)));
        let request = Request::get(path).body(Body::empty()).unwrap();
        app.oneshot(request).await.unwrap().headers().clone()
    }

    #[tokio::test]
    async fn every_answer_carries_them_also_errors() {
        for path in ["/here", "/nowhere"] {
            let headers = headers_of(path, false).await;
            for (name, value) in &ALWAYS {
                assert_eq!(headers[name], *value, "{path}");
            }
            assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY), "{path}");
        }
        assert!(
            headers_of("/here", true)
                .await
                .contains_key(header::STRICT_TRANSPORT_SECURITY)
        );
    }
}
