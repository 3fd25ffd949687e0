//! `call_function`: functions of the client's whose message the agent answers.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Tools;
use super::answer::{Answered, Refused};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallFunction {
    turn: String,
    name: String,
    #[serde(default)]
    arguments: Arguments,
}

/// Some models write an object as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Arguments {
    Object(Map<String, Value>),
    Text(String),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Object(Map::new())
    }
}

impl Tools {
    pub(super) async fn call_function(&self, call: CallFunction) -> Answered {
        let arguments = match call.arguments {
            Arguments::Object(arguments) => arguments,
            Arguments::Text(text) => serde_json::from_str(&text)
                .map_err(|error| Refused::new("malformed", format!("The arguments are no object: {error}.")))?,
        };
        let called = self.functions.call(&call.turn, &call.name, &arguments).await;
        match called {
            Ok(output) => Ok(Value::String(output)),
            Err(error) => Err(Refused::new(&error.code, error.message)),
        }
    }
}
