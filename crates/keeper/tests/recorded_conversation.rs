//! What OpenClaw 2026.9.6 really said, played back: turns, a tool, a rewind, a stop. When the pinned version changes, a
//! new recording shows what changed with it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use futures::{SinkExt as _, StreamExt as _};
use keeper::gateway::{Block, EntryKind, Gateway, GatewayEvent, RunEventKind, SendStatus};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::DuplexStream;
use tokio::sync::broadcast::Receiver;
use tokio_tungstenite::tungstenite::Message;

const RECORDING: &str = include_str!("recorded/2026.9.6.jsonl");
const SESSION: &str = "agent:main:conv-d";

#[tokio::test]
async fn the_recorded_conversation_is_understood() {
    let (client, server) = tokio::io::duplex(1 << 16);
    let playing = tokio::spawn(play(server));
    let gateway = Gateway::connect(client, &SecretString::from("recorded")).await.unwrap();
    assert_eq!(gateway.version(), "2026.9.6");
    let mut events = gateway.events();

    assert_eq!(
        gateway.chat_send(SESSION, "run-d1", "hi there").await.unwrap(),
        SendStatus::Started
    );
    let first = run(&mut events, "run-d1").await;
    assert_eq!(said(&first), "Hello from the model, answer number 2");
    let phases: Vec<&str> = first
        .iter()
        .filter_map(|event| {
            if let RunEventKind::Phase(phase) = event {
                Some(phase.as_str())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(phases, ["preparing_workspace", "preparing_context", "starting_model"]);

    gateway.chat_send(SESSION, "run-d3", "USETOOL please").await.unwrap();
    let second = run(&mut events, "run-d3").await;
    assert!(
        second
            .iter()
            .any(|event| matches!(event, RunEventKind::Commentary { text, done: true, .. } if text == "Let me look."))
    );
    assert!(
        second
            .iter()
            .any(|event| matches!(event, RunEventKind::ToolStart { name, arguments, .. }
        if name == "exec" && arguments["command"].as_str().unwrap().starts_with("echo one")))
    );
    assert!(
        second
            .iter()
            .any(|event| matches!(event, RunEventKind::ToolUpdate { output, .. } if output == "one\n"))
    );
    assert!(second.iter().any(
        |event| matches!(event, RunEventKind::ToolResult { output, is_error: false, .. }
        if output.starts_with("one\ntwo\n"))
    ));
    assert!(
        matches!(second.last(), Some(RunEventKind::Final { text, stop_reason: Some(stop) })
        if text == "Hello from the model, answer number 3" && stop == "stop")
    );

    let history = gateway.history(SESSION).await.unwrap();
    assert!(!history.active);
    let question = history
        .entries
        .iter()
        .find(|entry| matches!(&entry.kind, EntryKind::User { text } if text == "USETOOL please"))
        .unwrap();
    assert_eq!(question.run_id.as_deref(), Some("run-d3"));
    assert!(
        history
            .entries
            .iter()
            .any(|entry| matches!(&entry.kind, EntryKind::Assistant { blocks, .. }
        if blocks.iter().any(|block| matches!(block, Block::ToolCall { name, .. } if name == "exec"))))
    );

    assert_eq!(gateway.rewind(SESSION, &question.id).await.unwrap(), "USETOOL please");
    gateway.chat_send(SESSION, "run-d5", "replaced second").await.unwrap();
    run(&mut events, "run-d5").await;
    let history = gateway.history(SESSION).await.unwrap();
    assert!(
        history
            .entries
            .iter()
            .all(|entry| entry.run_id.as_deref() != Some("run-d3"))
    );
    assert!(
        history
            .entries
            .iter()
            .any(|entry| entry.run_id.as_deref() == Some("run-d5"))
    );

    gateway.chat_send(SESSION, "run-d6", "SLOW one").await.unwrap();
    let history = gateway.history(SESSION).await.unwrap();
    assert!(history.active);
    assert_eq!(history.in_flight.unwrap().run_id, "run-d6");
    assert!(gateway.chat_abort(SESSION, "run-d6").await.unwrap());
    let stopped = run(&mut events, "run-d6").await;
    assert!(
        matches!(stopped.last(), Some(RunEventKind::Aborted { text: Some(text) }) if text.starts_with("SLOW Hello"))
    );
    let again = gateway.chat_send(SESSION, "run-d6", "SLOW one").await.unwrap();
    assert_eq!(again, SendStatus::Ended("timeout".to_owned()));

    playing.await.unwrap();
    gateway.closed().await;
    assert!(!gateway.is_open());
    assert!(matches!(
        gateway.history(SESSION).await,
        Err(keeper::gateway::GatewayError::Closed)
    ));
}

/// The Gateway's side: sends what it sent, once the client has asked what was asked.
async fn play(stream: DuplexStream) {
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let mut ids = std::collections::HashMap::new();
    for line in RECORDING.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if let Some(asked) = line.get("out") {
            if asked["method"] == "cron.status" {
                return;
            }
            let Some(Ok(Message::Text(text))) = socket.next().await else {
                panic!("the client went away before {}", asked["method"]);
            };
            let request: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(request["method"], asked["method"]);
            for field in [
                "sessionKey",
                "message",
                "idempotencyKey",
                "entryId",
                "runId",
                "auth",
                "scopes",
                "client/id",
            ] {
                let field = format!("/params/{field}");
                if let Some(wanted) = asked.pointer(&field) {
                    assert_eq!(request.pointer(&field), Some(wanted), "{field}");
                }
            }
            ids.insert(asked["id"].clone(), request["id"].clone());
        } else {
            let mut said = line["in"].clone();
            if said["type"] == "res" {
                said["id"] = ids[&said["id"]].clone();
            }
            socket.send(Message::text(said.to_string())).await.unwrap();
        }
    }
}

/// Everything about one run, to its end.
async fn run(events: &mut Receiver<GatewayEvent>, run_id: &str) -> Vec<RunEventKind> {
    let mut seen = Vec::new();
    loop {
        if let GatewayEvent::Run(event) = events.recv().await.unwrap()
            && event.run_id == run_id
        {
            let ends = matches!(
                event.kind,
                RunEventKind::Final { .. } | RunEventKind::Aborted { .. } | RunEventKind::Error { .. }
            );
            seen.push(event.kind);
            if ends {
                return seen;
            }
        }
    }
}

fn said(events: &[RunEventKind]) -> String {
    events
        .iter()
        .filter_map(|event| {
            if let RunEventKind::Text { delta, .. } = event {
                Some(delta.as_str())
            } else {
                None
            }
        })
        .collect()
}
