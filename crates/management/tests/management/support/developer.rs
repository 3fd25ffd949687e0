//! A developer's program: a key, JSON, and streams of events.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, header};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use super::Answer;

#[derive(Clone)]
pub struct Developer {
    router: Router,
    pub headers: Vec<(&'static str, String)>,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub id: String,
    pub event: String,
    pub data: String,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A stream that is read event by event; dropping it closes it.
pub struct Stream {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Developer {
    pub fn new(router: Router, key: &str) -> Self {
        Self {
            router,
            headers: vec![("authorization", format!("Bearer {key}"))],
        }
    }

    /// The same program, asking another server.
    pub fn asking(&self, router: Router) -> Self {
        Self {
            router,
            headers: self.headers.clone(),
        }
    }

    /// With one more header.
    pub fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.headers.push((name, value.into()));
        other
    }

    pub async fn raw(&self, method: Method, uri: &str, body: Option<&Value>) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = match body {
            Some(body) => {
                if !self.headers.iter().any(|(name, _)| *name == "content-type") {
                    request = request.header(header::CONTENT_TYPE, "application/json");
                }
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap()
    }

    pub async fn send(&self, method: Method, uri: &str, body: Option<&Value>) -> Answer {
        let (parts, body) = self.raw(method, uri, body).await.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.send(Method::GET, uri, None).await
    }

    pub async fn post(&self, uri: &str, body: Value) -> Answer {
        self.send(Method::POST, uri, Some(&body)).await
    }

    pub async fn patch(&self, uri: &str, body: Value) -> Answer {
        self.send(Method::PATCH, uri, Some(&body)).await
    }

    pub async fn delete(&self, uri: &str) -> Answer {
        self.send(Method::DELETE, uri, None).await
    }

    /// A stream of events.
    pub async fn stream(&self, uri: &str, body: Value) -> Stream {
        let answer = self.raw(Method::POST, uri, Some(&body)).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        Stream {
            body: answer.into_body().into_data_stream(),
            text: String::new(),
        }
    }
}

impl Stream {
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<(String, String)> = event
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                self.text = rest.to_owned();
                let of = |name: &str| {
                    let found = lines.iter().find(|(other, _)| other == name);
                    found.map(|(_, value)| value.clone()).unwrap_or_default()
                };
                if !of("data").is_empty() {
                    return Some(Told {
                        id: of("id"),
                        event: of("event"),
                        data: of("data"),
                    });
                }
            }
            let piece = self.piece().await?;
            self.text.push_str(&piece);
        }
    }

    /// What comes next, as it comes.
    pub async fn piece(&mut self) -> Option<String> {
        let piece = self.body.next().await?.unwrap();
        Some(String::from_utf8(piece.to_vec()).unwrap())
    }

    /// Reads on to an event of this name.
    pub async fn until(&mut self, event: &str) -> Told {
        loop {
            let told = self.next().await.unwrap_or_else(|| panic!("no {event}"));
            if told.event == event {
                return told;
            }
        }
    }

    /// All that is left.
    pub async fn rest(mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await {
            all.push(told);
        }
        all
    }
}
