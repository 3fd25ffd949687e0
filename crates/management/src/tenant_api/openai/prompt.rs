//! What a client sends as a list of messages, as the one message that the agent gets. In a session the agent remembers what was said,
//! so it gets what is new; without one, all of it.

use protocol::limits::MESSAGE_BYTES;
use serde::Deserialize;
use utoipa::ToSchema;

use super::refuse;
use crate::problem::ApiError;

/// A message as both APIs write it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiMessage)]
pub(super) struct Said {
    /// `system`, `developer`, `user` or `assistant`.
    pub role: String,
    #[serde(default)]
    pub content: Option<Content>,
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

/// The one message. `remembered`: the agent knows what was said before the last answer.
pub(super) fn of(messages: &[Said], remembered: bool, field: &'static str) -> Result<String, ApiError> {
    let last_answer = messages.iter().rposition(|said| said.role == "assistant");
    let new = match (remembered, last_answer) {
        (true, Some(at)) => &messages[at + 1..],
        _ => messages,
    };
    let mut said = Vec::new();
    for message in new {
        let name = match message.role.as_str() {
            "system" | "developer" => "Instructions",
            "user" => "User",
            "assistant" => "Assistant",
            _ => {
                return Err(refuse(
                    field,
                    "A message's role is system, developer, user or assistant.",
                ));
            }
        };
        let text = message.text(field)?;
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
    match text.len() > MESSAGE_BYTES {
        true => Err(refuse(
            field,
            "The messages are larger than 262144 bytes. Name a `user`, and the agent remembers what was said.",
        )),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn prompt(messages: Value, remembered: bool) -> Result<String, ApiError> {
        let messages: Vec<Said> = serde_json::from_value(messages).unwrap();
        of(&messages, remembered, "messages")
    }

    #[test]
    fn one_message_is_sent_as_it_is() {
        assert_eq!(prompt(json!([{"role": "user", "content": "Hi"}]), false).unwrap(), "Hi");
        let parts =
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}]}]);
        assert_eq!(prompt(parts, true).unwrap(), "ab");
    }

    #[test]
    fn a_conversation_is_told_whole_or_from_the_last_answer_on() {
        let said = json!([
            {"role": "system", "content": "Be short."}, {"role": "user", "content": "One"},
            {"role": "assistant", "content": "1"}, {"role": "user", "content": "Two"},
        ]);
        assert_eq!(prompt(said.clone(), true).unwrap(), "Two");
        let whole = "Instructions: Be short.\n\nUser: One\n\nAssistant: 1\n\nUser: Two";
        assert_eq!(prompt(said, false).unwrap(), whole);
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for bad in [
            json!([]),
            json!([{"role": "user", "content": "  "}]),
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
