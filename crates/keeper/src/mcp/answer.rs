//! What a tool answers: text for a model, and what to do next where something did not work.

use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::broker::NotFetched;
use crate::unlock_link::UnlockLink;
use crate::vault_service::VaultError;

/// Why a tool did nothing: a stable code, and words for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub code: String,
    pub message: String,
}

impl Refused {
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

impl From<NotFetched> for Refused {
    fn from(error: NotFetched) -> Self {
        Self {
            code: error.code,
            message: error.message,
        }
    }
}

impl From<VaultError> for Refused {
    fn from(error: VaultError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

pub(super) type Answered = Result<Value, Refused>;

/// As MCP says it. A refusal is an answer that the model reads.
pub(super) fn result(answered: Answered, unlock: &UnlockLink) -> CallToolResult {
    match answered {
        // What is a text already is given as it is.
        Ok(Value::String(text)) => CallToolResult::success(vec![ContentBlock::text(text)]),
        Ok(value) => CallToolResult::success(vec![ContentBlock::text(value.to_string())]),
        Err(Refused { code, message }) => {
            let words = unlock.told(&code, &message);
            CallToolResult::error(vec![ContentBlock::text(format!("{code}: {words}"))])
        }
    }
}

/// Reads the arguments of a call; what is wrong is told in words.
pub(super) fn read<T: DeserializeOwned>(arguments: Option<JsonObject>) -> Result<T, Refused> {
    serde_json::from_value(Value::Object(arguments.unwrap_or_default())).map_err(|error| {
        Refused::new(
            "malformed",
            format!("The arguments are not as this tool needs them: {error}."),
        )
    })
}
