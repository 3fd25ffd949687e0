use protocol::Millis;
use serde_json::Value;

use super::event::{content_text, text};

/// A session's transcript as OpenClaw shows it, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    pub entries: Vec<Entry>,
    /// Whether anything runs in the session.
    pub active: bool,
    /// The runs that do, where OpenClaw knows them exactly.
    pub running: Vec<String>,
    pub in_flight: Option<InFlight>,
}

/// A run that is under way, with what it has said so far.
#[derive(Debug, Clone, PartialEq)]
pub struct InFlight {
    pub run_id: String,
    pub text: String,
}

/// One row. Two rows may share an id: it is that of the transcript's entry, which is what `rewind` takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: String,
    pub run_id: Option<String>,
    pub at: Millis,
    pub kind: EntryKind,
    /// OpenClaw left it out of the list, because it is too large for one: what stands here are its own words on that.
    pub left_out: bool,
}

/// What a row is.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryKind {
    User {
        text: String,
    },
    Assistant {
        blocks: Vec<Block>,
        stop_reason: Option<String>,
        error: Option<String>,
    },
    ToolResult {
        call: String,
        name: String,
        output: String,
        is_error: bool,
    },
    /// OpenClaw compacted or reset the session here.
    Boundary {
        kind: String,
    },
}

/// A piece of an assistant's row.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    Text(String),
    ToolCall { id: String, name: String, arguments: Value },
}

impl History {
    /// Reads the answer to `chat.history`.
    pub fn read(payload: &Value) -> Self {
        let info = &payload["sessionInfo"];
        let running = info["activeRunIds"]
            .as_array()
            .map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        let in_flight = text(&payload["inFlightRun"], "runId").map(|run_id| InFlight {
            run_id,
            text: text(&payload["inFlightRun"], "text").unwrap_or_default(),
        });
        Self {
            entries: payload["messages"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(entry)
                .collect(),
            active: info["hasActiveRun"].as_bool().unwrap_or(false) || in_flight.is_some(),
            running,
            in_flight,
        }
    }

    /// The ids of what was left out, the newest first.
    pub(super) fn left_out(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.left_out && !entry.id.is_empty())
            .map(|entry| entry.id.clone())
            .collect();
        ids.dedup();
        ids
    }

    /// Puts a message, as the answer to `chat.message.get` for this id has it, in the place of all rows with the id.
    pub(super) fn fill(&mut self, id: &str, message: &Value) {
        let Some(mut whole) = entry(message).filter(|whole| !whole.left_out) else {
            return;
        };
        let Some(at) = self.entries.iter().position(|entry| entry.id == id) else {
            return;
        };
        whole.run_id = whole.run_id.or_else(|| self.entries[at].run_id.take());
        id.clone_into(&mut whole.id);
        self.entries[at] = whole;
        let mut row = 0;
        self.entries.retain(|entry| {
            row += 1;
            row <= at + 1 || entry.id != id
        });
    }
}

fn entry(message: &Value) -> Option<Entry> {
    let meta = &message["__openclaw"];
    let kind = match message["role"].as_str()? {
        _ if meta["kind"].is_string() => EntryKind::Boundary {
            kind: text(meta, "kind")?,
        },
        "user" => EntryKind::User {
            text: content_text(&message["content"]),
        },
        "assistant" => EntryKind::Assistant {
            blocks: blocks(&message["content"]),
            // What a stop request left behind says "stop" like any other answer.
            stop_reason: if message["openclawAbort"]["aborted"] == true {
                Some("aborted".to_owned())
            } else {
                text(message, "stopReason")
            },
            error: text(message, "errorMessage"),
        },
        // A run that failed before it said anything leaves a note in its place.
        "custom" if message["customType"] == "run-failed-before-reply" => EntryKind::Assistant {
            blocks: Vec::new(),
            stop_reason: Some("error".to_owned()),
            error: Some(content_text(&message["content"])),
        },
        "toolResult" => EntryKind::ToolResult {
            call: text(message, "toolCallId").unwrap_or_default(),
            name: text(message, "toolName").unwrap_or_default(),
            output: content_text(&message["content"]),
            is_error: message["isError"].as_bool().unwrap_or(false),
        },
        _ => return None,
    };
    // What the person sent carries `<run>:user`; of a row that is left out, only beside the message.
    let key = || text(message, "idempotencyKey").or_else(|| text(meta, "idempotencyKey"));
    let run_id = text(meta, "runId").or_else(|| key().map(|key| key.strip_suffix(":user").unwrap_or(&key).to_owned()));
    Some(Entry {
        id: text(meta, "id").unwrap_or_default(),
        run_id,
        at: message["timestamp"].as_i64().unwrap_or_default(),
        kind,
        left_out: meta["truncated"] == true && meta["reason"] == "oversized",
    })
}

fn blocks(content: &Value) -> Vec<Block> {
    match content {
        Value::String(text) => vec![Block::Text(text.clone())],
        Value::Array(blocks) => blocks.iter().filter_map(block).collect(),
        _ => Vec::new(),
    }
}

fn block(block: &Value) -> Option<Block> {
    match block["type"].as_str()? {
        "text" => Some(Block::Text(text(block, "text")?)),
        "toolCall" => Some(Block::ToolCall {
            id: text(block, "id")?,
            name: text(block, "name").unwrap_or_default(),
            arguments: block["arguments"].clone(),
        }),
        _ => None,
    }
}
