//! `POST /v1/tools`: a small server of tools (the Model Context Protocol over HTTP, without sessions), as somebody connects it who tries
//! Holdfast. It keeps nothing: what it is asked for it says back.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::openai::keyless;

#[derive(Deserialize)]
pub(super) struct Message {
    /// None: it is told something, and answers nothing.
    id: Option<Value>,
    method: String,
    #[serde(default)]
    params: Value,
}

pub(super) async fn answer(
    Extract(state): Extract<Shared>,
    headers: HeaderMap,
    Json(message): Json<Message>,
) -> Response {
    if let Some(refusal) = keyless(&state, &headers) {
        return refusal;
    }
    let Some(id) = message.id else {
        return StatusCode::ACCEPTED.into_response();
    };
    let said = match message.method.as_str() {
        "initialize" => json!({"result": {
            "protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "holdfast-demo", "version": "1"},
        }}),
        "tools/list" => json!({"result": {"tools": tools()}}),
        "tools/call" => call(&message.params),
        _ => json!({"error": {"code": -32601, "message": "There is no such method."}}),
    };
    let mut answer = json!({"jsonrpc": "2.0", "id": id});
    for (name, value) in said.as_object().into_iter().flatten() {
        answer[name] = value.clone();
    }
    Json(answer).into_response()
}

fn tools() -> Value {
    let words = |about: &str| {
        json!({
            "type": "object", "properties": {"words": {"type": "string", "description": about}}, "required": ["words"],
        })
    };
    json!([
        {
            "name": "search_notes", "title": "Look for notes", "description": "Finds the notes in which these words stand.",
            "inputSchema": words("What to look for."), "annotations": {"readOnlyHint": true},
        },
        {
            "name": "add_note", "description": "Writes a note.", "inputSchema": words("What it says."),
            "annotations": {"readOnlyHint": false, "destructiveHint": false},
        },
        {"name": "forget", "description": "Deletes all notes that are older than a year.", "inputSchema": {"type": "object"}},
        {"name": "odd name", "description": "It cannot be called by its name.", "inputSchema": {"type": "object"}},
    ])
}

fn call(params: &Value) -> Value {
    let words = params["arguments"]["words"].as_str().unwrap_or_default();
    let said = match params["name"].as_str() {
        Some("search_notes") => format!("One note says: {words}"),
        Some("add_note") => format!("It is written: {words}"),
        Some("forget") => "There were none.".to_owned(),
        _ => return json!({"error": {"code": -32602, "message": "There is no such tool."}}),
    };
    json!({"result": {"content": [{"type": "text", "text": said}]}})
}
