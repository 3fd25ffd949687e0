//! `POST /v1/responses`, whole and streaming. A response's id names its session, so `previous_response_id` goes on in it; `user` names
//! one, too. What the agent did with its own tools is told as calls that were made on the server's side (`mcp_call`).

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use protocol::chat::{ToolPhase, ToolState};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::access::Tenant;
use super::super::turn::{self, Wanted};
use super::super::turns::{AnswerTool, Final, Follower, Stage, ToolCall, TurnEvent, Usage};
use super::super::{idempotency, sessions, sse};
use super::prompt::{Content, Said};
use super::{NO_TOOLS, model, prompt, refuse, session_of};
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize)]
pub(crate) struct Wish {
    model: String,
    input: Input,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    previous_response_id: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Said>),
}

/// `resp_<turn>_<session>`: ours to read again.
fn id_of(turn: Uuid, session: &str) -> String {
    format!("resp_{}_{session}", turn.simple())
}

fn session_in(id: &str) -> Option<&str> {
    let (turn, session) = id.strip_prefix("resp_")?.split_once('_')?;
    Uuid::try_parse(turn).ok()?;
    sessions::check(session).ok()
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Body(body): Body<Wish>,
) -> Result<Response, ApiError> {
    let model = model(&tenant, &body.model)?.to_owned();
    if body.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
        return Err(refuse("tools", NO_TOOLS));
    }
    let (turn, named) = idempotency::turn(&headers, tenant.id)?;
    let session = match (&body.previous_response_id, &body.user) {
        (Some(previous), _) => session_in(previous)
            .ok_or_else(|| refuse("previous_response_id", "There is no such response."))?
            .to_owned(),
        (None, Some(user)) => session_of(user),
        (None, None) => format!("s-{}", turn.simple()),
    };
    let mut said: Vec<Said> = body
        .instructions
        .map(|text| Said {
            role: "developer".to_owned(),
            content: Some(Content::Text(text)),
        })
        .into_iter()
        .collect();
    match body.input {
        Input::Text(text) => said.push(Said {
            role: "user".to_owned(),
            content: Some(Content::Text(text)),
        }),
        Input::Items(items) => said.extend(items),
    }
    let remembered = body.previous_response_id.is_some() || body.user.is_some();
    let wanted = Wanted {
        turn,
        named,
        text: prompt::of(&said, remembered, "input")?,
        detach: false,
        once: false,
        model,
        session: session.clone(),
    };
    let told = Told {
        id: id_of(turn, &session),
        message: format!("msg_{}", turn.simple()),
        created: app.clock.now().unix_timestamp(),
        model: body.model,
        previous: body.previous_response_id,
    };
    let mut follower = turn::start(&app, &tenant, wanted)?;
    if body.stream != Some(true) {
        let answer = follower.answer().await?;
        let output = told.output(&answer);
        return Ok(Json(told.response("completed", output, Some(&answer.usage), Value::Null)).into_response());
    }
    follower.until(Stage::Speaking).await?;
    Ok(streamed(follower, told))
}

/// What every object of one response has in common.
struct Told {
    id: String,
    message: String,
    created: i64,
    model: String,
    previous: Option<String>,
}

impl Told {
    fn response(&self, status: &str, output: Vec<Value>, usage: Option<&Usage>, error: Value) -> Value {
        let usage = usage.map(|usage| {
            json!({
                "input_tokens": usage.input_tokens, "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": usage.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
            })
        });
        json!({
            "id": self.id, "object": "response", "created_at": self.created, "status": status, "model": self.model,
            "output": output, "usage": usage, "error": error, "previous_response_id": self.previous,
            "incomplete_details": null, "instructions": null, "metadata": {}, "parallel_tool_calls": false,
            "temperature": null, "tool_choice": "auto", "tools": [], "top_p": null,
        })
    }

    fn message(&self, status: &str, text: Option<&str>) -> Value {
        let content: Vec<_> = text.map(part).into_iter().collect();
        json!({"id": self.message, "type": "message", "role": "assistant", "status": status, "content": content})
    }

    fn output(&self, answer: &Final) -> Vec<Value> {
        let calls = answer.message.tools.iter().map(call);
        calls
            .chain([self.message("completed", Some(&answer.message.text))])
            .collect()
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

/// A tool of the agent's own.
fn call(tool: &AnswerTool) -> Value {
    let failed = tool.state == ToolState::Failed;
    mcp_call(
        &tool.id,
        &tool.name,
        &tool.input,
        (!failed).then_some(&*tool.output),
        failed.then_some(&*tool.output),
    )
}

fn mcp_call(id: &str, name: &str, input: &str, output: Option<&str>, error: Option<&str>) -> Value {
    json!({
        "id": id, "type": "mcp_call", "server_label": "agent", "name": name, "arguments": input, "output": output,
        "error": error,
    })
}

/// The state of a stream: what is still to be told, and what was.
struct Telling {
    follower: Follower,
    told: Told,
    waiting: VecDeque<(&'static str, Value)>,
    number: u64,
    /// Where the message stands among the output; set with its first word.
    at: Option<usize>,
    items: usize,
    inputs: Vec<(String, String)>,
    over: bool,
}

fn streamed(follower: Follower, told: Told) -> Response {
    let begun = told.response("in_progress", Vec::new(), None, Value::Null);
    let telling = Telling {
        follower,
        told,
        waiting: VecDeque::from([
            ("response.created", json!({"response": begun})),
            ("response.in_progress", json!({"response": begun})),
        ]),
        number: 0,
        at: None,
        items: 0,
        inputs: Vec::new(),
        over: false,
    };
    let events = stream::unfold(telling, async |mut telling| {
        let (name, mut data) = loop {
            if let Some(next) = telling.waiting.pop_front() {
                break next;
            }
            if telling.over {
                return None;
            }
            let (_, happened) = telling.follower.next().await?;
            telling.take(&happened);
        };
        data["type"] = json!(name);
        data["sequence_number"] = json!(telling.number);
        telling.number += 1;
        let event = Event::default().event(name).data(data.to_string());
        Some((event, telling))
    });
    sse::of(events)
}

impl Telling {
    fn tell(&mut self, name: &'static str, data: Value) {
        self.waiting.push_back((name, data));
    }

    fn take(&mut self, happened: &TurnEvent) {
        match happened {
            TurnEvent::Status { .. } | TurnEvent::Usage(_) => {}
            TurnEvent::Tool(tool) => self.tool(tool),
            TurnEvent::Delta { text } => {
                let at = self.message();
                let item = json!(self.told.message);
                self.tell(
                    "response.output_text.delta",
                    json!({"item_id": item, "output_index": at, "content_index": 0, "delta": text, "logprobs": []}),
                );
            }
            TurnEvent::Final(answer) => self.finish(answer),
            TurnEvent::Error(failure) => {
                self.over = true;
                let error = json!({"code": failure.code, "message": failure.message});
                let response = self.told.response("failed", Vec::new(), None, error);
                self.tell("response.failed", json!({"response": response}));
            }
        }
    }

    /// Where the message stands; begins it.
    fn message(&mut self) -> usize {
        if let Some(at) = self.at {
            return at;
        }
        let at = self.items;
        self.items += 1;
        self.at = Some(at);
        let item = self.told.message("in_progress", None);
        self.tell("response.output_item.added", json!({"output_index": at, "item": item}));
        let item = json!(self.told.message);
        self.tell(
            "response.content_part.added",
            json!({"item_id": item, "output_index": at, "content_index": 0, "part": part("")}),
        );
        at
    }

    fn tool(&mut self, tool: &ToolCall) {
        match tool.phase {
            ToolPhase::Start => self
                .inputs
                .push((tool.id.clone(), tool.input.clone().unwrap_or_default())),
            ToolPhase::Update => {}
            ToolPhase::Result => {
                let input = self.inputs.iter().find(|(id, _)| *id == tool.id);
                let input = input.map(|(_, input)| input.clone()).unwrap_or_default();
                let output = tool.output.as_deref().unwrap_or_default();
                let failed = tool.is_error;
                let item = mcp_call(
                    &tool.id,
                    &tool.name,
                    &input,
                    (!failed).then_some(output),
                    failed.then_some(output),
                );
                let at = self.items;
                self.items += 1;
                self.tell("response.output_item.added", json!({"output_index": at, "item": item}));
                self.tell("response.output_item.done", json!({"output_index": at, "item": item}));
            }
        }
    }

    fn finish(&mut self, answer: &Final) {
        self.over = true;
        let at = self.message();
        let (id, text) = (json!(self.told.message), answer.message.text.clone());
        self.tell(
            "response.output_text.done",
            json!({"item_id": id, "output_index": at, "content_index": 0, "text": text, "logprobs": []}),
        );
        self.tell(
            "response.content_part.done",
            json!({"item_id": id, "output_index": at, "content_index": 0, "part": part(&text)}),
        );
        let item = self.told.message("completed", Some(&text));
        self.tell("response.output_item.done", json!({"output_index": at, "item": item}));
        let output = self.told.output(answer);
        let response = self
            .told
            .response("completed", output, Some(&answer.usage), Value::Null);
        self.tell("response.completed", json!({"response": response}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_names_its_session() {
        let id = id_of(Uuid::nil(), "a_b-c");
        assert_eq!(session_in(&id), Some("a_b-c"));
        for other in [
            "resp_1_a",
            "x",
            "resp_",
            &format!("{id}!"),
            "resp_00000000000000000000000000000000_",
        ] {
            assert_eq!(session_in(other), None, "{other}");
        }
    }
}
