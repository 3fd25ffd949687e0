//! `POST /v1/chat/completions`: a message to the agent and its answer, whole or in chunks. `user` is the session; without one, nothing is remembered.

use std::collections::VecDeque;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::access::Tenant;
use super::super::sse::WholeOrEvents;
use super::super::turn::{self, Wanted, Words};
use super::super::turns::{Final, Follower, Stage, TurnEvent, Usage};
use super::super::{idempotency, sse};
use super::{NO_TOOLS, errors, model, prompt, refuse, session_of};
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"model": "openclaw", "user": "first", "messages": [{"role": "user", "content": "Hello"}]})))]
pub(crate) struct Completion {
    /// The tenant's model by its name, or `openclaw`; or `holdfast/` and the name of an agent.
    model: String,
    messages: Vec<prompt::Said>,
    /// Chunks instead of one answer.
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    /// The session. Absent: nothing is remembered.
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
    /// The agent uses its own; there can be none of the client's.
    #[serde(default)]
    #[schema(max_items = 0)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    #[schema(max_items = 0)]
    functions: Option<Vec<Value>>,
}

#[derive(Deserialize, ToSchema)]
struct StreamOptions {
    /// A last chunk tells what was used.
    #[serde(default)]
    include_usage: bool,
}

/// An answer, whole.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "chatcmpl-6f9619ff8b864d01b42d00cf4fc964ff", "object": "chat.completion", "created": 1_795_000_061, "model": "openclaw",
    "choices": [{
        "index": 0, "message": {"role": "assistant", "content": "Hello, Anna.", "refusal": null}, "logprobs": null,
        "finish_reason": "stop",
    }],
    "usage": {"prompt_tokens": 812, "completion_tokens": 9, "total_tokens": 821},
})))]
pub(crate) struct Completed {
    #[serde(flatten)]
    told: Told,
    object: &'static str,
    choices: Vec<Choice>,
    usage: Tokens,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiChoice)]
struct Choice {
    index: u32,
    message: Answered,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiAnswer)]
struct Answered {
    role: &'static str,
    content: String,
    /// Always null.
    #[schema(value_type = Option<String>)]
    refusal: (),
}

/// A piece of an answer; after the last one comes `[DONE]`, and where it fails an `OpenAiError`.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiChunk)]
pub(crate) struct Chunk {
    #[serde(flatten)]
    told: Told,
    object: &'static str,
    choices: Vec<ChunkChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Tokens>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiChunkChoice)]
struct ChunkChoice {
    index: u32,
    delta: Delta,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize, ToSchema)]
#[schema(as = OpenAiDelta)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiTokens)]
struct Tokens {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Body(body): Body<Completion>,
) -> Result<WholeOrEvents<Completed, Chunk>, ApiError> {
    let (agent, model) = model(&app, &tenant, &body.model).await?;
    if body.n.is_some_and(|n| n != 1) {
        return Err(refuse("n", "The agent gives one answer."));
    }
    for (field, tools) in [("tools", &body.tools), ("functions", &body.functions)] {
        if tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
            return Err(refuse(field, NO_TOOLS));
        }
    }
    let (turn, named) = idempotency::turn(&headers, &agent)?;
    let wanted = Wanted {
        turn,
        named,
        words: Words::Text(prompt::of(&body.messages, body.user.is_some(), "messages")?),
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
    let mut follower = turn::start(&app, &agent, wanted)?;
    if body.stream != Some(true) {
        let answer = follower.answer().await?;
        return Ok(WholeOrEvents::Whole(told.whole(answer)));
    }
    // What fails before the first word fails as a request: clients try such again where that helps.
    follower.until(Stage::Speaking).await?;
    let with_usage = body.stream_options.is_some_and(|options| options.include_usage);
    Ok(WholeOrEvents::events(streamed(follower, told, with_usage)))
}

/// What every object of one answer has in common.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = OpenAiCompletion)]
struct Told {
    id: String,
    /// Seconds since 1970.
    created: i64,
    model: String,
}

impl Told {
    fn whole(self, answer: Final) -> Completed {
        let message = Answered {
            role: "assistant",
            content: answer.message.text,
            refusal: (),
        };
        Completed {
            told: self,
            object: "chat.completion",
            choices: vec![Choice {
                index: 0,
                message,
                logprobs: (),
                finish_reason: "stop",
            }],
            usage: Tokens::of(&answer.usage),
        }
    }

    fn chunk(&self, delta: Delta, finish_reason: Option<&'static str>) -> Event {
        let choice = ChunkChoice {
            index: 0,
            delta,
            logprobs: (),
            finish_reason,
        };
        self.piece(vec![choice], None)
    }

    fn piece(&self, choices: Vec<ChunkChoice>, usage: Option<Tokens>) -> Event {
        event(&Chunk {
            told: self.clone(),
            object: "chat.completion.chunk",
            choices,
            usage,
        })
    }
}

impl Tokens {
    fn of(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.input_tokens,
            completion_tokens: usage.output_tokens,
            total_tokens: usage.input_tokens.saturating_add(usage.output_tokens),
        }
    }
}

fn event(data: &impl Serialize) -> Event {
    Event::default().json_data(data).unwrap_or_default()
}

/// The state of a stream.
struct Telling {
    follower: Follower,
    told: Told,
    waiting: VecDeque<Event>,
    with_usage: bool,
}

fn streamed(follower: Follower, told: Told, with_usage: bool) -> Response {
    let begun = Delta {
        role: Some("assistant"),
        content: Some(String::new()),
    };
    let begun = told.chunk(begun, None);
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
            TurnEvent::Delta { text } => {
                let delta = Delta {
                    content: Some(text.clone()),
                    ..Delta::default()
                };
                self.waiting.push_back(self.told.chunk(delta, None));
            }
            TurnEvent::Final(answer) => {
                self.waiting.push_back(self.told.chunk(Delta::default(), Some("stop")));
                if self.with_usage {
                    let counted = self.told.piece(Vec::new(), Some(Tokens::of(&answer.usage)));
                    self.waiting.push_back(counted);
                }
                self.waiting.push_back(Event::default().data("[DONE]"));
            }
            TurnEvent::Error(failure) => {
                let error = errors::error(failure.status, &failure.message, None, Some(&failure.code));
                self.waiting.push_back(event(&error));
            }
        }
    }
}
