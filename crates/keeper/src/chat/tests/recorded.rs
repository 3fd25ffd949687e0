//! Transcripts as the real OpenClaw 2026.9.6 gave them.

use std::collections::HashSet;

use protocol::chat::{Message, Status};

use super::keeper::briefs;
use crate::chat::transcript::{self, Found};
use crate::gateway::History;

fn history(json: &str) -> History {
    History::read(&serde_json::from_str(json).unwrap())
}

fn tool() -> History {
    history(include_str!("recorded/history-tool.json"))
}

fn stop_and_failures() -> History {
    history(include_str!("recorded/history-stop-and-failures.json"))
}

fn messages(history: &History) -> Vec<Message> {
    transcript::messages(&history.entries, &HashSet::new())
}

#[test]
fn texts_and_tools_of_one_turn_are_one_message_in_their_order() {
    let messages = messages(&tool());
    assert_eq!(
        briefs(&messages),
        [
            "User: Hello there friend",
            "Assistant: Hello! I am a **scripted model**: no rea…",
            r#"User: [[say: let me look]] [[tool: exec {"command":"echo hi; sleep 1; echo there"}]] [[say: all done]]"#,
            "Assistant: let me look [exec Ok: hi\nthere] all done",
        ]
    );
    let key = messages[2].key.clone().unwrap();
    assert_eq!(key, "a093b918-477f-4f3a-9d3d-c1a31fb12c78");
    assert_eq!(messages[2].id, format!("u-{key}"));
    assert_eq!(
        (messages[3].id.clone(), messages[3].key.clone()),
        (format!("a-{key}"), Some(key))
    );
    assert_eq!(messages[2].at, 1_795_339_954_517);
}

#[test]
fn stopped_and_failed_answers_say_so_in_plain_words() {
    let messages = messages(&stop_and_failures());
    let statuses: Vec<Status> = messages
        .iter()
        .filter(|m| m.id.starts_with("a-"))
        .map(|m| m.status)
        .collect();
    assert_eq!(
        statuses,
        [
            Status::Done,
            Status::Aborted,
            Status::Failed,
            Status::Failed,
            Status::Failed
        ]
    );
    assert_eq!(
        briefs(&messages)[3],
        "Assistant: chunk-1 chunk-2 chunk-3 chunk-4 chunk-5 chunk-6 chunk-7 (Aborted)"
    );
    let failed = &messages[5];
    assert!(failed.parts.is_empty());
    assert_eq!(
        failed.error.as_ref().unwrap().message,
        "LLM request failed (authentication failed, HTTP 401)."
    );
    assert!(
        messages[7]
            .error
            .as_ref()
            .unwrap()
            .message
            .starts_with("Inline API key for provider")
    );
}

#[test]
fn a_turn_is_found_whole_in_part_or_not_at_all() {
    let history = tool();
    let key = "a093b918-477f-4f3a-9d3d-c1a31fb12c78";
    assert_eq!(transcript::find(&history.entries, key), Found::Whole);
    let end = history
        .entries
        .iter()
        .rposition(|entry| entry.run_id.as_deref() == Some(key))
        .unwrap();
    for cut in 0..end {
        let found = transcript::find(&history.entries[..cut], key);
        assert_ne!(found, Found::Whole, "cut at {cut}");
    }
    assert_eq!(transcript::find(&history.entries, "another"), Found::Nothing);
    let stopped = stop_and_failures();
    for key in [
        "df8766e6-6e2c-4107-8dcd-1a49b1b53590",
        "877f9fbb-838a-4b1c-a901-968bdf284069",
    ] {
        assert_eq!(transcript::find(&stopped.entries, key), Found::Whole);
    }
}

#[test]
fn what_openclaw_tells_its_own_agent_is_not_shown() {
    let mut history = tool();
    if let crate::gateway::EntryKind::User { text } = &mut history.entries[0].kind {
        *text = "[System] Your previous turn was interrupted by a gateway restart".to_owned();
    }
    assert_eq!(messages(&history).len(), 3);
}
