//! Functions of a client's own that the agent may call in one turn, as they travel inside the channel.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The tool by which an agent calls them, as OpenClaw names it.
pub const TOOL: &str = "holdfast__call_function";

/// What may be called in a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub functions: Vec<Function>,
    /// The client wants to be asked for one call at a time.
    #[serde(default)]
    pub one_at_a_time: bool,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// A JSON Schema of an object.
    #[serde(default)]
    pub parameters: Map<String, Value>,
}

/// A call that the client has to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub id: String,
    pub name: String,
    /// An object, as JSON.
    pub arguments: String,
}

/// The client's answer to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallResult {
    pub id: String,
    pub output: String,
}
