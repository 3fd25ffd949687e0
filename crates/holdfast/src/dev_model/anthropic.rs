//! Anthropic's messages, as far as agents use them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::control::{Key, Seen};
use super::conversation::Turn;
use super::openai::{names, text_of};
use super::script::{self, Answer};
use super::streaming::{self, Renderer};

const PROTOCOL: &str = "anthropic";

#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    system: Value,
    #[serde(default)]
    tools: Vec<Value>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Value,
}

/// `POST /v1/messages`
pub(super) async fn messages(Extract(state): Extract<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if !headers.contains_key("anthropic-version") {
        return refuse(StatusCode::BAD_REQUEST, "anthropic-version: header is required");
    }
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("invalid request body: {error}")),
    };
    let turns: Vec<Turn> = request.messages.iter().flat_map(turns_of).collect();
    let (answer, asked) = script::answer(&turns, state.options.pace);
    let answer = state.control.unless_down(PROTOCOL, answer);
    let key = check_key(&state, &headers);
    let system = text_of(&request.system);
    let tools = names(request.tools.iter());
    let mut seen = Seen {
        protocol: PROTOCOL,
        headers: &headers,
        model: &request.model,
        stream: request.stream,
        messages: request.messages.len(),
        key,
        asked: &asked,
        system: &system,
        tools: &tools,
        status: StatusCode::OK,
    };
    let refusal = match (key, &answer) {
        (Key::Missing, _) => Some((StatusCode::UNAUTHORIZED, "x-api-key header is required".to_owned())),
        (Key::Wrong, _) => Some((StatusCode::UNAUTHORIZED, "invalid x-api-key".to_owned())),
        _ if !state.options.models.contains(&request.model) => {
            Some((StatusCode::NOT_FOUND, format!("model: {}", request.model)))
        }
        (Key::Right, Answer::Fail { status, message }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some((status, message.clone()))
        }
        (Key::Right, Answer::Steps(_)) => None,
    };
    if let Some((status, _)) = &refusal {
        seen.status = *status;
    }
    state.control.record(&seen);
    match (refusal, answer) {
        (None, Answer::Steps(steps)) => {
            let renderer = Reply::new(&request.model, body.len() / 4);
            streaming::respond(state.clone(), steps, renderer, request.stream).await
        }
        (Some((status, message)), _) => refuse(status, &message),
        (None, Answer::Fail { message, .. }) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

fn check_key(state: &Shared, headers: &HeaderMap) -> Key {
    let given = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    match (given, &state.options.key) {
        (None | Some(""), _) => Key::Missing,
        (Some(_), None) => Key::Right,
        (Some(given), Some(key)) if given == key => Key::Right,
        (Some(_), Some(_)) => Key::Wrong,
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    };
    let request_id = format!("req_{}", uuid::Uuid::new_v4().simple());
    let error = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id});
    (status, Json(error)).into_response()
}

/// One message of this protocol may be several turns: results of tools come inside a user's message.
fn turns_of(message: &Message) -> Vec<Turn> {
    let empty = Vec::new();
    let parts = message.content.as_array().unwrap_or(&empty);
    let of_type = |kind: &'static str| parts.iter().filter(move |part| part["type"] == kind);
    if message.role == "assistant" {
        let calls = of_type("tool_use").count();
        return vec![Turn::Model { calls }];
    }
    let mut turns: Vec<Turn> = of_type("tool_result")
        .map(|part| Turn::ToolResult(text_of(&part["content"])))
        .collect();
    let text = text_of(&message.content);
    if !text.is_empty() {
        turns.push(Turn::Person(text));
    }
    turns
}

/// An answer as a `message` and its events.
struct Reply {
    id: String,
    model: String,
    content: Vec<Value>,
    /// Whether the last block is a text that is still being written.
    open: bool,
    said: usize,
    asked_tokens: usize,
}

impl Reply {
    fn new(model: &str, asked_tokens: usize) -> Self {
        Self {
            id: format!("msg_{}", uuid::Uuid::new_v4().simple()),
            model: model.to_owned(),
            content: Vec::new(),
            open: false,
            said: 0,
            asked_tokens,
        }
    }

    fn event(data: &Value) -> Event {
        Event::default()
            .event(data["type"].as_str().unwrap_or_default())
            .data(data.to_string())
    }

    /// Ends the text block that is being written, if one is.
    fn close(&mut self, events: &mut Vec<Event>) {
        if std::mem::take(&mut self.open) {
            let index = self.content.len() - 1;
            events.push(Self::event(&json!({"type": "content_block_stop", "index": index})));
        }
    }

    fn stop_reason(&self) -> &'static str {
        if self.content.iter().any(|block| block["type"] == "tool_use") {
            "tool_use"
        } else {
            "end_turn"
        }
    }

    fn message(&self, content: &[Value], stop: Option<&str>) -> Value {
        json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": stop, "stop_sequence": null,
            "usage": {"input_tokens": self.asked_tokens, "output_tokens": self.said.div_ceil(4).max(1)},
        })
    }
}

impl Renderer for Reply {
    fn start(&mut self) -> Vec<Event> {
        vec![Self::event(
            &json!({"type": "message_start", "message": self.message(&[], None)}),
        )]
    }

    fn text(&mut self, text: &str) -> Vec<Event> {
        let mut events = Vec::new();
        if !self.open {
            self.open = true;
            self.content.push(json!({"type": "text", "text": ""}));
            let index = self.content.len() - 1;
            let block = json!({"type": "text", "text": ""});
            events.push(Self::event(
                &json!({"type": "content_block_start", "index": index, "content_block": block}),
            ));
        }
        let index = self.content.len() - 1;
        self.said += text.len();
        if let Some(Value::String(whole)) = self.content[index].get_mut("text") {
            whole.push_str(text);
        }
        let delta = json!({"type": "text_delta", "text": text});
        events.push(Self::event(
            &json!({"type": "content_block_delta", "index": index, "delta": delta}),
        ));
        events
    }

    fn tool(&mut self, name: &str, arguments: &Value) -> Vec<Event> {
        let mut events = Vec::new();
        self.close(&mut events);
        let index = self.content.len();
        let id = format!("toolu_{}", uuid::Uuid::new_v4().simple());
        self.content
            .push(json!({"type": "tool_use", "id": id, "name": name, "input": arguments}));
        let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
        let delta = json!({"type": "input_json_delta", "partial_json": arguments.to_string()});
        events.push(Self::event(
            &json!({"type": "content_block_start", "index": index, "content_block": block}),
        ));
        events.push(Self::event(
            &json!({"type": "content_block_delta", "index": index, "delta": delta}),
        ));
        events.push(Self::event(&json!({"type": "content_block_stop", "index": index})));
        events
    }

    fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        self.close(&mut events);
        let usage = json!({"output_tokens": self.said.div_ceil(4).max(1)});
        let delta = json!({"stop_reason": self.stop_reason(), "stop_sequence": null});
        events.push(Self::event(
            &json!({"type": "message_delta", "delta": delta, "usage": usage}),
        ));
        events.push(Self::event(&json!({"type": "message_stop"})));
        events
    }

    fn body(&self) -> Value {
        self.message(&self.content, Some(self.stop_reason()))
    }
}
