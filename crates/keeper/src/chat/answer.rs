//! The answer to a turn while it is being given: OpenClaw's run events in, the parts of a message and what clients must
//! be told out. What was told is never taken back; where OpenClaw rewrites a text, the finished message tells.

use protocol::Millis;
use protocol::chat::{ChatEventKind, Message, Part, Role, Status, ToolPhase, ToolState};

use super::size::{cut, tail};
use crate::gateway::RunEventKind;
use crate::limits::{TOOL_TEXT_BYTES, TOOL_UPDATE_BYTES};

/// The parts so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    parts: Vec<Part>,
    segment: Segment,
    /// Events were missed: only the transcript knows the whole answer.
    pub incomplete: bool,
    /// Why the model provider refused, in its own words.
    pub provider_said: Option<String>,
}

/// The text since the last tool call. OpenClaw tells it twice: as it streams, and as commentary once it knows that a tool
/// call follows; either may come first or be ahead.
#[derive(Debug, Clone, Default)]
struct Segment {
    streamed: String,
    commentary: Option<String>,
    shown: String,
    open: bool,
}

impl Answer {
    /// Takes one event of the run; answers what clients must be told. Ends of a run are not its business.
    pub(super) fn take(&mut self, event: &RunEventKind) -> Vec<ChatEventKind> {
        match event {
            RunEventKind::Phase(phase) => vec![ChatEventKind::Phase { phase: phase.clone() }],
            RunEventKind::Text { delta, replace } => {
                if *replace {
                    self.segment.streamed.clear();
                }
                // Text after a tool call comes with the blank lines that divide it from the text before.
                let delta = if self.segment.streamed.is_empty() {
                    delta.trim_start_matches('\n')
                } else {
                    delta
                };
                self.segment.streamed.push_str(delta);
                let whole = self.segment.streamed.clone();
                self.say(&whole)
            }
            RunEventKind::Commentary { item, text, .. } => {
                if self.segment.commentary.as_ref().is_some_and(|open| open != item) {
                    self.segment = Segment::default();
                }
                self.segment.commentary = Some(item.clone());
                self.say(text)
            }
            RunEventKind::ToolStart { call, name, arguments } => {
                self.segment = Segment::default();
                let input = cut(&pretty(arguments), TOOL_TEXT_BYTES);
                self.parts.push(Part::Tool {
                    id: call.clone(),
                    name: name.clone(),
                    input: input.clone(),
                    output: String::new(),
                    state: ToolState::Running,
                });
                vec![tool(call, name, ToolPhase::Start, Some(input), None, false)]
            }
            RunEventKind::ToolUpdate { call, name, output } => {
                self.result(call, output, ToolState::Running);
                let output = Some(tail(output, TOOL_UPDATE_BYTES));
                vec![tool(call, name, ToolPhase::Update, None, output, false)]
            }
            RunEventKind::ToolResult {
                call,
                name,
                output,
                is_error,
            } => {
                self.result(call, output, if *is_error { ToolState::Failed } else { ToolState::Ok });
                let output = Some(cut(output, TOOL_TEXT_BYTES));
                vec![tool(call, name, ToolPhase::Result, None, output, *is_error)]
            }
            RunEventKind::ProviderSaid(words) => {
                self.provider_said = Some(words.clone());
                Vec::new()
            }
            RunEventKind::Final { .. } | RunEventKind::Aborted { .. } | RunEventKind::Error { .. } => Vec::new(),
        }
    }

    /// The end of the run names its last text; what was not told of it yet is told now.
    pub(super) fn close(&mut self, text: &str) -> Vec<ChatEventKind> {
        // Some ends name all of the text, others the last segment alone.
        let text = text.trim();
        let told = self.text();
        let segment = self.segment.shown.trim();
        let rest = if told.trim().is_empty() {
            text
        } else if let Some(rest) = text.strip_prefix(told.trim()) {
            rest
        } else if let Some(rest) = text.strip_prefix(segment).filter(|_| !segment.is_empty()) {
            rest
        } else {
            return Vec::new();
        };
        if rest.is_empty() {
            return Vec::new();
        }
        let whole = format!("{}{rest}", self.segment.shown.trim_end());
        self.say(&whole)
    }

    /// All text so far, as OpenClaw joins it.
    fn text(&self) -> String {
        let texts: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text } => Some(text.trim()),
                Part::Tool { .. } => None,
            })
            .collect();
        texts.join("\n\n")
    }

    /// The message as it stands. Once it has ended, no tool runs any more.
    pub(super) fn message(&self, key: &str, at: Millis, status: Status) -> Message {
        let mut parts = self.parts.clone();
        if status != Status::Running {
            for part in &mut parts {
                match part {
                    Part::Tool { state, .. } if *state == ToolState::Running => *state = ToolState::Failed,
                    _ => {}
                }
            }
        }
        Message {
            id: super::transcript::assistant_id(key),
            role: Role::Assistant,
            at,
            status,
            key: Some(key.to_owned()),
            error: None,
            parts,
        }
    }

    /// `whole` is the text of the segment as one of the two sources has it.
    fn say(&mut self, whole: &str) -> Vec<ChatEventKind> {
        let Some(rest) = whole.strip_prefix(self.segment.shown.as_str()) else {
            return Vec::new();
        };
        if rest.is_empty() {
            return Vec::new();
        }
        let mut delta = rest.to_owned();
        let starts = !std::mem::replace(&mut self.segment.open, true);
        match self.parts.last_mut() {
            // A second segment with no tool call between: the same part, after a blank line.
            Some(Part::Text { text }) => {
                if starts {
                    delta.insert_str(0, "\n\n");
                }
                text.push_str(&delta);
            }
            _ => self.parts.push(Part::Text { text: delta.clone() }),
        }
        self.segment.shown.push_str(rest);
        vec![ChatEventKind::Text { delta }]
    }

    fn result(&mut self, call: &str, text: &str, now: ToolState) {
        let part = self.parts.iter_mut().rev().find_map(|part| match part {
            Part::Tool { id, output, state, .. } if id == call => Some((output, state)),
            _ => None,
        });
        if let Some((output, state)) = part {
            *output = cut(text, TOOL_TEXT_BYTES);
            *state = now;
        }
    }
}

fn tool(
    id: &str,
    name: &str,
    phase: ToolPhase,
    input: Option<String>,
    output: Option<String>,
    is_error: bool,
) -> ChatEventKind {
    ChatEventKind::Tool {
        id: id.to_owned(),
        name: name.to_owned(),
        phase,
        input,
        output,
        is_error,
    }
}

/// Arguments of a tool as a person reads them.
pub(super) fn pretty(arguments: &serde_json::Value) -> String {
    serde_json::to_string_pretty(arguments).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(delta: &str) -> RunEventKind {
        RunEventKind::Text {
            delta: delta.into(),
            replace: false,
        }
    }

    fn commentary(item: &str, text: &str) -> RunEventKind {
        RunEventKind::Commentary {
            item: item.into(),
            text: text.into(),
            done: false,
        }
    }

    fn start(call: &str) -> RunEventKind {
        RunEventKind::ToolStart {
            call: call.into(),
            name: "exec".into(),
            arguments: json!({"command": "ls"}),
        }
    }

    fn told(answer: &mut Answer, events: &[RunEventKind]) -> String {
        let kinds = events.iter().flat_map(|event| answer.take(event)).collect::<Vec<_>>();
        kinds
            .iter()
            .map(|kind| match kind {
                ChatEventKind::Text { delta } => delta.clone(),
                ChatEventKind::Tool { phase, .. } => format!("<{phase:?}>"),
                _ => String::new(),
            })
            .collect()
    }

    #[test]
    fn text_that_comes_as_stream_and_as_commentary_is_told_once() {
        // The order of a real run: the stream lags behind the commentary.
        let mut answer = Answer::default();
        let events = [
            text("chunk-1"),
            text(" chunk-2"),
            commentary("c0", "chunk-1 chunk-2 chunk-3"),
            commentary("c0", "chunk-1 chunk-2 chunk-3"),
            text(" chunk-3"),
            start("t1"),
            text("\n\nand"),
            text(" more"),
        ];
        assert_eq!(told(&mut answer, &events), "chunk-1 chunk-2 chunk-3<Start>and more");
        assert_eq!(answer.text(), "chunk-1 chunk-2 chunk-3\n\nand more");
    }

    #[test]
    fn commentary_alone_is_told() {
        let mut answer = Answer::default();
        let events = [
            commentary("c0", "let me"),
            commentary("c0", "let me look"),
            start("t1"),
            text("all done"),
        ];
        assert_eq!(told(&mut answer, &events), "let me look<Start>all done");
    }

    #[test]
    fn the_end_tells_what_was_not_told() {
        let mut answer = Answer::default();
        told(&mut answer, &[text("one")]);
        assert_eq!(answer.close("one two"), [ChatEventKind::Text { delta: " two".into() }]);
        assert_eq!(answer.close("one two"), []);
        let mut silent = Answer::default();
        assert_eq!(
            silent.close("status: fine"),
            [ChatEventKind::Text {
                delta: "status: fine".into()
            }]
        );
    }

    #[test]
    fn an_end_that_names_only_the_last_segment_is_understood() {
        let mut answer = Answer::default();
        told(
            &mut answer,
            &[commentary("c0", "let me look"), start("t1"), text("all")],
        );
        assert_eq!(
            answer.close("all done"),
            [ChatEventKind::Text { delta: " done".into() }]
        );
    }

    #[test]
    fn the_end_after_tools_tells_only_the_last_text() {
        let mut answer = Answer::default();
        told(&mut answer, &[text("before"), start("t1"), text("\n\naft")]);
        assert_eq!(
            answer.close("before\n\nafter"),
            [ChatEventKind::Text { delta: "er".into() }]
        );
        assert_eq!(answer.text(), "before\n\nafter");
    }

    #[test]
    fn a_tool_that_never_ended_has_failed_when_the_turn_is_over() {
        let mut answer = Answer::default();
        told(&mut answer, &[start("t1")]);
        let message = answer.message("k", 1, Status::Interrupted);
        assert!(matches!(
            &message.parts[0],
            Part::Tool {
                state: ToolState::Failed,
                ..
            }
        ));
    }

    #[test]
    fn a_result_belongs_to_its_call() {
        let mut answer = Answer::default();
        let result = RunEventKind::ToolResult {
            call: "t1".into(),
            name: "exec".into(),
            output: "a.txt".into(),
            is_error: false,
        };
        told(&mut answer, &[start("t1"), start("t2"), result]);
        let message = answer.message("k", 1, Status::Running);
        assert!(matches!(&message.parts[0], Part::Tool { output, state: ToolState::Ok, .. } if output == "a.txt"));
        assert!(matches!(&message.parts[1], Part::Tool { output, state: ToolState::Running, .. } if output.is_empty()));
    }
}
