//! Directives inside a person's words: `[[name: argument]]`.

use std::time::Duration;

use serde_json::Value;

/// Most chunks or words that one directive may ask for.
const MOST_PIECES: usize = 100_000;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Directive {
    Say(String),
    Slow {
        chunks: usize,
        every: Duration,
    },
    Long {
        words: usize,
    },
    Wait(Duration),
    Hold(String),
    Tool {
        name: String,
        arguments: Value,
    },
    /// One of the functions that the message offers.
    Call {
        name: String,
        arguments: Value,
    },
    Cut,
    Fail {
        status: u16,
        message: String,
    },
}

/// All directives in a text, in order; what is not one is passed over.
pub(super) fn parse(text: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("[[") {
        rest = &rest[start + 2..];
        if let Some((directive, after)) = one(rest) {
            found.push(directive);
            rest = after;
        }
    }
    found
}

/// A directive after its `[[`, and what follows its `]]`.
fn one(text: &str) -> Option<(Directive, &str)> {
    let name_end = text.find(|c: char| !c.is_ascii_lowercase())?;
    let (name, rest) = text.split_at(name_end);
    if matches!(name, "tool" | "call") {
        let (called, arguments, after) = call(rest.strip_prefix(':')?)?;
        let directive = match name {
            "tool" => Directive::Tool {
                name: called,
                arguments,
            },
            _ => Directive::Call {
                name: called,
                arguments,
            },
        };
        return Some((directive, after));
    }
    let (argument, after) = rest.split_once("]]")?;
    let argument = argument.strip_prefix(':').unwrap_or(argument).trim();
    let directive = match name {
        "say" => Directive::Say(argument.to_owned()),
        "slow" => {
            let mut words = argument.split_whitespace();
            let chunks = pieces(words.next()?)?;
            let every = words.find_map(duration)?;
            Directive::Slow { chunks, every }
        }
        "long" => Directive::Long {
            words: pieces(argument.split_whitespace().next()?)?,
        },
        "wait" => Directive::Wait(duration(argument)?),
        "hold" => Directive::Hold(argument.to_owned()),
        "cut" => Directive::Cut,
        "fail" => {
            let (status, message) = argument.split_once(' ').unwrap_or((argument, "told to fail"));
            Directive::Fail {
                status: status.parse().ok().filter(|status| (400..600).contains(status))?,
                message: message.to_owned(),
            }
        }
        _ => return None,
    };
    Some((directive, after))
}

/// ` exec {"command":"…"}]]`: the arguments may hold brackets themselves, so they are read as JSON.
fn call(text: &str) -> Option<(String, Value, &str)> {
    let brace = text.find('{')?;
    let name = text[..brace].trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(&text[brace..]).into_iter::<Value>();
    let arguments = values.next()?.ok()?;
    let after = text[brace + values.byte_offset()..].trim_start().strip_prefix("]]")?;
    Some((name.to_owned(), arguments, after))
}

fn pieces(text: &str) -> Option<usize> {
    text.parse().ok().filter(|&pieces| pieces <= MOST_PIECES)
}

/// `100ms` or `2s`.
fn duration(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn directives_are_found_in_order_between_other_words() {
        let found = parse("Hello [[say: one]] and [[slow: 3 chunks every 20ms]] then [[long: 5 words]][[cut]]");
        assert_eq!(
            found,
            [
                Directive::Say("one".into()),
                Directive::Slow {
                    chunks: 3,
                    every: Duration::from_millis(20)
                },
                Directive::Long { words: 5 },
                Directive::Cut,
            ]
        );
    }

    #[test]
    fn a_tool_call_may_hold_brackets() {
        let found = parse(r#"[[tool: exec {"command":"echo ']]' [[x]]","n":[[1]]}]] [[say: done]]"#);
        assert_eq!(
            found,
            [
                Directive::Tool {
                    name: "exec".into(),
                    arguments: json!({"command": "echo ']]' [[x]]", "n": [[1]]}),
                },
                Directive::Say("done".into()),
            ]
        );
    }

    #[test]
    fn what_is_no_directive_is_passed_over() {
        for text in [
            "",
            "[[",
            "[[nothing: x]]",
            "[[tool: exec]]",
            "[[slow: many]]",
            "[[fail: 200 ok]]",
            "[[say: open",
        ] {
            assert_eq!(parse(text), [], "{text}");
        }
    }
}
