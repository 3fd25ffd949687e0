//! `POST /v1/responses`: a message to the agent and its response, whole or as events. A response's id names its session, so `previous_response_id` goes on in it; `user` names
//! one, too. Functions of the client's that the agent calls end the response as `function_call` items; what the agent did with its own tools is told as calls that were made on the server's side (`mcp_call`).

use std::collections::{BTreeMap, VecDeque};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::response::sse::Event;
use futures::stream;
use protocol::chat::ToolPhase;
use protocol::functions::{Call, TOOL};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::access::{KeyEnd, Tenant, agent_name};
use super::super::failure::Failure;
use super::super::sse::WholeOrEvents;
use super::super::turn::{self, Wanted};
use super::super::turns::{Follower, Said as Answered, Stage, ToolCall, Turn, TurnEvent};
use super::super::{idempotency, sessions, sse};
use super::functions::FlatTool;
use super::prompt::{Called, CalledFunction, Content, Said};
use super::response::{
    Asked, Happened, Item, Responded, Rest, Tokens, Wrong, call, function_call, item_of, mcp_call, piece,
};
use super::{IN_WORDS, OF_AGENTS, functions, is_text, model, prompt, refuse, refuse_where, session_of};
use crate::access::Body;
use crate::app::App;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::api_agents::{ApiAgent, MAIN};

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
    /// Functions of the client's that the agent may call until it has answered.
    #[serde(default)]
    #[schema(max_items = 64)]
    tools: Option<Vec<FlatTool>>,
    #[serde(default)]
    #[schema(value_type = Option<functions::Choice>)]
    tool_choice: Option<Value>,
    /// False: one call at a time is asked for.
    #[serde(default)]
    parallel_tool_calls: Option<bool>,
    /// Up to 16 pairs of texts, told back; a name has up to 64 characters, a value up to 512.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    metadata: Option<Value>,
    /// False, and no session named: nothing is remembered.
    #[serde(default)]
    store: Option<bool>,
    /// The agent answers in words, and now.
    #[serde(default)]
    text: Option<Worded>,
    /// Only false.
    #[serde(default)]
    background: Option<bool>,
    /// Only null: a session is named by `user`.
    #[serde(default)]
    conversation: Option<Value>,
    /// Only null: what is said is in `input`.
    #[serde(default)]
    prompt: Option<Value>,
}

/// How the text of a response is written.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiText)]
struct Worded {
    /// Only of the type `text`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    format: Option<Value>,
}

/// What is said: a text, or messages.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiInput)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Given>),
}

/// A message, a function that the agent called, or the result of one.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiInputItem)]
#[serde(untagged)]
enum Given {
    Result(GivenResult),
    Call(GivenCall),
    PassedOver(PassedOver),
    Said(Said),
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunctionCallOutput)]
struct GivenResult {
    #[serde(rename = "type")]
    _kind: IsResult,
    /// Of the `function_call` item.
    call_id: String,
    output: Content,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunctionCallItem)]
struct GivenCall {
    #[serde(rename = "type")]
    _kind: IsCall,
    name: String,
    arguments: String,
}

/// What a response had in it that the agent knows already.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiPassedOver)]
struct PassedOver {
    #[serde(rename = "type")]
    _kind: IsPassedOver,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiPassedOverType)]
#[serde(rename_all = "snake_case")]
enum IsPassedOver {
    McpCall,
    Reasoning,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunctionCallOutputType)]
#[serde(rename_all = "snake_case")]
enum IsResult {
    FunctionCallOutput,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunctionCallType)]
#[serde(rename_all = "snake_case")]
enum IsCall {
    FunctionCall,
}

impl Given {
    /// As `/v1/chat/completions` writes it.
    fn said(self) -> Option<Said> {
        Some(match self {
            Self::Said(said) => said,
            Self::PassedOver(PassedOver { .. }) => return None,
            Self::Result(GivenResult { call_id, output, .. }) => Said {
                tool_call_id: Some(call_id),
                ..Said::new("tool", output)
            },
            Self::Call(GivenCall { name, arguments, .. }) => Said {
                tool_calls: Some(vec![Called {
                    function: CalledFunction { name, arguments },
                }]),
                ..Said::new("assistant", Content::Text(String::new()))
            },
        })
    }
}

/// A client's own `metadata`, or 400.
fn pairs(metadata: Option<Value>) -> Result<BTreeMap<String, String>, ApiError> {
    let pairs = metadata.map(serde_json::from_value::<BTreeMap<String, String>>);
    let fits = |text: &str, most: usize| text.chars().count() <= most;
    let fit = |(name, value): (&String, &String)| {
        fits(name, limits::METADATA_NAME_CHARS) && fits(value, limits::METADATA_VALUE_CHARS)
    };
    match pairs.transpose().map(Option::unwrap_or_default) {
        Ok(pairs) if pairs.len() <= limits::METADATA_PAIRS && pairs.iter().all(fit) => Ok(pairs),
        _ => Err(refuse(
            "metadata",
            &format!(
                "`metadata` is up to {} texts (`METADATA_PAIRS`) of up to {} characters (`METADATA_VALUE_CHARS`), under names of up to {} \
                 (`METADATA_NAME_CHARS`).",
                limits::METADATA_PAIRS,
                limits::METADATA_VALUE_CHARS,
                limits::METADATA_NAME_CHARS
            ),
        )),
    }
}

/// `resp_<turn>_<session>` of the first agent, `resp_<turn>_<agent>.<session>` of another: ours to read again.
fn id_of(turn: Uuid, agent: &str, session: &str) -> String {
    let turn = turn.simple();
    match agent {
        MAIN => format!("resp_{turn}_{session}"),
        agent => format!("resp_{turn}_{agent}.{session}"),
    }
}

/// A turn, its agent and its session. There is no `.` in a session's name.
fn named_by(id: &str) -> Option<(Uuid, &str, &str)> {
    let (turn, rest) = id.strip_prefix("resp_")?.split_once('_')?;
    let turn = Uuid::try_parse(turn).ok()?;
    let (agent, session) = rest.split_once('.').unwrap_or((MAIN, rest));
    Some((turn, agent_name(agent).ok()?, sessions::check(session).ok()?))
}

/// The session that a response before was in, where that was this agent's and is there still.
async fn session_before(app: &App, id: &str, agent: &ApiAgent) -> Result<String, ApiError> {
    let no_such = || {
        let words = "There is no such response. Its session may have been deleted: begin a new one.";
        ApiError::Agent(Failure::new(
            StatusCode::NOT_FOUND,
            "previous_response_not_found",
            words,
        ))
    };
    let (turn, of, session) = named_by(id).ok_or_else(no_such)?;
    if of != agent.name {
        let words = format!(
            "This response is of the agent `{of}`, and `model` names `{}`: go on with the model `{OF_AGENTS}{of}`.",
            agent.name
        );
        return Err(refuse("previous_response_id", &words));
    }
    // One that runs may have no session yet.
    let runs = app.tenant_api()?.turns.find(agent.tenant, turn);
    let is_its = |turn: &Turn| !turn.is_over() && turn.agent == agent.name && turn.session == session;
    if runs.is_some_and(|turn| is_its(&turn)) {
        return Ok(session.to_owned());
    }
    match sessions::find(app, agent, session).await {
        Ok(found) if found.gone_at.is_none() => Ok(found.id),
        Ok(_) | Err(ApiError::NotFound) => Err(no_such()),
        Err(error) => Err(error),
    }
}

pub(crate) async fn post(
    State(app): State<App>,
    Tenant(tenant): Tenant,
    KeyEnd(key_end): KeyEnd,
    headers: HeaderMap,
    Body(body): Body<Wish>,
) -> Result<WholeOrEvents<Responded, Happened>, ApiError> {
    let (agent, model) = model(&app, &tenant, &body.model).await?;
    refuse_where(
        body.text.is_some_and(|text| !is_text(text.format.as_ref())),
        "text",
        IN_WORDS,
    )?;
    refuse_where(
        body.background == Some(true),
        "background",
        "The answer comes on this request: leave it out.",
    )?;
    let words = "A session is named by `user`, or by the response before.";
    refuse_where(body.conversation.is_some(), "conversation", words)?;
    let words = "There are no stored prompts: say it in `input` or `instructions`.";
    refuse_where(body.prompt.is_some(), "prompt", words)?;
    let (turn, named) = idempotency::turn(&headers, &agent)?;
    let before = match &body.previous_response_id {
        Some(previous) => Some(session_before(&app, previous, &agent).await?),
        None => None,
    };
    let named_session = body.user.as_deref().map(session_of);
    refuse_where(
        before.is_some() && named_session.is_some() && before != named_session,
        "user",
        "`user` names another session than that of `previous_response_id`: leave one of them out.",
    )?;
    let session = before.or(named_session);
    let asked = Asked {
        instructions: body.instructions.clone(),
        metadata: pairs(body.metadata)?,
        parallel_tool_calls: body.parallel_tool_calls != Some(false),
        tool_choice: functions::flat(body.tool_choice.clone()),
        tools: body.tools.iter().flatten().filter_map(FlatTool::offered).collect(),
    };
    let said: Vec<Said> = match body.input {
        Input::Text(text) => vec![Said::new("user", Content::Text(text))],
        Input::Items(items) => items.into_iter().filter_map(Given::said).collect(),
    };
    let (id, follower) = match prompt::results(&said, "input")? {
        // The turn goes on, with what it was offered and told.
        Some(results) => {
            let follower = turn::go_on(&app, &agent, session.as_deref(), results).await?;
            (Uuid::new_v4(), follower)
        }
        None => {
            let instructions = body
                .instructions
                .map(|text| Said::new("developer", Content::Text(text)));
            let said: Vec<Said> = instructions.into_iter().chain(said).collect();
            let wanted = Wanted {
                turn,
                named,
                words: prompt::of(&said, session.is_some(), "input")?,
                detach: false,
                once: session.is_none() && body.store == Some(false),
                unnamed: body.user.is_none() || body.previous_response_id.is_some(),
                functions: functions::offer(body.tools, body.tool_choice.as_ref(), body.parallel_tool_calls)?,
                model,
                session: session.unwrap_or_else(|| format!("s-{}", turn.simple())),
            };
            (turn, turn::start(&app, &agent, wanted)?)
        }
    };
    let mut follower = follower.until_end_of(key_end);
    let told = Told {
        id: id_of(id, &agent.name, &follower.turn.session),
        message: format!("msg_{}", id.simple()),
        created: app.clock.now().unix_timestamp(),
        model: body.model,
        previous: body.previous_response_id,
        asked,
    };
    if body.stream != Some(true) {
        let said = follower.answer_or_calls().await?;
        let output = told.output(&said);
        return Ok(WholeOrEvents::Whole(told.completed(&said, output)));
    }
    follower.begins(Stage::Speaking).await?;
    Ok(WholeOrEvents::events(streamed(follower, told)))
}

/// What every object of one response has in common.
struct Told {
    id: String,
    message: String,
    created: i64,
    model: String,
    previous: Option<String>,
    asked: Asked,
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
            asked: self.asked.clone(),
            rest: Rest::default(),
        }
    }

    /// What was said, in the order in which nothing else was told before.
    fn output(&self, said: &Answered) -> Vec<Item> {
        let mut output: Vec<Item> = said.tools.iter().map(call).collect();
        if said.calls.is_empty() || !said.text.is_empty() {
            output.push(self.message("completed", Some(&said.text)));
        }
        output.extend(said.calls.iter().map(|call| function_call(call, "completed")));
        output
    }

    fn completed(&self, said: &Answered, output: Vec<Item>) -> Responded {
        Responded {
            usage: said.usage.map(Tokens::of),
            ..self.response("completed", output)
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
    /// The output as it was told; the message is there as it begins.
    output: Vec<Item>,
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
        output: Vec::new(),
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
            let (_, happened) = telling.follower.hear().await?;
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
            TurnEvent::Delta { text } => self.say(text),
            TurnEvent::Final(_) | TurnEvent::Calls(_) => {
                if let Some(said) = self.follower.said(happened) {
                    self.finish(&said);
                }
            }
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

    fn say(&mut self, text: &str) {
        let at = self.message();
        let item = json!(self.told.message);
        self.tell(
            "response.output_text.delta",
            json!({"item_id": item, "output_index": at, "content_index": 0, "delta": text, "logprobs": []}),
        );
    }

    /// Where the message stands; begins it.
    fn message(&mut self) -> usize {
        if let Some(at) = self.at {
            return at;
        }
        let item = self.told.message("in_progress", None);
        let at = self.add(item.clone());
        self.at = Some(at);
        self.tell("response.output_item.added", json!({"output_index": at, "item": item}));
        let item = json!(self.told.message);
        self.tell(
            "response.content_part.added",
            json!({"item_id": item, "output_index": at, "content_index": 0, "part": piece("")}),
        );
        at
    }

    fn tool(&mut self, tool: &ToolCall) {
        // The client is asked for it by itself.
        if tool.name == TOOL {
            return;
        }
        match tool.phase {
            ToolPhase::Start => self
                .inputs
                .push((tool.id.clone(), tool.input.clone().unwrap_or_default())),
            ToolPhase::Update => {}
            ToolPhase::Result => {
                let input = self.inputs.iter().find(|(id, _)| *id == tool.id);
                let input = input.map(|(_, input)| input.clone()).unwrap_or_default();
                let output = tool.output.as_deref().unwrap_or_default();
                self.own_call(mcp_call(&tool.id, &tool.name, &input, output, tool.is_error));
            }
        }
    }

    /// One more of the output; where it stands.
    fn add(&mut self, item: Item) -> usize {
        self.output.push(item);
        self.output.len() - 1
    }

    fn own_call(&mut self, item: Item) {
        let told = json!(item);
        let at = self.add(item);
        self.tell("response.output_item.added", json!({"output_index": at, "item": told}));
        self.tell("response.output_item.done", json!({"output_index": at, "item": told}));
    }

    fn finish(&mut self, said: &Answered) {
        self.over = true;
        // Where that is no end of what was read, the whole text is told all the same.
        if let Some(rest) = self.follower.unread(said).filter(|rest| !rest.is_empty()) {
            self.say(rest);
        }
        for tool in &said.tools {
            let is_told = |item: &Item| matches!(item, Item::McpCall { id, .. } if *id == tool.id);
            if !self.output.iter().any(is_told) {
                self.own_call(call(tool));
            }
        }
        if said.calls.is_empty() || !said.text.is_empty() {
            self.finish_message(&said.text);
        }
        for call in &said.calls {
            self.function_call(call);
        }
        let output = std::mem::take(&mut self.output);
        let response = self.told.completed(said, output);
        self.tell("response.completed", json!({"response": response}));
    }

    fn finish_message(&mut self, text: &str) {
        let at = self.message();
        let id = json!(self.told.message);
        self.tell(
            "response.output_text.done",
            json!({"item_id": id, "output_index": at, "content_index": 0, "text": text, "logprobs": []}),
        );
        self.tell(
            "response.content_part.done",
            json!({"item_id": id, "output_index": at, "content_index": 0, "part": piece(text)}),
        );
        let item = self.told.message("completed", Some(text));
        self.tell("response.output_item.done", json!({"output_index": at, "item": item}));
        self.output[at] = item;
    }

    fn function_call(&mut self, call: &Call) {
        let whole = function_call(call, "completed");
        let at = self.add(whole.clone());
        let id = item_of(call);
        let begun = function_call(call, "in_progress");
        self.tell("response.output_item.added", json!({"output_index": at, "item": begun}));
        self.tell(
            "response.function_call_arguments.delta",
            json!({"item_id": id, "output_index": at, "delta": call.arguments}),
        );
        self.tell(
            "response.function_call_arguments.done",
            json!({"item_id": id, "output_index": at, "name": call.name, "arguments": call.arguments}),
        );
        self.tell("response.output_item.done", json!({"output_index": at, "item": whole}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_names_its_agent_and_its_session() {
        let id = id_of(Uuid::nil(), MAIN, "a_b-c");
        assert_eq!(id, "resp_00000000000000000000000000000000_a_b-c");
        assert_eq!(named_by(&id), Some((Uuid::nil(), MAIN, "a_b-c")));
        let other = id_of(Uuid::nil(), "press", "a_b-c");
        assert_eq!(named_by(&other), Some((Uuid::nil(), "press", "a_b-c")));
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
            assert_eq!(named_by(other), None, "{other}");
        }
    }
}
