//! What a client sends as a list of messages, as the one message that the agent gets. In a session the agent remembers what was said,
//! so it gets what is new; without one, or in one that is new, all of it.

use protocol::functions::CallResult;
use protocol::limits::MESSAGE_BYTES;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{refuse, refuse_where};
use crate::problem::ApiError;
use crate::tenant_api::failure::Failure;
use crate::tenant_api::turn::Words;
use crate::tenant_api::turns::Results;

/// A message as both APIs write it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiMessage)]
pub(super) struct Said {
    /// `system`, `developer`, `user`, `assistant`, or `tool` for the result of a function that the agent called.
    pub role: String,
    #[serde(default)]
    pub content: Option<Content>,
    /// Of a `tool`: the call that this is the result of.
    #[serde(default)]
    pub tool_call_id: Option<String>,
    /// Of an `assistant`: the functions that the agent called, as it was told.
    #[serde(default)]
    pub tool_calls: Option<Vec<Called>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiCalled)]
pub(super) struct Called {
    #[serde(default)]
    pub function: CalledFunction,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = OpenAiCalledFunction)]
pub(super) struct CalledFunction {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub arguments: String,
}

/// What is said: a text, or pieces of one.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiContent)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiPart)]
pub(super) struct Part {
    /// `text`, `input_text` or `output_text`: the agent is sent nothing else.
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: Option<String>,
}

impl Said {
    /// What somebody says, in words.
    pub(super) fn new(role: &str, content: Content) -> Self {
        Self {
            role: role.to_owned(),
            content: Some(content),
            tool_call_id: None,
            tool_calls: None,
        }
    }

    fn has_calls(&self) -> bool {
        self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
    }

    fn text(&self, field: &'static str) -> Result<String, ApiError> {
        match &self.content {
            None => Ok(String::new()),
            Some(Content::Text(text)) => Ok(text.clone()),
            Some(Content::Parts(parts)) => parts
                .iter()
                .map(|part| match (part.kind.as_str(), &part.text) {
                    ("text" | "input_text" | "output_text", Some(text)) => Ok(text.as_str()),
                    _ => Err(refuse(field, "Only text can be sent to the agent.")),
                })
                .collect(),
        }
    }
}

/// The results that a request brings of functions that the agent called: what stands behind the last answer, and nothing beside it. Clients
/// write calls of one round also one by one, each with its result behind it: so what stands right before that may belong to it.
pub(super) fn results(messages: &[Said], field: &'static str) -> Result<Option<Results>, ApiError> {
    let last_answer = messages.iter().rposition(|said| said.role == "assistant");
    let (before, new) = messages.split_at(last_answer.map_or(0, |at| at + 1));
    if !new.iter().any(|said| said.role == "tool") {
        if before.last().is_some_and(Said::has_calls) {
            let words = "The last answer called functions, and no result of theirs follows. Send a message with the role `tool` for each of \
                         `tool_calls`.";
            return Err(refuse(field, words));
        }
        return Ok(None);
    }
    let words = "Behind the calls of functions come their results and nothing else: the agent goes on in the turn in which it called them.";
    refuse_where(new.iter().any(|said| said.role != "tool"), field, words)?;
    let is_of_calls = |said: &Said| said.role == "tool" || said.has_calls();
    let first = before
        .iter()
        .rposition(|said| !is_of_calls(said))
        .map_or(0, |at| at + 1);
    let read = |said: &Said| {
        let id = said.tool_call_id.clone();
        let id = id.ok_or_else(|| refuse(field, "A result names its call in `tool_call_id`."))?;
        let output = said.text(field)?;
        Ok(CallResult { id, output })
    };
    let all =
        |said: &[Said]| -> Result<_, ApiError> { said.iter().filter(|said| said.role == "tool").map(read).collect() };
    Ok(Some(Results {
        last: all(new)?,
        before: all(&before[first..])?,
        field,
    }))
}

/// The one message. In a session the agent has what was said before the last answer, unless it is new.
pub(super) fn of(messages: &[Said], in_session: bool, field: &'static str) -> Result<Words, ApiError> {
    let last_answer = messages.iter().rposition(|said| said.role == "assistant");
    let Some(at) = last_answer.filter(|_| in_session) else {
        let otherwise = match in_session {
            true => "Say less at once.",
            false => "Name a `user`, and the agent remembers what was said.",
        };
        return Ok(Words::Text(joined(messages, field, otherwise)?));
    };
    let otherwise =
        "Nothing was said in this session yet, so the agent is given all of them: send fewer of the earlier ones.";
    Ok(Words::History {
        new: joined(&messages[at + 1..], field, "Say less at once.")?,
        all: joined(messages, field, otherwise).map_err(Failure::from),
    })
}

/// `otherwise`: what to do where they are too large.
fn joined(messages: &[Said], field: &'static str, otherwise: &str) -> Result<String, ApiError> {
    let mut said = Vec::new();
    for message in messages {
        let name = match message.role.as_str() {
            "system" | "developer" => "Instructions",
            "user" => "User",
            "assistant" => "Assistant",
            "tool" => "Result",
            _ => {
                return Err(refuse(
                    field,
                    "A message's role is system, developer, user, assistant or tool.",
                ));
            }
        };
        let mut text = message.text(field)?;
        for called in message.tool_calls.iter().flatten() {
            let CalledFunction { name, arguments } = &called.function;
            text.push_str(&format!("\n(called {name} with {arguments})"));
        }
        if !text.trim().is_empty() {
            said.push((name, text));
        }
    }
    if !said.iter().any(|(name, _)| *name == "User") {
        return Err(refuse(field, "There is no message of a user to answer."));
    }
    let text = match said.as_slice() {
        [(_, text)] => text.clone(),
        all => {
            let all: Vec<_> = all.iter().map(|(name, text)| format!("{name}: {text}")).collect();
            all.join("\n\n")
        }
    };
    if text.len() > MESSAGE_BYTES {
        let words = format!("The messages are larger than {MESSAGE_BYTES} bytes (`MESSAGE_BYTES`). {otherwise}");
        return Err(refuse(field, &words));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn prompt(messages: Value, in_session: bool) -> Result<Words, ApiError> {
        let messages: Vec<Said> = serde_json::from_value(messages).unwrap();
        of(&messages, in_session, "messages")
    }

    /// Of what is always said so.
    fn text(messages: Value, in_session: bool) -> String {
        match prompt(messages, in_session) {
            Ok(Words::Text(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_message_is_sent_as_it_is() {
        assert_eq!(text(json!([{"role": "user", "content": "Hi"}]), false), "Hi");
        let parts =
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}]}]);
        assert_eq!(text(parts, true), "ab");
    }

    #[test]
    fn a_conversation_is_told_whole_or_from_the_last_answer_on() {
        let said = json!([
            {"role": "system", "content": "Be short."}, {"role": "user", "content": "One"},
            {"role": "assistant", "content": "1"}, {"role": "user", "content": "Two"},
        ]);
        let whole = "Instructions: Be short.\n\nUser: One\n\nAssistant: 1\n\nUser: Two";
        assert_eq!(text(said.clone(), false), whole);
        let Ok(Words::History { new, all: Ok(all) }) = prompt(said, true) else {
            panic!("it has an answer in it");
        };
        assert_eq!((new.as_str(), all.as_str()), ("Two", whole));
        // What cannot be sent of before is no hindrance in a session in which it was said.
        let image = json!([{"type": "image_url", "image_url": {"url": "x"}}]);
        for before in [json!("x".repeat(MESSAGE_BYTES)), image] {
            let said = json!([
                {"role": "user", "content": before}, {"role": "assistant", "content": "1"}, {"role": "user", "content": "Two"},
            ]);
            assert!(matches!(
                prompt(said.clone(), true),
                Ok(Words::History { all: Err(_), .. })
            ));
            assert!(prompt(said, false).is_err());
        }
    }

    type Calls = Vec<String>;

    /// The calls whose results a request brings: the last ones, and those before.
    fn results_of(messages: Value) -> Result<Option<(Calls, Calls)>, ApiError> {
        let messages: Vec<Said> = serde_json::from_value(messages).unwrap();
        let calls = |results: Vec<CallResult>| results.into_iter().map(|result| result.id).collect();
        let results = results(&messages, "messages")?;
        Ok(results.map(|Results { last, before, .. }| (calls(last), calls(before))))
    }

    #[test]
    fn results_stand_behind_the_last_answer_and_alone() {
        let called = json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
        let result = json!({"role": "tool", "tool_call_id": "c", "content": "rain"});
        let asked = json!({"role": "user", "content": "Well?"});
        let whole = (vec!["c".to_owned()], Vec::new());
        assert_eq!(results_of(json!([asked, called, result])).unwrap(), Some(whole.clone()));
        assert_eq!(results_of(json!([result])).unwrap(), Some(whole));
        assert_eq!(results_of(json!([asked])).unwrap(), None);
        let answered = json!({"role": "assistant", "content": "It rains."});
        let later = json!([asked, called, result, answered, asked]);
        assert_eq!(results_of(later.clone()).unwrap(), None);
        let told = text(later, false);
        assert_eq!(
            told,
            ("User: Well?\n\nAssistant: \n(called f with {})\n\nResult: rain\n\nAssistant: It rains.\n\nUser: Well?")
        );
        for bad in [
            json!([asked, called]),
            json!([asked, called, asked]),
            json!([asked, called, result, asked]),
            json!([asked, called, {"role": "tool", "content": "rain"}]),
        ] {
            assert!(results_of(bad).is_err());
        }
    }

    #[test]
    fn results_that_stand_between_calls_are_those_before_the_last() {
        let called = |id: &str| json!({"role": "assistant", "tool_calls": [{"id": id, "function": {"name": "f"}}]});
        let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "rain"});
        let asked = json!({"role": "user", "content": "Well?"});
        let answered = json!({"role": "assistant", "content": "It rains."});
        let brought = |messages: &[Value]| {
            let (last, before) = results_of(json!(messages)).unwrap().unwrap();
            (last.concat(), before.concat())
        };
        let of = |last: &str, before: &str| (last.to_owned(), before.to_owned());
        let one_by_one = [called("a"), result("a"), called("b"), result("b")];
        assert_eq!(brought(&one_by_one), of("b", "a"));
        let (one, two) = ([asked], [called("c"), result("c"), answered]);
        assert_eq!(brought(&[&one[..], &one_by_one].concat()), of("b", "a"));
        // What was said in between is another turn's.
        assert_eq!(brought(&[&two[..], &one, &one_by_one].concat()), of("b", "a"));
        assert_eq!(brought(&[&two[..], &one_by_one].concat()), of("b", "a"));
        assert_eq!(
            brought(&[called("a"), called("b"), result("a"), result("b")]),
            of("ab", "")
        );
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for bad in [
            json!([]),
            json!([{"role": "user", "content": "  "}]),
            json!([{"role": "function", "content": "x"}]),
            json!([{"role": "tool", "content": "x"}]),
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
            json!([{"role": "user", "content": "x".repeat(MESSAGE_BYTES + 1)}]),
        ] {
            assert!(
                prompt(bad.clone(), false).is_err(),
                "{}",
                &bad.to_string()[..40.min(bad.to_string().len())]
            );
        }
    }
}
