//! `POST /v1/chat/completions`, whole and streaming. `user` is the session; without one, nothing is remembered.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::Event;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::access::Tenant;
use super::super::turn::{self, Wanted};
use super::super::turns::{Follower, Stage, TurnEvent, Usage};
use super::super::{idempotency, sse};
use super::{NO_TOOLS, errors, model, prompt, refuse, session_of};
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize)]
pub(crate) struct Completion {
    model: String,
    messages: Vec<prompt::Said>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    functions: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Body(body): Body<Completion>,
) -> Result<Response, ApiError> {
    let model = model(&tenant, &body.model)?.to_owned();
    if body.n.is_some_and(|n| n != 1) {
        return Err(refuse("n", "The agent gives one answer."));
    }
    for (field, tools) in [("tools", &body.tools), ("functions", &body.functions)] {
        if tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
            return Err(refuse(field, NO_TOOLS));
        }
    }
    let (turn, named) = idempotency::turn(&headers, tenant.id)?;
    let wanted = Wanted {
        turn,
        named,
        text: prompt::of(&body.messages, body.user.is_some(), "messages")?,
        once: body.user.is_none(),
        session: body
            .user
            .as_deref()
            .map_or_else(|| format!("s-{}", turn.simple()), session_of),
        detach: false,
        model,
    };
    let told = Told {
        id: format!("chatcmpl-{}", turn.simple()),
        created: app.clock.now().unix_timestamp(),
        model: body.model,
    };
    let mut follower = turn::start(&app, &tenant, wanted)?;
    if body.stream != Some(true) {
        let answer = follower.answer().await?;
        let message = json!({"role": "assistant", "content": answer.message.text, "refusal": null});
        let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"});
        let usage = usage(&answer.usage);
        return Ok(Json(told.object("chat.completion", json!([choice]), usage)).into_response());
    }
    // What fails before the first word fails as a request: clients try such again where that helps.
    follower.until(Stage::Speaking).await?;
    let with_usage = body.stream_options.is_some_and(|options| options.include_usage);
    Ok(streamed(follower, told, with_usage))
}

/// What every object of one answer has in common.
struct Told {
    id: String,
    created: i64,
    model: String,
}

impl Told {
    fn object(&self, object: &str, choices: Value, usage: Value) -> Value {
        let mut answer = json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model, "choices": choices,
        });
        if !usage.is_null() {
            answer["usage"] = usage;
        }
        answer
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Event {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        event(&self.object("chat.completion.chunk", json!([choice]), Value::Null))
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens.saturating_add(usage.output_tokens),
    })
}

fn event(value: &Value) -> Event {
    Event::default().data(value.to_string())
}

/// The state of a stream.
struct Telling {
    follower: Follower,
    told: Told,
    waiting: VecDeque<Event>,
    with_usage: bool,
}

fn streamed(follower: Follower, told: Told, with_usage: bool) -> Response {
    let begun = told.chunk(json!({"role": "assistant", "content": ""}), None);
    let telling = Telling {
        follower,
        told,
        waiting: VecDeque::from([begun]),
        with_usage,
    };
    sse::of(stream::unfold(telling, async |mut telling| {
        let event = loop {
            if let Some(event) = telling.waiting.pop_front() {
                break event;
            }
            let (_, happened) = telling.follower.next().await?;
            telling.take(&happened);
        };
        Some((event, telling))
    }))
}

impl Telling {
    fn take(&mut self, happened: &TurnEvent) {
        match happened {
            TurnEvent::Status { .. } | TurnEvent::Tool(_) | TurnEvent::Usage(_) => {}
            TurnEvent::Delta { text } => self.waiting.push_back(self.told.chunk(json!({"content": text}), None)),
            TurnEvent::Final(answer) => {
                self.waiting.push_back(self.told.chunk(json!({}), Some("stop")));
                if self.with_usage {
                    let counted = self
                        .told
                        .object("chat.completion.chunk", json!([]), usage(&answer.usage));
                    self.waiting.push_back(event(&counted));
                }
                self.waiting.push_back(Event::default().data("[DONE]"));
            }
            TurnEvent::Error(failure) => {
                let (message, code) = (json!(failure.message), json!(failure.code));
                let error = errors::error(failure.status, &message, &Value::Null, &code);
                self.waiting.push_back(event(&error));
            }
        }
    }
}
