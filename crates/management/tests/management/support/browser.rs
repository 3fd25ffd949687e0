//! A browser as far as the API sees one: keeps its cookies, sends Fetch Metadata, and, as our pages do, the session's token.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

#[derive(Clone)]
pub struct Browser {
    router: Router,
    /// The session's cookie.
    pub cookie: Option<String>,
    /// The cookie of the operator's session.
    pub operator: Option<String>,
    others: Vec<(String, String)>,
    pub headers: Vec<(&'static str, String)>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body; null where it is not JSON.
    pub json: Value,
    pub text: String,
}

impl Browser {
    pub fn new(router: Router) -> Self {
        Self {
            router,
            cookie: None,
            operator: None,
            others: Vec::new(),
            headers: vec![("sec-fetch-site", "same-origin".into())],
        }
    }

    /// A browser that holds this session, and has loaded a page with it.
    pub async fn holding(router: Router, cookie: String) -> Self {
        let mut browser = Self::new(router);
        browser.cookie = Some(cookie);
        browser.get("/instance").await.expect(200);
        browser
    }

    /// Checks that its session has another token than this browser of before holds, which is nobody's any more.
    pub async fn renewed_since(&mut self, mut before: Self, route: &str) {
        before.get(route).await.refused(401, "not_signed_in");
        self.get(route).await.expect(200);
    }

    /// What it sends with a write.
    pub fn csrf_token(&self) -> Option<&str> {
        self.held("holdfast_csrf")
    }

    /// What it sends with every request on the operator's pages.
    pub fn sent_as_operator(&self) -> [(&'static str, String); 3] {
        let token = self
            .held("holdfast_operator_csrf")
            .expect("the operator has loaded a page");
        [
            ("Sec-Fetch-Site", "same-origin".into()),
            ("Cookie", self.operator.clone().expect("the operator is signed in")),
            ("X-CSRF-Token", token.to_owned()),
        ]
    }

    fn held(&self, cookie: &str) -> Option<&str> {
        let held = self.others.iter().find(|(name, _)| name.ends_with(cookie));
        held.map(|(_, token)| token.as_str())
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty(), None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string().into(), Some("application/json"))
            .await
    }

    /// A file, as text.
    pub async fn download(&mut self, path: &str) -> String {
        let answer = self.get(path).await.expect(200);
        assert!(
            answer.headers[header::CONTENT_DISPOSITION]
                .to_str()
                .unwrap()
                .starts_with("attachment")
        );
        answer.text
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
        let csrf = match path.starts_with("/operator/") {
            true => self.held("holdfast_operator_csrf"),
            false => self.csrf_token(),
        };
        if let Some(token) = csrf
            && !self.headers.iter().any(|(name, _)| *name == "x-csrf-token")
        {
            request = request.header("x-csrf-token", token);
        }
        let others = self.others.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<_> = std::iter::once("theme=dark".to_owned())
            .chain(others)
            .chain(self.cookie.clone())
            .chain(self.operator.clone())
            .collect();
        request = request.header(header::COOKIE, cookies.join("; "));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if name.ends_with("holdfast_operator") {
                self.operator = (!value.is_empty()).then(|| pair.to_owned());
            } else if name.ends_with("session") {
                self.cookie = (!value.is_empty()).then(|| pair.to_owned());
            } else {
                self.others.retain(|(other, _)| other != name);
                if !value.is_empty() {
                    self.others.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
            let kind = kind.to_str().unwrap();
            kind.ends_with("/json") || kind.ends_with("+json")
        });
        let json = match is_json {
            true => serde_json::from_str(&text).expect("an answer is JSON"),
            false => Value::Null,
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            json,
            text,
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
