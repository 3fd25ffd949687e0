//! Whoever is told: a real HTTP server on this machine that keeps what came and answers as it is bidden.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub struct Receiver {
    /// As `host:port`.
    pub address: String,
    answer: Arc<Mutex<Answer>>,
    came: tokio::sync::Mutex<UnboundedReceiver<Got>>,
}

/// What came.
#[derive(Debug)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

type Answer = (StatusCode, Option<(HeaderName, String)>);
type Shared = (UnboundedSender<Got>, Arc<Mutex<Answer>>);

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, came) = unbounded_channel();
        let answer = Arc::new(Mutex::new((StatusCode::OK, None)));
        let router = Router::new().fallback(take).with_state((sender, answer.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            answer,
            came: came.into(),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on.
    pub fn answers(&self, status: u16) {
        *self.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), None);
    }

    /// From now on, with one header.
    pub fn answers_with(&self, status: u16, name: HeaderName, value: &str) {
        *self.answer.lock().unwrap() = (StatusCode::from_u16(status).unwrap(), Some((name, value.to_owned())));
    }

    /// What comes next.
    pub async fn next(&self) -> Got {
        let came = tokio::time::timeout(Duration::from_secs(20), async { self.came.lock().await.recv().await });
        came.await.expect("something comes").unwrap()
    }

    /// What came and was not looked at.
    pub async fn rest(&self) -> Vec<Got> {
        let mut came = self.came.lock().await;
        std::iter::from_fn(|| came.try_recv().ok()).collect()
    }
}

impl Got {
    pub fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).expect("it is JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

async fn take(
    State((sender, answer)): State<Shared>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let (status, extra) = answer.lock().unwrap().clone();
    let _nobody_looks = sender.send(Got {
        path: uri.path().to_owned(),
        headers,
        body,
    });
    let extra = extra.map(|(name, value)| (name, value.parse().unwrap()));
    (status, extra.into_iter().collect())
}
