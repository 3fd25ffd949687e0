//! What to answer: from a conversation to steps that either protocol can render.

use std::time::Duration;

use protocol::functions;
use serde_json::{Value, json};

use super::conversation::{Turn, current};
use super::directive::{self, Directive};

/// One step of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Text(String),
    Wait(Duration),
    Hold(String),
    Tool { name: String, arguments: Value },
    Cut,
}

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Steps(Vec<Step>),
    Fail { status: u16, message: String },
}

/// The answer to a conversation, and the person's words that it answers.
pub(super) fn answer(turns: &[Turn], pace: Duration) -> (Answer, String) {
    let turn = current(turns);
    let words = |turn: &Turn| match turn {
        Turn::Person(text) => Some(text.clone()),
        _ => None,
    };
    let told = turn.iter().enumerate().rev().find_map(|(at, turn)| {
        let text = words(turn)?;
        let directives = directive::parse(&text);
        (!directives.is_empty()).then_some((at, text, directives))
    });
    if let Some((at, text, directives)) = told {
        return (carry_out(&directives, &text, &turn[at + 1..]), text);
    }
    let asked = turn.iter().find_map(words).unwrap_or_default();
    let results = turn.iter().filter(|turn| matches!(turn, Turn::ToolResult(_))).count();
    (Answer::Steps(paced(&friendly(&asked, results), pace)), asked)
}

/// The part of the directives that comes after the tool calls that were already made.
fn carry_out(directives: &[Directive], text: &str, since: &[Turn]) -> Answer {
    let calls: usize = since
        .iter()
        .map(|turn| match turn {
            Turn::Model { calls } => *calls,
            _ => 0,
        })
        .sum();
    let start = directives
        .iter()
        .enumerate()
        .filter(|(_, directive)| matches!(directive, Directive::Tool { .. } | Directive::Call { .. }))
        .map(|(at, _)| at + 1)
        .take(calls)
        .last()
        .unwrap_or(0);
    let mut steps = Vec::new();
    for (at, directive) in directives.iter().enumerate().skip(start) {
        match directive {
            Directive::Say(text) => steps.push(Step::Text(text.clone())),
            Directive::Slow { chunks, every } => {
                for chunk in 1..=*chunks {
                    steps.push(Step::Wait(*every));
                    steps.push(Step::Text(format!("chunk-{chunk} ")));
                }
            }
            Directive::Long { words } => {
                steps.extend((1..=*words).map(|word| Step::Text(format!("{} ", WORDS[word % WORDS.len()]))));
            }
            Directive::Wait(time) => steps.push(Step::Wait(*time)),
            Directive::Hold(name) => steps.push(Step::Hold(name.clone())),
            Directive::Tool { name, arguments } => {
                steps.push(Step::Tool {
                    name: name.clone(),
                    arguments: arguments.clone(),
                });
                return Answer::Steps(steps);
            }
            Directive::Call { name, arguments } => {
                steps.push(Step::Tool {
                    name: functions::TOOL.to_owned(),
                    arguments: json!({"turn": offered_in(text), "name": name, "arguments": arguments}),
                });
                // Those that stand together are made together.
                if !matches!(directives.get(at + 1), Some(Directive::Call { .. })) {
                    return Answer::Steps(steps);
                }
            }
            Directive::Cut => {
                steps.push(Step::Cut);
                return Answer::Steps(steps);
            }
            Directive::Fail { status, message } => {
                return Answer::Fail {
                    status: *status,
                    message: message.clone(),
                };
            }
        }
    }
    if !steps.iter().any(|step| matches!(step, Step::Text(_))) {
        steps.push(Step::Text(conclude(since)));
    }
    Answer::Steps(steps)
}

/// The turn in which a message offers functions.
fn offered_in(text: &str) -> &str {
    let turn = text.rsplit_once(functions::OPENING).map(|(_, turn)| turn);
    turn.and_then(|turn| turn.split('"').next()).unwrap_or_default()
}

/// Said when the directives leave nothing to say.
fn conclude(since: &[Turn]) -> String {
    let result = since.iter().rev().find_map(|turn| match turn {
        Turn::ToolResult(text) => Some(text),
        _ => None,
    });
    match result {
        Some(text) => format!("The tool answered:\n\n```\n{}\n```\n", text.trim_end()),
        None => "Done.".to_owned(),
    }
}

fn friendly(asked: &str, results: usize) -> String {
    let words = persons_words(asked);
    let quoted = if words.is_empty() {
        "> (nothing)".to_owned()
    } else {
        words
            .lines()
            .map(|line| format!("> {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let tools = match results {
        0 => String::new(),
        n => format!("\n\nI was handed the results of {n} tool calls on the way."),
    };
    format!(
        "Hello! I am a **scripted model**: no real one is connected, so I cannot think, but I can show you how this works. \
         You wrote:\n\n{quoted}{tools}\n\nTell me what to do with a directive, for example:\n\n\
         ```text\n[[tool: exec {{\"command\":\"uname -a\"}}]]\n[[slow: 20 chunks every 100ms]]\n```\n\n\
         - `[[say: text]]` says a text\n- `[[long: 500 words]]` says a lot\n\nConnect a real model in the settings whenever you like."
    )
}

/// A message without the time that OpenClaw puts before it and the state of its runtime that it puts behind.
fn persons_words(asked: &str) -> &str {
    let asked = asked.trim();
    let said = match asked.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((time, said)) if time.ends_with("UTC") => said,
        _ => asked,
    };
    said.split_once("\n\nRuntime: ").map_or(said, |(said, _)| said).trim()
}

/// A text in pieces as a model would send it: words with the space before them.
fn paced(text: &str, pace: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        if c == ' ' && !piece.is_empty() {
            push_piece(&mut steps, std::mem::take(&mut piece), pace);
        }
        piece.push(c);
    }
    push_piece(&mut steps, piece, pace);
    steps
}

fn push_piece(steps: &mut Vec<Step>, piece: String, pace: Duration) {
    if !pace.is_zero() {
        steps.push(Step::Wait(pace));
    }
    steps.push(Step::Text(piece));
}

const WORDS: [&str; 12] = [
    "anchor", "bell", "capstan", "deck", "ebb", "fathom", "galley", "harbour", "island", "jetty", "keel", "lantern",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn person(text: &str) -> Turn {
        Turn::Person(text.to_owned())
    }

    fn said(answer: &Answer) -> String {
        let Answer::Steps(steps) = answer else {
            return String::new();
        };
        steps
            .iter()
            .filter_map(|step| match step {
                Step::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn what_comes_after_the_persons_words_does_not_hide_the_directive() {
        let (answer, asked) = answer(&[person("[[say: hi]]"), person("(runtime context)")], Duration::ZERO);
        assert_eq!(said(&answer), "hi");
        assert_eq!(asked, "[[say: hi]]");
    }

    #[test]
    fn a_directive_that_was_answered_is_not_carried_out_again() {
        let turns = [person("[[say: hi]]"), Turn::Model { calls: 0 }, person("and now?")];
        let (answer, _) = answer(&turns, Duration::ZERO);
        assert!(said(&answer).contains("> and now?"));
    }

    #[test]
    fn what_openclaw_adds_to_the_words_is_not_repeated() {
        let asked =
            "[Sun 2026-11-22 09:32 UTC] Hello there\n\nRuntime: agent=main | session=agent:main:conv-a | host=vm";
        let (answer, _) = answer(&[person(asked)], Duration::ZERO);
        let text = said(&answer);
        assert!(text.contains("> Hello there\n") && !text.contains("Runtime"), "{text}");
    }

    #[test]
    fn a_tool_is_called_once_and_its_result_is_told() {
        let asked = person(r#"[[say: looking]] [[tool: exec {"command":"ls"}]]"#);
        let (first, _) = answer(std::slice::from_ref(&asked), Duration::ZERO);
        let Answer::Steps(steps) = first else { panic!("refused") };
        assert!(matches!(steps.last(), Some(Step::Tool { .. })));
        let turns = [asked, Turn::Model { calls: 1 }, Turn::ToolResult("a.txt\n".into())];
        let (second, _) = answer(&turns, Duration::ZERO);
        assert_eq!(said(&second), "The tool answered:\n\n```\na.txt\n```\n");
    }

    #[test]
    fn functions_that_stand_together_are_called_together_in_the_turn_that_offers_them() {
        let asked = person(
            "[[call: a {}]][[call: b {\"n\":1}]][[say: end]]\n\n<functions turn=\"abc\">\n{\"name\":\"a\"}\n</functions>",
        );
        let Answer::Steps(steps) = answer(std::slice::from_ref(&asked), Duration::ZERO).0 else {
            panic!("refused")
        };
        let call = |name: &str, arguments: Value| Step::Tool {
            name: "holdfast__call_function".to_owned(),
            arguments: json!({"turn": "abc", "name": name, "arguments": arguments}),
        };
        assert_eq!(steps, [call("a", json!({})), call("b", json!({"n": 1}))]);
        let result = || Turn::ToolResult("x".into());
        let turns = [asked, Turn::Model { calls: 2 }, result(), result()];
        assert_eq!(said(&answer(&turns, Duration::ZERO).0), "end");
    }

    #[test]
    fn several_tools_are_called_one_after_the_other() {
        let asked = person(r#"[[tool: a {}]][[tool: b {}]][[say: end]]"#);
        let turns = [
            asked,
            Turn::Model { calls: 1 },
            Turn::ToolResult("1".into()),
            Turn::Model { calls: 1 },
            Turn::ToolResult("2".into()),
        ];
        let name = |n: usize| match &answer(&turns[..n], Duration::ZERO).0 {
            Answer::Steps(steps) => match steps.last() {
                Some(Step::Tool { name, .. }) => name.clone(),
                _ => said(&answer(&turns[..n], Duration::ZERO).0),
            },
            Answer::Fail { .. } => String::new(),
        };
        assert_eq!([name(1), name(3), name(5)], ["a", "b", "end"]);
    }
}
