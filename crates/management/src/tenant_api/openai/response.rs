//! What a response of `/v1/responses` is, and the events on the way to it, as OpenAI's clients read them.

use std::collections::BTreeMap;

use protocol::chat::ToolState;
use protocol::functions::Call;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::turns::{AnswerTool, Usage};
use super::functions::{Choice, OfferedTool};

/// A response, as far as it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiResponse, examples(json!({
    "id": "resp_6f9619ff8b864d01b42d00cf4fc964ff_first", "object": "response", "created_at": 1_795_000_061, "status": "completed",
    "model": "openclaw",
    "output": [{
        "type": "message", "id": "msg_6f9619ff8b864d01b42d00cf4fc964ff", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Hello, Anna.", "annotations": [], "logprobs": []}],
    }],
    "usage": {
        "input_tokens": 812, "input_tokens_details": {"cached_tokens": 512, "cache_write_tokens": 0}, "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 821,
    },
    "error": null, "previous_response_id": null, "incomplete_details": null, "instructions": null, "metadata": {},
    "parallel_tool_calls": true, "temperature": null, "tool_choice": "auto", "tools": [], "top_p": null,
})))]
pub(crate) struct Responded {
    pub(super) id: String,
    pub(super) object: &'static str,
    /// Seconds since 1970.
    pub(super) created_at: i64,
    /// `in_progress`, `completed` or `failed`.
    pub(super) status: &'static str,
    pub(super) model: String,
    pub(super) output: Vec<Item>,
    pub(super) usage: Option<Tokens>,
    pub(super) error: Option<Wrong>,
    pub(super) previous_response_id: Option<String>,
    #[serde(flatten)]
    pub(super) asked: Asked,
    #[serde(flatten)]
    pub(super) rest: Rest,
}

/// What was asked for, told back.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = OpenAiAsked)]
pub(super) struct Asked {
    pub(super) instructions: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) parallel_tool_calls: bool,
    #[schema(value_type = Choice)]
    pub(super) tool_choice: Value,
    pub(super) tools: Vec<OfferedTool>,
}

/// What the clients want to find in a response, and nobody sets here.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = OpenAiUnset)]
pub(super) struct Rest {
    #[schema(value_type = Option<Object>)]
    incomplete_details: (),
    #[schema(value_type = Option<f64>)]
    temperature: (),
    #[schema(value_type = Option<f64>)]
    top_p: (),
}

#[derive(Clone, Serialize, ToSchema)]
#[schema(as = OpenAiOutput)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item {
    Message {
        id: String,
        role: &'static str,
        status: &'static str,
        content: Vec<Piece>,
    },
    /// A function of the client's that the agent calls: the client carries it out.
    FunctionCall {
        id: String,
        call_id: String,
        name: String,
        /// An object, as JSON.
        arguments: String,
        status: &'static str,
    },
    /// What the agent did with a tool of its own.
    McpCall {
        id: String,
        server_label: &'static str,
        name: String,
        arguments: String,
        output: Option<String>,
        error: Option<String>,
    },
}

#[derive(Clone, Serialize, ToSchema)]
#[schema(as = OpenAiOutputText)]
pub(super) struct Piece {
    r#type: &'static str,
    text: String,
    annotations: Vec<Value>,
    logprobs: Vec<Value>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiResponseTokens)]
pub(super) struct Tokens {
    input_tokens: u64,
    input_tokens_details: Cached,
    output_tokens: u64,
    output_tokens_details: Reasoned,
    total_tokens: u64,
}

/// Of the input: what the provider read from its cache, and what it wrote there.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiCachedTokens)]
pub(super) struct Cached {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

impl Cached {
    pub(super) fn of(usage: Usage) -> Self {
        Self {
            cached_tokens: usage.cached_tokens,
            cache_write_tokens: usage.written_tokens,
        }
    }
}

#[derive(Default, Serialize, ToSchema)]
#[schema(as = OpenAiReasoningTokens)]
pub(super) struct Reasoned {
    /// Always 0: it is not told apart from the rest of the output.
    reasoning_tokens: u64,
}

/// Why it failed.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiResponseError)]
pub(super) struct Wrong {
    pub(super) code: String,
    pub(super) message: String,
}

/// One event of a response: `response.created`, `response.output_text.delta`, …, last `response.completed` or `response.failed`, with
/// what OpenAI's has of that name.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiResponseEvent)]
pub(crate) struct Happened {
    pub(super) r#type: &'static str,
    pub(super) sequence_number: u64,
    #[serde(flatten)]
    pub(super) data: BTreeMap<String, Value>,
}

impl Tokens {
    pub(super) fn of(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            input_tokens_details: Cached::of(usage),
            output_tokens: usage.output_tokens,
            output_tokens_details: Reasoned::default(),
            total_tokens: usage.input_tokens.saturating_add(usage.output_tokens),
        }
    }
}

pub(super) fn piece(text: &str) -> Piece {
    Piece {
        r#type: "output_text",
        text: text.to_owned(),
        annotations: Vec::new(),
        logprobs: Vec::new(),
    }
}

/// A function of the client's.
pub(super) fn function_call(call: &Call, status: &'static str) -> Item {
    Item::FunctionCall {
        id: item_of(call),
        call_id: call.id.clone(),
        name: call.name.clone(),
        arguments: match status {
            "completed" => call.arguments.clone(),
            _ => String::new(),
        },
        status,
    }
}

/// The id of the item that a call is.
pub(super) fn item_of(call: &Call) -> String {
    format!("fc_{}", call.id.trim_start_matches("call_"))
}

/// A tool of the agent's own.
pub(super) fn call(tool: &AnswerTool) -> Item {
    let failed = tool.state == ToolState::Failed;
    mcp_call(&tool.id, &tool.name, &tool.input, &tool.output, failed)
}

pub(super) fn mcp_call(id: &str, name: &str, input: &str, output: &str, failed: bool) -> Item {
    let output = output.to_owned();
    let (output, error) = match failed {
        true => (None, Some(output)),
        false => (Some(output), None),
    };
    Item::McpCall {
        id: id.to_owned(),
        server_label: "agent",
        name: name.to_owned(),
        arguments: input.to_owned(),
        output,
        error,
    }
}
