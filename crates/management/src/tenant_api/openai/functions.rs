//! Functions of the client's own, as both APIs write them: what a request offers the agent.

use protocol::functions::{self, Function, Offer};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::refuse;
use crate::problem::ApiError;

/// A function as `/v1/chat/completions` writes it.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiTool, examples(json!({"type": "function", "function": {
    "name": "get_weather", "description": "Says the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}})))]
pub(super) struct Tool {
    /// `function`.
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    function: Option<Described>,
}

/// A function as `/v1/responses` writes it.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunctionTool, examples(json!({
    "type": "function", "name": "get_weather", "description": "Says the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
})))]
pub(super) struct FlatTool {
    /// `function`.
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunction)]
pub(super) struct Described {
    /// 1 to 64 letters, digits, `_` and `-`.
    #[schema(max_length = 64)]
    name: String,
    #[serde(default)]
    description: Option<String>,
    /// A JSON Schema of an object.
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
}

/// Whether the agent may call them. It decides by itself when.
#[derive(ToSchema)]
#[schema(as = OpenAiToolChoiceWanted, rename_all = "lowercase")]
#[expect(
    dead_code,
    reason = "the document says it; what comes is read as any value, to be refused by name"
)]
pub(super) enum Choice {
    Auto,
    None,
}

/// Either way of writing one.
pub(super) trait Offered {
    fn function(self) -> Option<Function>;
}

impl Offered for Tool {
    fn function(self) -> Option<Function> {
        let Described {
            name,
            description,
            parameters,
        } = self.function.filter(|_| self.kind == "function")?;
        Some(function(name, description, parameters))
    }
}

impl Offered for FlatTool {
    fn function(self) -> Option<Function> {
        let name = self.name.filter(|_| self.kind == "function")?;
        Some(function(name, self.description, self.parameters))
    }
}

fn function(name: String, description: Option<String>, parameters: Option<Map<String, Value>>) -> Function {
    Function {
        name,
        description: description.unwrap_or_default(),
        parameters: parameters.unwrap_or_default(),
    }
}

/// What a request offers; nothing where it offers nothing, or says that nothing is to be called.
pub(super) fn offer<T: Offered>(
    tools: Option<Vec<T>>,
    choice: Option<&Value>,
    at_once: Option<bool>,
) -> Result<Option<Offer>, ApiError> {
    let may_call = match choice {
        None | Some(Value::Null) => true,
        Some(choice) if choice == "auto" => true,
        Some(choice) if choice == "none" => false,
        Some(_) => {
            let words = "The agent decides by itself when it calls a function: `tool_choice` is `auto` or `none`.";
            return Err(refuse("tool_choice", words));
        }
    };
    let words =
        "Only functions can be offered to the agent, each with a name: the tools of OpenAI's own servers are not here.";
    let tools = tools.unwrap_or_default().into_iter();
    let functions: Vec<Function> = tools
        .map(|tool| tool.function().ok_or_else(|| refuse("tools", words)))
        .collect::<Result<_, _>>()?;
    functions::check(&functions).map_err(|unfit| refuse("tools", &unfit.to_string()))?;
    Ok((may_call && !functions.is_empty()).then_some(Offer {
        functions,
        one_at_a_time: at_once == Some(false),
    }))
}

#[cfg(test)]
mod tests {
    use protocol::limits::{FUNCTIONS, FUNCTIONS_BYTES};
    use serde_json::json;

    use super::*;

    fn offered(tools: Value, choice: Value) -> Result<Option<Offer>, ApiError> {
        let tools: Vec<Tool> = serde_json::from_value(tools).unwrap();
        offer(Some(tools), Some(&choice), None)
    }

    fn named(name: &str) -> Value {
        json!({"type": "function", "function": {"name": name}})
    }

    #[test]
    fn functions_are_offered_unless_none_may_be_called() {
        let both = json!([named("a"), named("b-2_C")]);
        assert_eq!(offered(both.clone(), Value::Null).unwrap().unwrap().functions.len(), 2);
        assert_eq!(
            offered(both.clone(), json!("auto")).unwrap().unwrap().functions.len(),
            2
        );
        assert!(offered(both, json!("none")).unwrap().is_none());
        assert!(offered(json!([]), Value::Null).unwrap().is_none());
        let flat: Vec<FlatTool> =
            serde_json::from_value(json!([{"type": "function", "name": "f", "parameters": {"a": 1}, "strict": true}]))
                .unwrap();
        let flat = offer(Some(flat), None, Some(false)).unwrap().unwrap();
        assert!(flat.one_at_a_time);
        assert_eq!(flat.functions[0].parameters, *json!({"a": 1}).as_object().unwrap());
    }

    #[test]
    fn what_cannot_be_offered_is_refused_by_the_name_of_its_field() {
        let many: Vec<Value> = (0..=FUNCTIONS).map(|n| named(&format!("f{n}"))).collect();
        let large = json!({"type": "function", "function": {"name": "a", "description": "x".repeat(FUNCTIONS_BYTES)}});
        for bad in [
            json!([{}]),
            json!([{"type": "web_search"}]),
            json!([{"type": "custom", "function": {"name": "a"}}]),
            json!([named("")]),
            json!([named("a b")]),
            json!([named("a"), named("a")]),
            json!([large]),
            json!(many),
        ] {
            let refused = offered(bad, Value::Null).unwrap_err();
            assert!(
                matches!(refused, ApiError::InvalidField { field: "tools", .. }),
                "{refused}"
            );
        }
        for choice in [
            json!("required"),
            json!({"type": "function", "function": {"name": "a"}}),
            json!(1),
        ] {
            let refused = offered(json!([named("a")]), choice).unwrap_err();
            assert!(
                matches!(
                    refused,
                    ApiError::InvalidField {
                        field: "tool_choice",
                        ..
                    }
                ),
                "{refused}"
            );
        }
    }
}
