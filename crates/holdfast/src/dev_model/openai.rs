//! OpenAI's chat completions, as far as agents use them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::control::{Key, Seen};
use super::conversation::Turn;
use super::script::{self, Answer};
use super::streaming::{self, Renderer};

const PROTOCOL: &str = "openai";

#[derive(Deserialize)]
struct Request {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    stream_options: StreamOptions,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    tool_calls: Vec<Value>,
}

/// `POST /v1/chat/completions`
pub(super) async fn chat_completions(Extract(state): Extract<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let key = check_key(&state, &headers);
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            let message = format!("We could not parse the JSON body of your request: {error}");
            return refuse(StatusCode::BAD_REQUEST, &message, "invalid_request_error", None);
        }
    };
    let turns: Vec<Turn> = request.messages.iter().filter_map(turn).collect();
    let (answer, asked) = script::answer(&turns, state.options.pace);
    let answer = state.control.unless_down(PROTOCOL, answer);
    let system: Vec<String> = request
        .messages
        .iter()
        .filter(|message| matches!(message.role.as_str(), "system" | "developer"))
        .map(|message| text_of(&message.content))
        .collect();
    let tools = names(request.tools.iter().map(|tool| &tool["function"]));
    let mut seen = Seen {
        protocol: PROTOCOL,
        headers: &headers,
        model: &request.model,
        stream: request.stream,
        messages: request.messages.len(),
        key,
        asked: &asked,
        system: &system.join("\n"),
        tools: &tools,
        status: StatusCode::OK,
    };
    if let Some(refusal) = refuse_key(key) {
        seen.status = refusal.status();
        state.control.record(&seen);
        return refusal;
    }
    if !state.options.models.contains(&request.model) {
        seen.status = StatusCode::NOT_FOUND;
        state.control.record(&seen);
        let message = format!(
            "The model `{}` does not exist or you do not have access to it.",
            request.model
        );
        return refuse(
            StatusCode::NOT_FOUND,
            &message,
            "invalid_request_error",
            Some("model_not_found"),
        );
    }
    match answer {
        Answer::Fail { status, message } => {
            seen.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            state.control.record(&seen);
            refuse(seen.status, &message, kind_of(seen.status), None)
        }
        Answer::Steps(steps) => {
            state.control.record(&seen);
            let renderer = Completion::new(&request.model, body.len() / 4, request.stream_options.include_usage);
            streaming::respond(state.clone(), steps, renderer, request.stream).await
        }
    }
}

/// `GET /v1/models`
pub(super) async fn models(Extract(state): Extract<Shared>, headers: HeaderMap) -> Response {
    if let Some(refusal) = keyless(&state, &headers) {
        return refusal;
    }
    let models: Vec<Value> = state
        .options
        .models
        .iter()
        .map(|id| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "holdfast"}))
        .collect();
    Json(json!({"object": "list", "data": models})).into_response()
}

/// The refusal of a request without the key.
pub(super) fn keyless(state: &Shared, headers: &HeaderMap) -> Option<Response> {
    refuse_key(check_key(state, headers))
}

fn check_key(state: &Shared, headers: &HeaderMap) -> Key {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        // `GET /v1/models` serves both protocols.
        .or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()));
    match (given, &state.options.key) {
        (None | Some(""), _) => Key::Missing,
        (Some(_), None) => Key::Right,
        (Some(given), Some(key)) if given == key => Key::Right,
        (Some(_), Some(_)) => Key::Wrong,
    }
}

fn refuse_key(key: Key) -> Option<Response> {
    let message = match key {
        Key::Right => return None,
        Key::Missing => {
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."
        }
        Key::Wrong => "Incorrect API key provided. Check the key, and that it belongs to this provider.",
    };
    let code = (key == Key::Wrong).then_some("invalid_api_key");
    Some(refuse(StatusCode::UNAUTHORIZED, message, "invalid_request_error", code))
}

fn refuse(status: StatusCode, message: &str, kind: &str, code: Option<&str>) -> Response {
    let error = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    (status, Json(error)).into_response()
}

fn kind_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

fn turn(message: &Message) -> Option<Turn> {
    match message.role.as_str() {
        "user" => Some(Turn::Person(text_of(&message.content))),
        "assistant" => Some(Turn::Model {
            calls: message.tool_calls.len(),
        }),
        "tool" => Some(Turn::ToolResult(text_of(&message.content))),
        _ => None,
    }
}

/// Content is a string or a list of parts; only the text counts.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// What tools are called.
pub(super) fn names<'a>(tools: impl Iterator<Item = &'a Value>) -> Vec<String> {
    tools
        .filter_map(|tool| tool["name"].as_str())
        .map(str::to_owned)
        .collect()
}

/// An answer as a `chat.completion` and its chunks.
struct Completion {
    id: String,
    model: String,
    text: String,
    calls: Vec<Value>,
    asked_tokens: usize,
    with_usage: bool,
}

impl Completion {
    fn new(model: &str, asked_tokens: usize, with_usage: bool) -> Self {
        Self {
            id: format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()),
            model: model.to_owned(),
            text: String::new(),
            calls: Vec::new(),
            asked_tokens,
            with_usage,
        }
    }

    fn chunk(&self, delta: Value, finish: Option<&str>) -> Event {
        self.event(
            json!([{"index": 0, "delta": delta, "finish_reason": finish}]),
            Value::Null,
        )
    }

    fn event(&self, choices: Value, usage: Value) -> Event {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": self.model, "choices": choices,
        });
        if self.with_usage {
            chunk["usage"] = usage;
        }
        Event::default().data(chunk.to_string())
    }

    fn usage(&self) -> Value {
        let said = self.text.len().div_ceil(4).max(1);
        json!({"prompt_tokens": self.asked_tokens, "completion_tokens": said, "total_tokens": self.asked_tokens + said})
    }

    fn finish_reason(&self) -> &'static str {
        if self.calls.is_empty() { "stop" } else { "tool_calls" }
    }
}

impl Renderer for Completion {
    fn start(&mut self) -> Vec<Event> {
        vec![self.chunk(json!({"role": "assistant", "content": ""}), None)]
    }

    fn text(&mut self, text: &str) -> Vec<Event> {
        self.text.push_str(text);
        vec![self.chunk(json!({"content": text}), None)]
    }

    fn tool(&mut self, name: &str, arguments: &Value) -> Vec<Event> {
        let index = self.calls.len();
        let id = format!("call_{}", uuid::Uuid::new_v4().simple());
        let call =
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}});
        self.calls.push(call);
        let opening =
            json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
        let rest = json!({"index": index, "function": {"arguments": arguments.to_string()}});
        vec![
            self.chunk(json!({"tool_calls": [opening]}), None),
            self.chunk(json!({"tool_calls": [rest]}), None),
        ]
    }

    fn finish(&mut self) -> Vec<Event> {
        let mut events = vec![self.chunk(json!({}), Some(self.finish_reason()))];
        if self.with_usage {
            events.push(self.event(json!([]), self.usage()));
        }
        events.push(Event::default().data("[DONE]"));
        events
    }

    fn body(&self) -> Value {
        let mut message = json!({"role": "assistant", "content": self.text});
        if !self.calls.is_empty() {
            message["tool_calls"] = json!(self.calls);
        }
        json!({
            "id": self.id, "object": "chat.completion", "created": 1_700_000_000, "model": self.model, "usage": self.usage(),
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish_reason()}],
        })
    }
}
