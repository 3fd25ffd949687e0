//! Which other sites' pages may call what is called with a key: those that the operator named, and nobody's unless some are. Never with a
//! cookie: what a browser sends by itself is nobody's word, so an answer to a request without a key is told to no other site, and
//! browsers are never allowed to send credentials along.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tower::{Layer as _, ServiceExt as _};
use tower_http::cors::{AllowHeaders, CorsLayer};

use crate::api_key;
use crate::config::PublicUrl;
use crate::limits;
use crate::routes::{Access, Route};

/// The origin of another site: scheme, host and port, as browsers write it in `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// It is none that can be named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the exact origin of a site, such as https://app.example.org: https (http only for localhost), a host without `*`, a port if it is not the usual one, and nothing behind it"
)]
pub struct OriginError(String);

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let wrong = || OriginError(text.to_owned());
        let url: PublicUrl = text.parse().map_err(|_| wrong())?;
        // Exactly as browsers write it: what they compare is text.
        let host = url.host();
        let plain = host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte));
        let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        match url.origin() == text && plain && (url.is_tls() || here) {
            true => HeaderValue::from_str(text).map(Self).map_err(|_| wrong()),
            false => Err(wrong()),
        }
    }
}

/// What answers pages of other sites.
#[derive(Clone)]
pub(crate) struct Cors {
    layer: CorsLayer,
    origins: Arc<[HeaderValue]>,
    /// What is called with a key.
    keyed: Arc<[(Method, &'static str)]>,
}

impl Cors {
    /// For pages of these sites; `None` where there are none. The operator's token is for no page at all.
    pub(crate) fn of(origins: &[Origin], routes: impl IntoIterator<Item = Route>) -> Option<Self> {
        let origins: Arc<[_]> = origins.iter().map(|origin| origin.0.clone()).collect();
        let keyed = routes
            .into_iter()
            .filter(|route| route.scope.is_some() || route.access == Access::Tenant);
        let layer = CorsLayer::new()
            .allow_origin(origins.to_vec())
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            // Libraries send headers of their own.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([
                RETRY_AFTER,
                HeaderName::from_static("x-request-id"),
                HeaderName::from_static("x-should-retry"),
                HeaderName::from_static("idempotency-replayed"),
            ])
            .max_age(limits::CORS_KEPT);
        (!origins.is_empty()).then(|| Self {
            layer,
            keyed: keyed.map(|route| (route.method, route.path)).collect(),
            origins,
        })
    }

    /// Whether it is a page of one of them that calls, or asks whether it may, with a key, what is called with one.
    fn answers(&self, request: &Request) -> bool {
        let headers = request.headers();
        let asked = match *request.method() {
            Method::OPTIONS => headers.get(ACCESS_CONTROL_REQUEST_METHOD).map(HeaderValue::as_bytes),
            _ if api_key::bearer(headers).is_some() => Some(request.method().as_str().as_bytes()),
            _ => None,
        };
        let path = request.uri().path();
        headers.get(ORIGIN).is_some_and(|origin| self.origins.contains(origin))
            && asked.is_some_and(|asked| {
                let mut keyed = self.keyed.iter();
                keyed.any(|(method, pattern)| method.as_str().as_bytes() == asked && fits(pattern, path))
            })
    }
}

/// Whether an address is of a route.
fn fits(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    for wanted in pattern.split('/') {
        match parts.next() {
            Some(part) if wanted.starts_with("{*") => return !part.is_empty(),
            Some(part) if wanted == part || wanted.starts_with('{') && !part.is_empty() => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// The layer around all routes.
pub(crate) async fn answer(State(cors): State<Cors>, request: Request, next: Next) -> Response {
    match cors.answers(&request) {
        true => {
            let answered = cors.layer.layer(next).oneshot(request).await;
            answered.unwrap_or_else(|never| match never {})
        }
        false => next.run(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_origins_are_taken() {
        for good in [
            "https://app.example.org",
            "https://app.example.org:8443",
            "https://192.0.2.7",
            "http://localhost:5173",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "https://*",
            "https://*.example.org",
            "app.example.org",
            "http://app.example.org",
            "https://app.example.org/",
            "https://app.example.org/app",
            "https://app.example.org:443",
            "https://App.example.org",
            "https://anna@app.example.org",
            " https://app.example.org",
            "file:///app",
            "http://localhost.example.org",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_of_a_route_or_not() {
        for (pattern, path, fit) in [
            ("/api/v1/me", "/api/v1/me", true),
            ("/api/v1/me", "/api/v1/me/", false),
            ("/api/v1/me", "/api/v1", false),
            ("/api/v1/groups/{id}", "/api/v1/groups/7", true),
            ("/api/v1/groups/{id}", "/api/v1/groups/", false),
            ("/api/v1/groups/{id}", "/api/v1/groups/7/members", false),
            ("/v1/models/{*id}", "/v1/models/openclaw/main", true),
            ("/v1/models/{*id}", "/v1/models", false),
        ] {
            assert_eq!(fits(pattern, path), fit, "{pattern} {path}");
        }
    }
}
