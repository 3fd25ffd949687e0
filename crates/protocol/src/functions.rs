//! Functions of a client's own that the agent may call in one turn, as they travel inside the channel.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{FUNCTION_NAME_CHARS, FUNCTION_RESULTS_BYTES, FUNCTIONS, FUNCTIONS_BYTES};

/// The tool by which an agent calls them, as OpenClaw names it.
pub const TOOL: &str = "holdfast__call_function";
/// What begins the part of a message that offers functions; the turn's code and `"` follow.
pub const OPENING: &str = "<functions turn=\"";

/// What may be called in a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub functions: Vec<Function>,
    /// The client wants to be asked for one call at a time.
    #[serde(default)]
    pub one_at_a_time: bool,
    /// The client wants a call before the turn ends: the agent is told so.
    #[serde(default)]
    pub required: bool,
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = ChatFunctionCall))]
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

/// Why functions cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("A turn offers {FUNCTIONS} functions at most (`FUNCTIONS`).")]
    TooMany,
    #[error("A function's name is 1 to {FUNCTION_NAME_CHARS} letters, digits, `_` and `-`.")]
    Name,
    #[error("Two functions are called `{0}`.")]
    Twice(String),
    #[error("The functions are larger than {FUNCTIONS_BYTES} bytes together (`FUNCTIONS_BYTES`).")]
    TooLarge,
}

/// Whether these can be offered in one turn.
///
/// # Errors
/// [`Unfit`], the first that is wrong.
pub fn check(functions: &[Function]) -> Result<(), Unfit> {
    if functions.len() > FUNCTIONS {
        return Err(Unfit::TooMany);
    }
    let mut names = HashSet::new();
    for Function { name, .. } in functions {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if !(1..=FUNCTION_NAME_CHARS).contains(&name.len()) || !name.bytes().all(fits) {
            return Err(Unfit::Name);
        }
        if !names.insert(name) {
            return Err(Unfit::Twice(name.clone()));
        }
    }
    match serde_json::to_vec(functions).map_or(usize::MAX, |json| json.len()) > FUNCTIONS_BYTES {
        true => Err(Unfit::TooLarge),
        false => Ok(()),
    }
}

/// Whether all results of a turn's calls together are small enough.
pub fn results_fit(results: &[CallResult]) -> bool {
    results.iter().map(|result| result.output.len()).sum::<usize>() <= FUNCTION_RESULTS_BYTES
}
