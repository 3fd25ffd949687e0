//! What a test may look at and steer: the requests that came, and the holds that answers wait at.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Shared;
use super::script::Answer;

/// Requests that are remembered.
const REQUESTS: usize = 256;
/// How long `held` waits for a request to come to a hold.
const HELD_WAIT: Duration = Duration::from_secs(60);

/// How a request proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    Right,
    Wrong,
    Missing,
}

/// One request, without the key.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Record {
    at: u128,
    protocol: &'static str,
    model: String,
    stream: bool,
    key: Key,
    headers: Vec<String>,
    messages: usize,
    /// The person's words that were answered.
    asked: String,
    /// The tools that were offered, by name.
    tools: Vec<String>,
    status: u16,
}

#[derive(Clone, Copy, Default)]
struct Hold {
    waiting: usize,
    released: bool,
}

/// Every call is refused with this status, or every one of a protocol.
#[derive(Clone)]
struct Down {
    status: u16,
    protocol: Option<String>,
}

/// Which protocol is down; both where none is named.
#[derive(Deserialize)]
struct Of {
    protocol: Option<String>,
}

#[derive(Default)]
pub(super) struct Control {
    /// What the last request with tools said before anybody spoke.
    system: Mutex<String>,
    requests: Mutex<VecDeque<Record>>,
    holds: Mutex<HashMap<String, watch::Sender<Hold>>>,
    down: Mutex<Option<Down>>,
}

/// What is known of a request when it is written down.
pub(super) struct Seen<'a> {
    pub protocol: &'static str,
    pub headers: &'a HeaderMap,
    pub model: &'a str,
    pub stream: bool,
    pub messages: usize,
    pub key: Key,
    pub asked: &'a str,
    pub system: &'a str,
    pub tools: &'a [String],
    pub status: StatusCode,
}

impl Control {
    pub(super) fn record(&self, seen: &Seen<'_>) {
        let record = Record {
            at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_millis(),
            protocol: seen.protocol,
            model: seen.model.to_owned(),
            stream: seen.stream,
            key: seen.key,
            headers: seen.headers.keys().map(|name| name.as_str().to_owned()).collect(),
            messages: seen.messages,
            asked: seen.asked.to_owned(),
            tools: seen.tools.to_vec(),
            status: seen.status.as_u16(),
        };
        if !seen.tools.is_empty() {
            seen.system
                .clone_into(&mut self.system.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        }
        let mut requests = self.requests.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if requests.len() == REQUESTS {
            requests.pop_front();
        }
        requests.push_back(record);
    }

    /// What it answers in a protocol: what its script says, unless it is down.
    pub(super) fn unless_down(&self, protocol: &str, answer: Answer) -> Answer {
        let down = self.down.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match down.as_ref() {
            Some(down) if down.protocol.as_deref().is_none_or(|name| name == protocol) => Answer::Fail {
                status: down.status,
                message: "told to be down".to_owned(),
            },
            _ => answer,
        }
    }

    fn set_down(&self, down: Option<Down>) {
        *self.down.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = down;
    }

    /// Waits until somebody releases this hold; at once if somebody did.
    pub(super) async fn wait_at(&self, name: &str) {
        let hold = self.hold(name);
        hold.send_modify(|hold| hold.waiting += 1);
        // An error would mean that the sender is gone, and it is held above.
        let _ = hold.subscribe().wait_for(|hold| hold.released).await;
    }

    fn hold(&self, name: &str) -> watch::Sender<Hold> {
        let mut holds = self.holds.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        holds
            .entry(name.to_owned())
            .or_insert_with(|| watch::Sender::new(Hold::default()))
            .clone()
    }
}

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/_control/requests", get(requests).delete(forget))
        .route("/_control/system", get(system))
        .route("/_control/held/{name}", get(held))
        .route("/_control/release/{name}", post(release))
        .route("/_control/down", delete(up))
        .route("/_control/down/{status}", post(down))
}

async fn requests(Extract(state): Extract<Shared>) -> Json<serde_json::Value> {
    let requests = state
        .control
        .requests
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    Json(serde_json::json!({ "requests": *requests }))
}

async fn system(Extract(state): Extract<Shared>) -> String {
    let system = state.control.system.lock();
    system.unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
}

async fn forget(Extract(state): Extract<Shared>) -> StatusCode {
    state
        .control
        .requests
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .clear();
    StatusCode::NO_CONTENT
}

async fn held(Extract(state): Extract<Shared>, Path(name): Path<String>) -> StatusCode {
    let hold = state.control.hold(&name);
    let mut changes = hold.subscribe();
    match tokio::time::timeout(HELD_WAIT, changes.wait_for(|hold| hold.waiting > 0)).await {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    }
}

async fn release(Extract(state): Extract<Shared>, Path(name): Path<String>) -> StatusCode {
    state.control.hold(&name).send_modify(|hold| hold.released = true);
    StatusCode::NO_CONTENT
}

async fn down(
    Extract(state): Extract<Shared>,
    Path(status): Path<u16>,
    Query(Of { protocol }): Query<Of>,
) -> StatusCode {
    if !(400..600).contains(&status) {
        return StatusCode::BAD_REQUEST;
    }
    state.control.set_down(Some(Down { status, protocol }));
    StatusCode::NO_CONTENT
}

async fn up(Extract(state): Extract<Shared>) -> StatusCode {
    state.control.set_down(None);
    StatusCode::NO_CONTENT
}
