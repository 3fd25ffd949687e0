//! `POST /v1/chat/completions`: a message to the agent and its answer, whole or in chunks. `user` is the session; without one, nothing is remembered.

use std::collections::VecDeque;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use protocol::functions::Call;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::access::{KeyEnd, Tenant};
use super::super::failure::Failure;
use super::super::sse::WholeOrEvents;
use super::super::turn::{self, Wanted};
use super::super::turns::{Follower, Said, Stage, TurnEvent, Usage};
use super::super::{idempotency, sse};
use super::response::{Cached, Reasoned};
use super::{IN_WORDS, errors, functions, is_text, model, prompt, refuse, refuse_where, session_of};
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
    /// Functions of the client's that the agent may call until it has answered.
    #[serde(default)]
    #[schema(max_items = 64)]
    tools: Option<Vec<functions::Tool>>,
    #[serde(default)]
    #[schema(value_type = Option<functions::Choice>)]
    tool_choice: Option<Value>,
    /// False: one call at a time is asked for.
    #[serde(default)]
    parallel_tool_calls: Option<bool>,
    /// As OpenAI once wrote `tools`; there can be none.
    #[serde(default)]
    #[schema(max_items = 0)]
    functions: Option<Vec<Value>>,
    /// Only of the type `text`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
    /// Only false.
    #[serde(default)]
    logprobs: Option<bool>,
    /// Only null.
    #[serde(default)]
    audio: Option<Value>,
    /// Only null or none: the agent ends its answer by itself.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 0)]
    stop: Option<Value>,
}

#[derive(Deserialize, ToSchema)]
struct StreamOptions {
    /// A last chunk tells what was used.
    #[serde(default)]
    include_usage: Option<bool>,
}

/// An answer, whole.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({
    "id": "chatcmpl-6f9619ff8b864d01b42d00cf4fc964ff", "object": "chat.completion", "created": 1_795_000_061, "model": "openclaw",
    "choices": [{
        "index": 0, "message": {"role": "assistant", "content": "Hello, Anna.", "refusal": null}, "logprobs": null,
        "finish_reason": "stop",
    }],
    "usage": {
        "prompt_tokens": 812, "prompt_tokens_details": {"cached_tokens": 512, "cache_write_tokens": 0}, "completion_tokens": 9,
        "completion_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 821,
    },
})))]
pub(crate) struct Completed {
    #[serde(flatten)]
    told: Told,
    object: &'static str,
    choices: Vec<Choice>,
    /// Null where it was not measured.
    usage: Option<Tokens>,
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
    /// Null where it said nothing before it called functions.
    content: Option<String>,
    /// Always null.
    #[schema(value_type = Option<String>)]
    refusal: (),
    /// What the client has to carry out, where `finish_reason` is `tool_calls`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
}

/// A function of the client's that the agent calls.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiToolCall)]
struct ToolCall {
    /// Where it stands among the calls of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    id: String,
    r#type: &'static str,
    function: ToCall,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiFunctionToCall)]
struct ToCall {
    name: String,
    /// An object, as JSON.
    arguments: String,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiTokens)]
struct Tokens {
    prompt_tokens: u64,
    prompt_tokens_details: Cached,
    completion_tokens: u64,
    completion_tokens_details: Reasoned,
    total_tokens: u64,
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    KeyEnd(key_end): KeyEnd,
    headers: HeaderMap,
    Body(body): Body<Completion>,
) -> Result<WholeOrEvents<Completed, Chunk>, ApiError> {
    let (agent, model) = model(&app, &tenant, &body.model).await?;
    if body.n.is_some_and(|n| n != 1) {
        return Err(refuse("n", "The agent gives one answer."));
    }
    if body.functions.is_some_and(|functions| !functions.is_empty()) {
        return Err(refuse("functions", "Functions are offered as `tools`."));
    }
    refuse_where(!is_text(body.response_format.as_ref()), "response_format", IN_WORDS)?;
    refuse_where(
        body.logprobs == Some(true),
        "logprobs",
        "How likely a word was is not known: leave it out.",
    )?;
    refuse_where(body.audio.is_some(), "audio", IN_WORDS)?;
    refuse_where(
        body.stop
            .is_some_and(|stop| stop != "" && stop.as_array().is_none_or(|stops| !stops.is_empty())),
        "stop",
        "The agent ends its answer by itself: leave it out, and cut the answer where you want it to end.",
    )?;
    let (turn, named) = idempotency::turn(&headers, &agent)?;
    let session = body.user.as_deref().map(session_of);
    let (id, follower) = match prompt::results(&body.messages, "messages")? {
        // The turn goes on, with what it was offered.
        Some(results) => {
            let follower = turn::go_on(&app, &agent, session.as_deref(), results).await?;
            (Uuid::new_v4(), follower)
        }
        None => {
            let wanted = Wanted {
                turn,
                named,
                words: prompt::of(&body.messages, session.is_some(), "messages")?,
                once: session.is_none(),
                unnamed: false,
                session: session.unwrap_or_else(|| format!("s-{}", turn.simple())),
                detach: false,
                functions: functions::offer(body.tools, body.tool_choice.as_ref(), body.parallel_tool_calls)?,
                model,
            };
            (turn, turn::start(&app, &agent, wanted)?)
        }
    };
    let mut follower = follower.until_end_of(key_end);
    let told = Told {
        id: format!("chatcmpl-{}", id.simple()),
        created: app.clock.now().unix_timestamp(),
        model: body.model,
    };
    if body.stream != Some(true) {
        let said = follower.answer_or_calls().await?;
        return Ok(WholeOrEvents::Whole(told.whole(said)));
    }
    // What fails before the first word fails as a request: clients try such again where that helps.
    follower.begins(Stage::Speaking).await?;
    let with_usage = body
        .stream_options
        .is_some_and(|options| options.include_usage == Some(true));
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
    fn whole(self, said: Said) -> Completed {
        let is_answer = said.calls.is_empty();
        let message = Answered {
            role: "assistant",
            content: Some(said.text).filter(|text| is_answer || !text.is_empty()),
            refusal: (),
            tool_calls: said.calls.into_iter().map(|call| ToolCall::of(call, None)).collect(),
        };
        Completed {
            told: self,
            object: "chat.completion",
            choices: vec![Choice {
                index: 0,
                message,
                logprobs: (),
                finish_reason: ended(is_answer),
            }],
            usage: said.usage.map(Tokens::of),
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

/// Why an answer ends.
fn ended(is_answer: bool) -> &'static str {
    match is_answer {
        true => "stop",
        false => "tool_calls",
    }
}

impl ToolCall {
    fn of(call: Call, index: Option<usize>) -> Self {
        Self {
            index,
            id: call.id,
            r#type: "function",
            function: ToCall {
                name: call.name,
                arguments: call.arguments,
            },
        }
    }
}

impl Tokens {
    fn of(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input_tokens,
            prompt_tokens_details: Cached::of(usage),
            completion_tokens: usage.output_tokens,
            completion_tokens_details: Reasoned::default(),
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
    over: bool,
}

fn streamed(follower: Follower, told: Told, with_usage: bool) -> Response {
    let begun = Delta {
        role: Some("assistant"),
        content: Some(String::new()),
        ..Delta::default()
    };
    let begun = told.chunk(begun, None);
    let telling = Telling {
        follower,
        told,
        waiting: VecDeque::from([begun]),
        with_usage,
        over: false,
    };
    sse::of(stream::unfold(telling, async |mut telling| {
        let event = loop {
            if let Some(event) = telling.waiting.pop_front() {
                break event;
            }
            if telling.over {
                return None;
            }
            let (_, happened) = telling.follower.hear().await?;
            telling.take(&happened);
        };
        Some((event, telling))
    }))
}

impl Telling {
    fn take(&mut self, happened: &TurnEvent) {
        match happened {
            TurnEvent::Status { .. } | TurnEvent::Tool(_) | TurnEvent::Usage(_) => {}
            TurnEvent::Delta { text } => self.say(text),
            TurnEvent::Final(_) | TurnEvent::Calls(_) => self.end(happened),
            TurnEvent::Error(failure) => self.fail(failure),
        }
    }

    fn say(&mut self, text: &str) {
        let delta = Delta {
            content: Some(text.to_owned()),
            ..Delta::default()
        };
        self.waiting.push_back(self.told.chunk(delta, None));
    }

    fn fail(&mut self, failure: &Failure) {
        self.over = true;
        let error = errors::error(failure.status, &failure.message, None, Some(&failure.code));
        self.waiting.push_back(event(&error));
    }

    /// The agent has answered, or calls functions of the client's.
    fn end(&mut self, happened: &TurnEvent) {
        self.over = true;
        let Some(said) = self.follower.said(happened) else {
            return;
        };
        match self.follower.unread(&said) {
            Some("") => {}
            Some(rest) => self.say(rest),
            None => return self.fail(&Failure::events_lost()),
        }
        let is_answer = said.calls.is_empty();
        for (index, call) in said.calls.into_iter().enumerate() {
            let delta = Delta {
                tool_calls: vec![ToolCall::of(call, Some(index))],
                ..Delta::default()
            };
            self.waiting.push_back(self.told.chunk(delta, None));
        }
        self.waiting
            .push_back(self.told.chunk(Delta::default(), Some(ended(is_answer))));
        if let Some(usage) = said.usage.filter(|_| self.with_usage) {
            let counted = self.told.piece(Vec::new(), Some(Tokens::of(usage)));
            self.waiting.push_back(counted);
        }
        self.waiting.push_back(Event::default().data("[DONE]"));
    }
}
