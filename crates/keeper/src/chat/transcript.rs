//! From OpenClaw's transcript and the keeper's own journal to the messages that a client shows.
//!
//! A person's message and the answer to it have ids made of the turn's key, so they are the same while the turn runs, in
//! the transcript, and after a crash that lost the turn from the home.

use std::collections::HashSet;

use protocol::channel::ChannelError;
use protocol::chat::{Message, Part, Role, Status, ToolState};

use super::answer::pretty;
use super::failure;
use super::functions;
use super::journal::{Stage, TurnRecord};
use super::size::cut;
use crate::gateway::{Block, Entry, EntryKind};
use crate::limits::TOOL_TEXT_BYTES;

/// OpenClaw talks to its own agent under the user's role too.
const OWN_WORDS: &str = "[System] ";

/// The id of the message that a person sent with this key.
pub(super) fn user_id(key: &str) -> String {
    format!("u-{key}")
}

/// The id of the answer to it.
pub(super) fn assistant_id(key: &str) -> String {
    format!("a-{key}")
}

/// The id of a message that no turn of a person's brought about.
fn entry_id(id: &str) -> String {
    format!("e-{id}")
}

/// The user's message of a turn.
pub(super) fn user_message(turn: &TurnRecord) -> Message {
    Message {
        id: user_id(&turn.key),
        role: Role::User,
        at: turn.at,
        status: Status::Done,
        key: Some(turn.key.clone()),
        error: None,
        parts: vec![Part::Text {
            text: turn.text.clone(),
        }],
    }
}

/// A transcript as messages. Turns in `without` are left out: what is known of them is newer elsewhere.
pub(super) fn messages(entries: &[Entry], without: &HashSet<&str>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for entry in entries {
        if entry.run_id.as_deref().is_some_and(|run| without.contains(run)) {
            continue;
        }
        match &entry.kind {
            EntryKind::User { text } if text.starts_with(OWN_WORDS) => {}
            EntryKind::User { text } => messages.push(Message {
                id: entry.run_id.as_deref().map_or_else(|| entry_id(&entry.id), user_id),
                role: Role::User,
                at: entry.at,
                status: Status::Done,
                key: entry.run_id.clone(),
                error: entry.left_out.then(too_large),
                parts: if entry.left_out {
                    Vec::new()
                } else {
                    vec![Part::Text {
                        text: functions::without(text, entry.run_id.as_deref()).to_owned(),
                    }]
                },
            }),
            EntryKind::Assistant { .. } if entry.left_out => answer(&mut messages, entry).error = Some(too_large()),
            EntryKind::Assistant {
                blocks,
                stop_reason,
                error,
            } => {
                let message = answer(&mut messages, entry);
                if let Some(words) = ended_badly(blocks, stop_reason.as_deref(), error.as_deref()) {
                    message.status = Status::Failed;
                    message.error = Some(failure::of_run(&words, None));
                    continue;
                }
                if stop_reason.as_deref() == Some("aborted") {
                    message.status = Status::Aborted;
                }
                message.parts.extend(blocks.iter().filter_map(part));
            }
            EntryKind::ToolResult {
                call, output, is_error, ..
            } => {
                let message = answer(&mut messages, entry);
                let said = too_large().message;
                result(
                    &mut message.parts,
                    call,
                    if entry.left_out { &said } else { output },
                    *is_error,
                );
            }
            EntryKind::Boundary { .. } => {}
        }
    }
    for message in &mut messages {
        settle(message);
    }
    messages
}

/// OpenClaw has it, and does not give it.
fn too_large() -> ChannelError {
    let message = "This is too large to be shown here. Nothing of it is lost: your agent has it.";
    ChannelError::new("too_large_to_show", message)
}

/// The entry that a user's message stands for.
pub(super) fn entry_of<'a>(entries: &'a [Entry], message: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| {
        matches!(entry.kind, EntryKind::User { .. })
            && entry.run_id.as_deref().map_or_else(|| entry_id(&entry.id), user_id) == message
    })
}

/// Whether a turn is in the transcript with its whole answer, in part, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Whole,
    Part,
    Nothing,
}

/// How much of a turn the transcript holds.
pub(super) fn find(entries: &[Entry], key: &str) -> Found {
    let mut found = Found::Nothing;
    for entry in entries.iter().filter(|entry| entry.run_id.as_deref() == Some(key)) {
        found = match &entry.kind {
            EntryKind::Assistant { stop_reason, error, .. } => match stop_reason.as_deref() {
                Some("toolUse") => Found::Part,
                // Text before a tool call is a row of its own and has no reason to stop.
                None if error.is_none() => Found::Part,
                _ => Found::Whole,
            },
            _ => Found::Part,
        };
    }
    found
}

/// Puts in what the journal knows and the transcript does not: turns that were lost from the home, that ended early, or
/// that wait.
pub(super) fn overlay<'a>(messages: &mut Vec<Message>, turns: impl Iterator<Item = &'a TurnRecord>) {
    for turn in turns {
        let user = messages.iter().position(|message| message.id == user_id(&turn.key));
        let user = user.unwrap_or_else(|| {
            let at = place(messages, turn);
            messages.insert(at, user_message(turn));
            at
        });
        let (status, error, parts) = match &turn.stage {
            Stage::Waiting => continue,
            Stage::Sent => (Status::Interrupted, None, &[][..]),
            Stage::Ended { status, error, parts } => (*status, error.clone(), parts.as_slice()),
        };
        let id = assistant_id(&turn.key);
        match messages.iter_mut().find(|message| message.id == id) {
            Some(message) => {
                message.status = status;
                message.error = error;
                if !parts.is_empty() {
                    message.parts = parts.to_vec();
                }
            }
            None => messages.insert(
                user + 1,
                Message {
                    id,
                    role: Role::Assistant,
                    at: turn.at,
                    status,
                    key: Some(turn.key.clone()),
                    error,
                    parts: parts.to_vec(),
                },
            ),
        }
    }
}

/// Where a turn belongs that the transcript does not have: after the turn before it; without one, by its time.
fn place(messages: &[Message], turn: &TurnRecord) -> usize {
    let before = messages
        .iter()
        .rposition(|message| message.key.is_some() && message.key == turn.after);
    let newer = || messages.iter().position(|message| message.at > turn.at);
    before.map(|before| before + 1).or_else(newer).unwrap_or(messages.len())
}

/// The message that an assistant's entry belongs to: all entries of one run are one message.
fn answer<'a>(messages: &'a mut Vec<Message>, entry: &Entry) -> &'a mut Message {
    let id = entry
        .run_id
        .as_deref()
        .map_or_else(|| entry_id(&entry.id), assistant_id);
    let at = messages
        .iter()
        .rposition(|message| message.id == id || entry.run_id.is_none() && message.role == Role::Assistant);
    // An entry without a run goes on with the answer before it, unless a person spoke since.
    let at = at.filter(|at| messages[*at].id == id || *at == messages.len() - 1);
    let at = at.unwrap_or_else(|| {
        messages.push(Message {
            id,
            role: Role::Assistant,
            at: entry.at,
            status: Status::Done,
            key: entry.run_id.clone(),
            error: None,
            parts: Vec::new(),
        });
        messages.len() - 1
    });
    &mut messages[at]
}

/// OpenClaw writes an error down as the answer's text.
fn ended_badly(blocks: &[Block], stop_reason: Option<&str>, error: Option<&str>) -> Option<String> {
    if let Some(error) = error {
        return Some(error.to_owned());
    }
    if stop_reason != Some("error") {
        return None;
    }
    let texts = blocks.iter().filter_map(|block| match block {
        Block::Text(text) => Some(text.as_str()),
        Block::ToolCall { .. } => None,
    });
    Some(texts.collect::<Vec<_>>().join("\n"))
}

fn part(block: &Block) -> Option<Part> {
    match block {
        Block::Text(text) if text.trim().is_empty() => None,
        Block::Text(text) => Some(Part::Text { text: text.clone() }),
        Block::ToolCall { id, name, arguments } => Some(Part::Tool {
            id: id.clone(),
            name: name.clone(),
            input: cut(&pretty(arguments), TOOL_TEXT_BYTES),
            output: String::new(),
            state: ToolState::Running,
        }),
    }
}

fn result(parts: &mut [Part], call: &str, text: &str, is_error: bool) {
    for part in parts.iter_mut().rev() {
        match part {
            Part::Tool { id, output, state, .. } if id == call => {
                *output = cut(text, TOOL_TEXT_BYTES);
                *state = if is_error { ToolState::Failed } else { ToolState::Ok };
                return;
            }
            _ => {}
        }
    }
}

/// What stands in a transcript has ended.
fn settle(message: &mut Message) {
    for part in &mut message.parts {
        match part {
            Part::Tool { state, .. } if *state == ToolState::Running => *state = ToolState::Failed,
            _ => {}
        }
    }
}
