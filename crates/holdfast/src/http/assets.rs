//! The interface, from inside the binary. Hashed files may be kept for ever; the page itself is never stored.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};

/// One file of the interface.
struct Asset {
    path: &'static str,
    /// In hexadecimal digits.
    sha256: &'static str,
    etag: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The files of the interface inside this binary, each with its SHA-256, as `sha256sum` writes them: the manifest that a release signs.
pub fn manifest() -> String {
    ASSETS
        .iter()
        .map(|asset| format!("{}  {}\n", asset.sha256, asset.path))
        .collect()
}

const NOT_BUILT: &str = "This Holdfast was built without its interface: run `cargo xtask ui`, then build again.\n";

/// Answers what no route of the API took: a file, or the page for every path that a person may open.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    // Of the API, and of the tenant API where that is turned on: what nobody took is not there.
    if matches!(path.split('/').next(), Some("api" | "v1")) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Some(asset) = find(path) {
        return answer(asset, &headers);
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("assets/") || last.contains('.') {
        return StatusCode::NOT_FOUND.into_response();
    }
    match find(page(path)) {
        Some(page) => answer(page, &headers),
        None => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
    }
}

/// The operator's pages are an entry of their own.
fn page(path: &str) -> &'static str {
    match path == "admin" || path.starts_with("admin/") {
        true => "admin.html",
        false => "index.html",
    }
}

fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

fn answer(asset: &'static Asset, request: &HeaderMap) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching(asset.path)));
    headers.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if request.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == asset.etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(asset.path)));
    let body = match asset.gzip {
        Some(gzip) if takes_gzip(request) => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            gzip
        }
        _ => asset.plain,
    };
    (headers, Body::from(body)).into_response()
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let accepted = request
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    accepted.is_some_and(|list| {
        list.split(',').any(|one| {
            let mut parts = one.split(';').map(str::trim);
            parts.next() == Some("gzip")
                && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    })
}

fn caching(path: &str) -> &'static str {
    if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else if path.ends_with(".html") {
        "no-store"
    } else {
        "no-cache"
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[tokio::test]
    async fn missing_assets_and_api_paths_never_answer_with_the_page() {
        for path in ["/assets/gone-123.js", "/robots.txt", "/api", "/api/v1/nothing"] {
            let answer = serve(Method::GET, path.parse().unwrap(), HeaderMap::new()).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
        for method in [Method::POST, Method::TRACE] {
            let answer = serve(method, Uri::from_static("/chat"), HeaderMap::new()).await;
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        }
    }

    #[test]
    fn the_operators_pages_are_another_page() {
        for path in ["admin", "admin/cells", "admin/cells/0190"] {
            assert_eq!(page(path), "admin.html", "{path}");
        }
        for path in ["", "administration", "c/admin", "people"] {
            assert_eq!(page(path), "index.html", "{path}");
        }
        assert_eq!(caching("admin.html"), "no-store");
    }

    #[test]
    fn gzip_is_given_only_to_those_that_take_it() {
        assert!(takes_gzip(&with(header::ACCEPT_ENCODING, "br, gzip;q=0.8")));
        assert!(!takes_gzip(&with(header::ACCEPT_ENCODING, "br, gzip;q=0")));
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_known_version_is_not_sent_again() {
        static FILE: Asset = Asset {
            path: "theme.js",
            sha256: "",
            etag: "\"1\"",
            plain: b"x",
            gzip: None,
        };
        let answer_ = answer(&FILE, &with(header::IF_NONE_MATCH, "\"1\""));
        assert_eq!(answer_.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            answer(&FILE, &HeaderMap::new()).headers()[header::CACHE_CONTROL],
            "no-cache"
        );
    }
}
