//! A browser as far as the API sees one: keeps its cookie, sends Fetch Metadata.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

#[derive(Clone)]
pub struct Browser {
    router: Router,
    pub cookie: Option<String>,
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
}

impl Browser {
    pub fn new(router: Router) -> Self {
        Self {
            router,
            cookie: None,
            headers: vec![("sec-fetch-site", "same-origin".into())],
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty(), None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string().into(), Some("application/json"))
            .await
    }

    pub async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, body.to_string().into(), Some("application/json"))
            .await
    }

    pub async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Body::empty(), None).await
    }

    pub async fn send(&mut self, method: Method, path: &str, body: Body, content_type: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, format!("theme=dark; {cookie}"));
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        if let Some(cookie) = parts.headers.get(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        let json = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).expect("an answer is JSON"),
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            json,
        }
    }
}

impl Answer {
    /// Checks the status, and, for errors, that it is a problem in the form of RFC 9457.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.json);
        if self.status.is_client_error() || self.status.is_server_error() {
            assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
            assert_eq!(self.json["status"], status);
            for member in ["type", "title", "detail", "code"] {
                assert!(self.json[member].is_string(), "{member} is missing in {:?}", self.json);
            }
        }
        assert_eq!(self.headers[header::CACHE_CONTROL], "no-store");
        assert!(self.headers.contains_key("x-request-id"));
        self
    }

    /// Checks a problem's status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let this = self.expect(status);
        assert_eq!(this.json["code"], code, "{:?}", this.json);
        this
    }
}
