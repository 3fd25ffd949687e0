//! Functions of the client's own, as both APIs write them: what a request offers the agent.

use protocol::functions::{self, Function, Offer};
use serde::{Deserialize, Serialize};
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

/// A function that was offered, as a response tells it back.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = OpenAiOfferedTool, examples(json!({
    "type": "function", "name": "get_weather", "description": "Says the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, "strict": false,
})))]
pub(super) struct OfferedTool {
    r#type: &'static str,
    name: String,
    description: Option<String>,
    parameters: Option<Map<String, Value>>,
    /// Always false: arguments are not held to the whole schema.
    strict: bool,
}

impl FlatTool {
    /// As a response tells it back, where it is a function.
    pub(super) fn offered(&self) -> Option<OfferedTool> {
        Some(OfferedTool {
            r#type: "function",
            name: self.name.clone().filter(|_| self.kind == "function")?,
            description: self.description.clone(),
            parameters: self.parameters.clone(),
            strict: false,
        })
    }
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

/// Whether the agent calls them.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiToolChoice)]
#[serde(untagged)]
pub(super) enum Choice {
    Word(Word),
    /// This one, and no other is offered; as `/v1/chat/completions` writes it.
    Named(Named),
    /// As `/v1/responses` writes it.
    Flat(FlatNamed),
}

/// `auto`: as it decides by itself. `none`: it is offered none. `required`: one at least, before the turn ends.
#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiToolChoiceWord)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    Auto,
    None,
    Required,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiToolChoiceNamed)]
pub(super) struct Named {
    #[serde(rename = "type")]
    _kind: IsFunction,
    function: Name,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiToolChoiceFlat)]
pub(super) struct FlatNamed {
    #[serde(rename = "type")]
    _kind: IsFunction,
    name: String,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunctionName)]
struct Name {
    name: String,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = OpenAiFunctionType)]
#[serde(rename_all = "lowercase")]
enum IsFunction {
    Function,
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
    let words =
        "Only functions can be offered to the agent, each with a name: the tools of OpenAI's own servers are not here.";
    let tools = tools.unwrap_or_default().into_iter();
    let mut functions: Vec<Function> = tools
        .map(|tool| tool.function().ok_or_else(|| refuse("tools", words)))
        .collect::<Result<_, _>>()?;
    functions::check(&functions).map_err(|unfit| refuse("tools", &unfit.to_string()))?;
    let required = match chosen(choice)? {
        Choice::Word(Word::Auto) => false,
        Choice::Word(Word::None) => return Ok(None),
        Choice::Word(Word::Required) => true,
        Choice::Named(Named {
            function: Name { name },
            ..
        })
        | Choice::Flat(FlatNamed { name, .. }) => {
            functions.retain(|function| function.name == name);
            true
        }
    };
    if required && functions.is_empty() {
        return Err(refuse(
            "tool_choice",
            "None of `tools` is what `tool_choice` wants called.",
        ));
    }
    Ok((!functions.is_empty()).then_some(Offer {
        functions,
        one_at_a_time: at_once == Some(false),
        required,
    }))
}

/// A choice as `/v1/responses` writes it, whichever way it was written.
pub(super) fn flat(choice: Option<Value>) -> Value {
    match choice {
        None => Value::from("auto"),
        Some(mut named) if named["function"].is_object() => {
            let name = named["function"]["name"].take();
            serde_json::json!({"type": "function", "name": name})
        }
        Some(choice) => choice,
    }
}

fn chosen(choice: Option<&Value>) -> Result<Choice, ApiError> {
    let Some(choice) = choice.filter(|choice| !choice.is_null()) else {
        return Ok(Choice::Word(Word::Auto));
    };
    Choice::deserialize(choice).map_err(|_| {
        let words = "`tool_choice` is `auto`, `none`, `required`, or one function by its name, as {\"type\": \"function\", \
                     \"function\": {\"name\": \"…\"}}.";
        refuse("tool_choice", words)
    })
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
        assert!(offered(json!([]), json!("auto")).unwrap().is_none());
        let flat: Vec<FlatTool> =
            serde_json::from_value(json!([{"type": "function", "name": "f", "parameters": {"a": 1}, "strict": true}]))
                .unwrap();
        let flat = offer(Some(flat), None, Some(false)).unwrap().unwrap();
        assert!(flat.one_at_a_time);
        assert_eq!(flat.functions[0].parameters, *json!({"a": 1}).as_object().unwrap());
    }

    #[test]
    fn a_call_that_is_wanted_is_required_and_of_a_function_that_is_named_no_other_is_offered() {
        let both = json!([named("a"), named("b")]);
        let offer = |choice: Value| offered(both.clone(), choice).unwrap().unwrap();
        let names = |offer: &Offer| -> Vec<String> {
            let functions = offer.functions.iter();
            functions.map(|function| function.name.clone()).collect()
        };
        assert!(!offer(json!("auto")).required && !offer(Value::Null).required);
        let any = offer(json!("required"));
        assert_eq!(
            (any.required, names(&any)),
            (true, vec!["a".to_owned(), "b".to_owned()])
        );
        for one in [named("b"), json!({"type": "function", "name": "b"})] {
            let one = offer(one);
            assert_eq!((one.required, names(&one)), (true, vec!["b".to_owned()]));
        }
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
        for (tools, choice) in [
            (json!([]), json!("required")),
            (json!([named("a")]), named("b")),
            (json!([named("a")]), json!({"type": "function"})),
            (json!([named("a")]), json!({"type": "custom", "name": "a"})),
            (json!([named("a")]), json!("any")),
            (json!([named("a")]), json!(1)),
        ] {
            let refused = offered(tools, choice).unwrap_err();
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
