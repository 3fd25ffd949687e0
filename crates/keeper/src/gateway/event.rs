use serde_json::Value;

/// What OpenClaw tells without being asked.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayEvent {
    /// Something about one run (turn).
    Run(RunEvent),
    /// `exec.approval.requested`, `exec.approval.resolved` and the like.
    Approval { name: String, payload: Value },
    /// The list of sessions or one of its rows changed.
    SessionsChanged { session: Option<String> },
    /// OpenClaw is going down; with a time if it means to come back by itself.
    Shutdown {
        reason: String,
        restart_expected_ms: Option<u64>,
    },
    /// The connection is gone; nothing follows.
    Closed,
}

/// One event of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEvent {
    /// The session's key, in lower case.
    pub session: String,
    /// The idempotency key that the run was sent with, or OpenClaw's own for one that it began itself.
    pub run_id: String,
    pub kind: RunEventKind,
}

/// What happened in a run. `Final`, `Aborted` and `Error` end it; a second end may follow and says nothing new.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEventKind {
    /// `preparing_workspace`, `preparing_context`, `starting_model`.
    Phase(String),
    /// The current segment of text grows by `delta`, or is replaced by it. A new segment begins after each tool.
    Text { delta: String, replace: bool },
    /// What the agent says before a tool call: all of it so far.
    Commentary { item: String, text: String, done: bool },
    ToolStart {
        call: String,
        name: String,
        arguments: Value,
    },
    /// All output of the tool so far.
    ToolUpdate { call: String, name: String, output: String },
    ToolResult {
        call: String,
        name: String,
        output: String,
        is_error: bool,
    },
    /// The model provider refused a call, in its own words.
    ProviderSaid(String),
    /// The run is done. `text` is its last segment; history has all of it.
    Final { text: String, stop_reason: Option<String> },
    /// Stopped on request, with what had been said.
    Aborted { text: Option<String> },
    /// OpenClaw's own words: for the owner only.
    Error { message: String, kind: Option<String> },
}

/// Reads an event; `None` for those that nobody here needs.
pub(super) fn parse(name: &str, payload: Value) -> Option<GatewayEvent> {
    match name {
        "chat" => run(&payload, chat(&payload)?),
        "agent" => run(&payload, agent(&payload)?),
        "sessions.changed" => Some(GatewayEvent::SessionsChanged {
            session: text(&payload, "sessionKey").or_else(|| text(&payload, "key")),
        }),
        "shutdown" => Some(GatewayEvent::Shutdown {
            reason: text(&payload, "reason").unwrap_or_default(),
            restart_expected_ms: payload["restartExpectedMs"].as_u64(),
        }),
        _ if name.ends_with(".approval.requested") || name.ends_with(".approval.resolved") => {
            Some(GatewayEvent::Approval {
                name: name.to_owned(),
                payload,
            })
        }
        _ => None,
    }
}

fn run(payload: &Value, kind: RunEventKind) -> Option<GatewayEvent> {
    Some(GatewayEvent::Run(RunEvent {
        session: text(payload, "sessionKey")?,
        run_id: text(payload, "runId")?,
        kind,
    }))
}

fn chat(payload: &Value) -> Option<RunEventKind> {
    Some(match payload["state"].as_str()? {
        "status" => RunEventKind::Phase(text(payload, "phase")?),
        "delta" => RunEventKind::Text {
            delta: text(payload, "deltaText").unwrap_or_default(),
            replace: payload["replace"].as_bool().unwrap_or(false),
        },
        "final" => RunEventKind::Final {
            text: content_text(&payload["message"]["content"]),
            stop_reason: text(payload, "stopReason"),
        },
        "aborted" => RunEventKind::Aborted {
            text: payload.get("message").map(|message| content_text(&message["content"])),
        },
        "error" => RunEventKind::Error {
            message: text(payload, "errorMessage").unwrap_or_else(|| "OpenClaw gave no reason".to_owned()),
            kind: text(payload, "errorKind").or_else(|| text(&payload["errorDetail"], "failoverReason")),
        },
        _ => return None,
    })
}

fn agent(payload: &Value) -> Option<RunEventKind> {
    let data = &payload["data"];
    match payload["stream"].as_str()? {
        "item" if data["kind"] == "preamble" => Some(RunEventKind::Commentary {
            item: text(data, "itemId")?,
            text: text(data, "progressText").unwrap_or_default(),
            done: data["phase"] == "end",
        }),
        "lifecycle" => text(data, "fallbackStepFromFailureDetail").map(RunEventKind::ProviderSaid),
        "tool" => {
            let call = text(data, "toolCallId")?;
            let name = text(data, "name").unwrap_or_default();
            Some(match data["phase"].as_str()? {
                "start" => RunEventKind::ToolStart {
                    call,
                    name,
                    arguments: data["args"].clone(),
                },
                "update" => RunEventKind::ToolUpdate {
                    call,
                    name,
                    output: result_text(&data["partialResult"]),
                },
                "result" => RunEventKind::ToolResult {
                    call,
                    name,
                    output: result_text(&data["result"]),
                    is_error: data["isError"].as_bool().unwrap_or(false),
                },
                _ => return None,
            })
        }
        _ => None,
    }
}

/// A tool's result as text: its text blocks, or else the whole of it as JSON.
fn result_text(result: &Value) -> String {
    match result {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        _ if result["content"].is_array() => content_text(&result["content"]),
        other => other.to_string(),
    }
}

/// The text of a message's content, which is a string or a list of blocks.
pub(super) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            // What OpenClaw says in its own name, such as that another model answered, is no part of the answer.
            let said = blocks.iter().filter(|block| block["openclawStatusNotice"] != true);
            let texts: Vec<&str> = said.filter_map(|block| block["text"].as_str()).collect();
            texts.join("\n\n")
        }
        _ => String::new(),
    }
}

pub(super) fn text(value: &Value, field: &str) -> Option<String> {
    value[field].as_str().map(str::to_owned)
}
