//! Writes are taken from our own pages only (Fetch Metadata, with `Origin` for browsers that do not send it), and, where they
//! present a session, only with its token. One layer around every route, so that no handler can forget it.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::access::Client;
use crate::api_key;
use crate::app::App;
use crate::csrf_token::{self, Realm};
use crate::problem::ApiError;
use crate::refusals;

/// Refuses writes that another site caused.
pub(crate) async fn refuse(State(app): State<App>, request: Request, next: Next) -> Response {
    let url = &app.config.public_url;
    // A page of another site cannot present a key: browsers would ask us first, and we say no. And with a key no cookie counts, of anybody.
    if api_key::presented(request.headers()).is_some() {
        return next.run(request).await;
    }
    let realm = Realm::of(request.uri());
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        let missing = csrf_token::missing(realm, request.headers(), url);
        let mut response = next.run(request).await;
        if let Some(cookie) = missing {
            csrf_token::tell(&mut response, cookie);
        }
        response
    } else if !is_same_origin(request.headers(), url.origin()) {
        refused(&app, request, ApiError::CrossSite)
    } else if !csrf_token::shown(realm, request.headers(), url) {
        refused(&app, request, ApiError::CsrfToken)
    } else {
        next.run(request).await
    }
}

fn refused(app: &App, request: Request, error: ApiError) -> Response {
    refusals::see_somebody(&Client::of(&request.into_parts().0, app));
    error.into_response()
}

fn is_same_origin(headers: &HeaderMap, public_origin: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else {
        return false;
    };
    // The installation may be reached by more names than its public one; a page's own host is what its request names.
    let host = text(header::HOST.as_str());
    origin == public_origin
        || origin
            .split_once("://")
            .is_some_and(|(_, authority)| Some(authority) == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(pairs: &[(&'static str, &str)]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        is_same_origin(&headers, "https://holdfast.example.org")
    }

    #[test]
    fn only_our_own_pages_may_write() {
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[("origin", "https://holdfast.example.org")]));
        assert!(same(&[("origin", "http://10.0.0.5:8080"), ("host", "10.0.0.5:8080")]));
        for refused in [
            &[][..],
            &[("host", "holdfast.example.org")],
            &[("sec-fetch-site", "cross-site")],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://holdfast.example.org"),
            ],
            &[("sec-fetch-site", "none")],
            &[("origin", "null"), ("host", "holdfast.example.org")],
            &[("origin", "https://evil.example"), ("host", "holdfast.example.org")],
            &[
                ("origin", "https://holdfast.example.org.evil.example"),
                ("host", "holdfast.example.org"),
            ],
        ] {
            assert!(!same(refused), "{refused:?}");
        }
    }
}
