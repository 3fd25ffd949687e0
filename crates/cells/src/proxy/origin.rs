//! Which pages may open channels: those of this installation. The token alone decides who may; this keeps a page that got
//! hold of one from using it in the person's browser.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// A client that is no browser sends no `Origin`.
pub(super) fn is_allowed(headers: &HeaderMap, public_url: &str) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if !public_url.is_empty() && origin_of(public_url) == Some(origin) {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    host.is_some_and(|host| !host.is_empty()) && host == origin_host
}

/// Scheme, host and port of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let end = url[host..].find('/').map_or(url.len(), |path| host + path);
    Some(&url[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&'static str>, host: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn pages_of_this_installation_and_programs_may_others_may_not() {
        let url = "https://agents.example/base";
        assert!(is_allowed(&headers(None, "x"), url));
        assert!(is_allowed(
            &headers(Some("https://agents.example"), "127.0.0.1:8080"),
            url
        ));
        assert!(is_allowed(
            &headers(Some("http://localhost:8080"), "localhost:8080"),
            url
        ));
        for bad in [
            "https://evil.example",
            "null",
            "http://agents.example",
            "https://agents.example.evil",
            "://x",
        ] {
            assert!(!is_allowed(&headers(Some(bad), "127.0.0.1:8080"), url), "{bad}");
        }
        assert!(!is_allowed(&headers(Some("http://"), ""), ""));
    }
}
