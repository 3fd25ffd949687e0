//! A person at their browser, as far as HTTP goes: a session cookie, same-origin requests, mails that arrive.

use std::sync::LazyLock;

use reqwest::header::{COOKIE, ORIGIN, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Someone who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    base: String,
    /// The session's, and beside it what is sent with a write.
    cookies: String,
    /// What `GET /api/v1/me` told at sign-in.
    pub me: Value,
}

/// An answer of the platform.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
    cookies: Vec<String>,
}

impl Answer {
    /// A cookie that was set, as it is sent back.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let mut cookies = self.cookies.iter().map(String::as_str);
        cookies.find(|pair| pair.split_once('=').is_some_and(|(found, _)| found.ends_with(name)))
    }

    /// The body; panics with it if the status is not a success.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }
}

/// The one HTTP client of the tests.
pub fn http() -> &'static reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::new()
    });
    &CLIENT
}

/// One request, as a browser on the platform's own page sends it.
pub(crate) async fn request(
    base: &str,
    method: Method,
    path: &str,
    cookies: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let mut request = http().request(method, format!("{base}{path}")).header(ORIGIN, base);
    if let Some(cookies) = cookies {
        request = request.header(COOKIE, cookies);
        if let Some(token) = csrf_token(cookies) {
            request = request.header("x-csrf-token", token);
        }
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.expect("the platform answers");
    let status = answer.status();
    let cookies = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok()?.split(';').next())
        .map(str::to_owned)
        .collect();
    let text = answer.text().await.expect("the platform finishes its answer");
    Answer {
        status,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        cookies,
    }
}

fn csrf_token(cookies: &str) -> Option<&str> {
    let mut pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.ends_with("_csrf")).map(|(_, token)| token)
}

impl Person {
    pub(crate) fn signed_in(base: &str, answer: Answer) -> Self {
        let missing = |name| panic!("signing in sets no {name}: {} {}", answer.status, answer.body);
        let cookie = |name| answer.cookie(name).unwrap_or_else(|| missing(name));
        Self {
            base: base.to_owned(),
            cookies: format!("{}; {}", cookie("holdfast_session"), cookie("holdfast_csrf")),
            me: answer.ok(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        request(&self.base, Method::GET, path, Some(&self.cookies), None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        request(&self.base, Method::POST, path, Some(&self.cookies), Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        request(&self.base, Method::PUT, path, Some(&self.cookies), Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        request(&self.base, Method::DELETE, path, Some(&self.cookies), None).await
    }

    /// The id of this person's cell.
    pub fn cell(&self) -> &str {
        self.me["cell"]["id"].as_str().expect("everyone has a cell")
    }

    /// What opens a channel to this person's cell.
    pub async fn gateway_token(&self) -> String {
        let answer = self.post("/api/v1/cell/token", &Value::Null).await.ok();
        answer["token"].as_str().expect("a token is text").to_owned()
    }

    /// Where the platform is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// All cookies, as they are sent.
    pub fn cookies(&self) -> &str {
        &self.cookies
    }

    /// What a write sends along.
    pub fn csrf_token(&self) -> &str {
        csrf_token(&self.cookies).unwrap_or_default()
    }

    /// The session cookie, to search for it where it must not be.
    pub fn cookie(&self) -> &str {
        self.cookies.split("; ").next().unwrap_or_default()
    }
}
