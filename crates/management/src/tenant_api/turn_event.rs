//! What happens in a turn, as it is told.

use protocol::Millis;
use protocol::functions::Call;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::failure::Failure;

/// One thing that happened in a turn.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatEvent)]
#[serde(untagged)]
pub(crate) enum TurnEvent {
    /// `status`: how far it is.
    Status { phase: String },
    /// `delta`: the next words of the answer.
    Delta { text: String },
    /// `tool`
    Tool(ToolCall),
    /// `calls`: the turn waits for the client.
    Calls(Calls),
    /// `usage`
    Usage(Usage),
    /// `final`, the last event of a turn that was answered: whole and sealed.
    Final(Final),
    /// `error`, the last event of every other turn.
    Error(Failure),
}

impl TurnEvent {
    /// What a stream calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delta { .. } => "delta",
            Self::Tool(_) => "tool",
            Self::Calls(_) => "calls",
            Self::Usage(_) => "usage",
            Self::Final(_) => "final",
            Self::Error(_) => "error",
        }
    }
}

/// What the agent did with one of its tools.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatToolCall)]
pub(crate) struct ToolCall {
    pub id: String,
    pub name: String,
    /// `start`, `update` or `result`.
    pub phase: protocol::chat::ToolPhase,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    pub is_error: bool,
}

/// Functions of the client's that the agent calls. The turn goes on when it has all their results.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatCalls)]
pub(crate) struct Calls {
    pub calls: Vec<Call>,
    /// Null where it was not measured.
    pub usage: Option<Usage>,
}

/// What the cell used of its model meanwhile. Turns that run at once are counted together.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[schema(as = ChatUsage)]
pub(crate) struct Usage {
    pub calls: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Of the input: what the provider read from its cache, and what it wrote there. Told below `/v1` alone.
    #[serde(skip)]
    pub cached_tokens: u64,
    #[serde(skip)]
    pub written_tokens: u64,
    /// Millionths of a US dollar, where the price is known.
    pub cost: u64,
}

impl Usage {
    /// All that the cell has used in a month.
    pub(super) fn of(spending: &Value) -> Self {
        let rows = spending["usage"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sum = |names: &[&str]| {
            let of_row = |row: &Value| names.iter().filter_map(|name| row[*name].as_u64()).sum::<u64>();
            rows.iter().map(of_row).sum()
        };
        Self {
            calls: sum(&["calls"]),
            input_tokens: sum(&["input", "cached", "written"]),
            output_tokens: sum(&["output"]),
            cached_tokens: sum(&["cached"]),
            written_tokens: sum(&["written"]),
            cost: sum(&["cost"]),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            written_tokens: self.written_tokens.saturating_add(other.written_tokens),
            cost: self.cost.saturating_add(other.cost),
        }
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(before.calls),
            input_tokens: self.input_tokens.saturating_sub(before.input_tokens),
            output_tokens: self.output_tokens.saturating_sub(before.output_tokens),
            cached_tokens: self.cached_tokens.saturating_sub(before.cached_tokens),
            written_tokens: self.written_tokens.saturating_sub(before.written_tokens),
            cost: self.cost.saturating_sub(before.cost),
        }
    }
}

/// An answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatAnswer, examples(json!({
    "session_id": "first", "turn_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "model": "gpt-5",
    "message": {
        "id": "a-6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "role": "assistant", "at": 1_795_000_061_000_i64, "text": "Hello, Anna.",
        "tools": [],
    },
    "usage": {"calls": 1, "input_tokens": 812, "output_tokens": 9, "cost": 1_105},
})))]
pub(crate) struct Final {
    pub session_id: String,
    pub turn_id: Uuid,
    pub model: String,
    pub message: Answer,
    /// Null where it was not measured: of a turn that had begun, or had been answered, before this server took it up.
    pub usage: Option<Usage>,
}

/// What the agent said.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatMessage)]
pub(crate) struct Answer {
    pub id: String,
    /// `user` or `assistant`.
    pub role: &'static str,
    pub at: Millis,
    pub text: String,
    pub tools: Vec<AnswerTool>,
}

/// A tool that it used on the way.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChatTool)]
pub(crate) struct AnswerTool {
    pub id: String,
    pub name: String,
    pub input: String,
    pub output: String,
    pub state: protocol::chat::ToolState,
}
