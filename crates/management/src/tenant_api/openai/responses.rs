//! `POST /v1/responses`: a message to the agent and its response, whole or as events. A response's id names its session, so `previous_response_id` goes on in it; `user` names
//! one, too. What the agent did with its own tools is told as calls that were made on the server's side (`mcp_call`).

use std::collections::VecDeque;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use protocol::chat::ToolPhase;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::access::{Tenant, agent_name};
use super::super::sse::WholeOrEvents;
use super::super::turn::{self, Wanted, Words};
use super::super::turns::{Final, Follower, Stage, ToolCall, TurnEvent};
use super::super::{idempotency, sessions, sse};
use super::prompt::{Content, Said};
use super::response::{Happened, Item, Responded, Rest, Tokens, Wrong, call, mcp_call, piece};
use super::{NO_TOOLS, OF_AGENTS, model, prompt, refuse, session_of};
use crate::access::Body;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::api_agents::MAIN;

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({"model": "openclaw", "input": "Hello", "user": "first"})))]
pub(crate) struct Wish {
    /// The tenant's model by its name, or `openclaw`; or `holdfast/` and the name of an agent.
    model: String,
    input: Input,
    #[serde(default)]
    instructions: Option<String>,
    /// Goes on in the session of this response.
    #[serde(default)]
    previous_response_id: Option<String>,
    /// The session. Absent, and without a response before: a new one.
    #[serde(default)]
    user: Option<String>,
    /// Events instead of one answer.
    #[serde(default)]
    stream: Option<bool>,
    /// The agent uses its own; there can be none of the client's.
    #[serde(default)]
    #[schema(max_items = 0)]
    tools: Option<Vec<Value>>,
}

/// What is said: a text, or messages.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiInput)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Said>),
}

/// `resp_<turn>_<session>` of the first agent, `resp_<turn>_<agent>.<session>` of another: ours to read again.
fn id_of(turn: Uuid, agent: &str, session: &str) -> String {
    let turn = turn.simple();
    match agent {
        MAIN => format!("resp_{turn}_{session}"),
        agent => format!("resp_{turn}_{agent}.{session}"),
    }
}

/// The agent and its session. There is no `.` in a session's name.
fn session_in(id: &str) -> Option<(&str, &str)> {
    let (turn, rest) = id.strip_prefix("resp_")?.split_once('_')?;
    Uuid::try_parse(turn).ok()?;
    let (agent, session) = rest.split_once('.').unwrap_or((MAIN, rest));
    Some((agent_name(agent).ok()?, sessions::check(session).ok()?))
}

/// The session that a response before was in, where that was this agent's.
fn session_before(id: &str, agent: &str) -> Result<String, ApiError> {
    let wrong = |reason: &str| refuse("previous_response_id", reason);
    match session_in(id) {
        Some((of, session)) if of == agent => Ok(session.to_owned()),
        Some((of, _)) => Err(wrong(&format!(
            "This response is of the agent `{of}`, and `model` names `{agent}`: go on with the model `{OF_AGENTS}{of}`."
        ))),
        None => Err(wrong("There is no such response.")),
    }
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Body(body): Body<Wish>,
) -> Result<WholeOrEvents<Responded, Happened>, ApiError> {
    let (agent, model) = model(&app, &tenant, &body.model).await?;
    if body.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
        return Err(refuse("tools", NO_TOOLS));
    }
    let (turn, named) = idempotency::turn(&headers, &agent)?;
    let session = match (&body.previous_response_id, &body.user) {
        (Some(previous), _) => session_before(previous, &agent.name)?,
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
        words: Words::Text(prompt::of(&said, remembered, "input")?),
        detach: false,
        once: false,
        model,
        session: session.clone(),
    };
    let told = Told {
        id: id_of(turn, &agent.name, &session),
        message: format!("msg_{}", turn.simple()),
        created: app.clock.now().unix_timestamp(),
        model: body.model,
        previous: body.previous_response_id,
    };
    let mut follower = turn::start(&app, &agent, wanted)?;
    if body.stream != Some(true) {
        let answer = follower.answer().await?;
        return Ok(WholeOrEvents::Whole(told.completed(&answer)));
    }
    follower.until(Stage::Speaking).await?;
    Ok(WholeOrEvents::events(streamed(follower, told)))
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
    fn response(&self, status: &'static str, output: Vec<Item>) -> Responded {
        Responded {
            id: self.id.clone(),
            object: "response",
            created_at: self.created,
            status,
            model: self.model.clone(),
            output,
            usage: None,
            error: None,
            previous_response_id: self.previous.clone(),
            rest: Rest::default(),
        }
    }

    fn completed(&self, answer: &Final) -> Responded {
        let calls = answer.message.tools.iter().map(call);
        let message = self.message("completed", Some(&answer.message.text));
        Responded {
            usage: Some(Tokens::of(&answer.usage)),
            ..self.response("completed", calls.chain([message]).collect())
        }
    }

    fn message(&self, status: &'static str, text: Option<&str>) -> Item {
        Item::Message {
            id: self.message.clone(),
            role: "assistant",
            status,
            content: text.map(piece).into_iter().collect(),
        }
    }
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
    let begun = json!(told.response("in_progress", Vec::new()));
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
        let (name, data) = loop {
            if let Some(next) = telling.waiting.pop_front() {
                break next;
            }
            if telling.over {
                return None;
            }
            let (_, happened) = telling.follower.next().await?;
            telling.take(&happened);
        };
        let happened = Happened {
            r#type: name,
            sequence_number: telling.number,
            data: data.as_object().cloned().into_iter().flatten().collect(),
        };
        telling.number += 1;
        let event = Event::default().event(name).json_data(happened).unwrap_or_default();
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
                let error = Wrong {
                    code: failure.code.clone(),
                    message: failure.message.clone(),
                };
                let response = Responded {
                    error: Some(error),
                    ..self.told.response("failed", Vec::new())
                };
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
            json!({"item_id": item, "output_index": at, "content_index": 0, "part": piece("")}),
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
                let item = json!(mcp_call(&tool.id, &tool.name, &input, output, tool.is_error));
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
            json!({"item_id": id, "output_index": at, "content_index": 0, "part": piece(&text)}),
        );
        let item = self.told.message("completed", Some(&text));
        self.tell("response.output_item.done", json!({"output_index": at, "item": item}));
        let response = self.told.completed(answer);
        self.tell("response.completed", json!({"response": response}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_names_its_agent_and_its_session() {
        let id = id_of(Uuid::nil(), MAIN, "a_b-c");
        assert_eq!(id, "resp_00000000000000000000000000000000_a_b-c");
        assert_eq!(session_in(&id), Some((MAIN, "a_b-c")));
        let other = id_of(Uuid::nil(), "press", "a_b-c");
        assert_eq!(session_in(&other), Some(("press", "a_b-c")));
        for other in [
            "resp_1_a",
            "x",
            "resp_",
            &format!("{id}!"),
            &format!("{other}.a"),
            "resp_00000000000000000000000000000000_.a",
            "resp_00000000000000000000000000000000_A.a",
            "resp_00000000000000000000000000000000_",
        ] {
            assert_eq!(session_in(other), None, "{other}");
        }
    }
}
