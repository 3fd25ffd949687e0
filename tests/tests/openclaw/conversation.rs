use std::path::Path;

use keeper::gateway::{Block, EntryKind, RunEventKind, SendStatus};
use keeper::vault_service::ModelKind;
use system_tests::canary::{Canary, Search};

use crate::cell::{Cell, said, turn};

const SESSION: &str = "agent:main:conversation";

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_streams_runs_a_tool_is_rewound_and_stopped() {
    let cell = Cell::new().await;
    let gateway = cell.start(ModelKind::OpenAi).await;

    let events = turn(&gateway, SESSION, "run-1", "[[say: Good morning to you.]]").await;
    assert_eq!(said(&events), "Good morning to you.");
    assert!(
        events.iter().any(|event| matches!(event, RunEventKind::Phase(_))),
        "{events:?}"
    );
    assert!(matches!(events.last(), Some(RunEventKind::Final { text, .. }) if text == "Good morning to you."));

    let with_tool = r#"[[tool: exec {"command":"echo seen-$((40+2))"}]] [[say: Ran it.]]"#;
    let events = turn(&gateway, SESSION, "run-2", with_tool).await;
    assert!(
        events
            .iter()
            .any(|event| matches!(event, RunEventKind::ToolStart { name, arguments, .. }
            if name == "exec" && arguments["command"] == "echo seen-$((40+2))")),
        "{events:?}"
    );
    assert!(
        events.iter().any(
            |event| matches!(event, RunEventKind::ToolResult { output, is_error: false, .. }
            if output.contains("seen-42"))
        ),
        "{events:?}"
    );

    // The same key is the same turn, and never another one.
    let again = gateway.chat_send(SESSION, "run-2", with_tool).await.unwrap();
    assert_ne!(again, SendStatus::Started);
    gateway.chat_send(SESSION, "run-2", "anything else").await.unwrap_err();

    let history = gateway.history(SESSION).await.unwrap();
    let second = history
        .entries
        .iter()
        .find(|entry| matches!(entry.kind, EntryKind::User { .. }) && entry.run_id.as_deref() == Some("run-2"))
        .expect("the user's message is in the transcript");
    assert!(
        history
            .entries
            .iter()
            .any(|entry| matches!(&entry.kind, EntryKind::Assistant { blocks, .. }
        if blocks.iter().any(|block| matches!(block, Block::ToolCall { name, .. } if name == "exec"))))
    );

    gateway.rewind(SESSION, &second.id).await.unwrap();
    let events = turn(&gateway, SESSION, "run-3", "[[say: Another way.]]").await;
    assert_eq!(said(&events), "Another way.");
    let history = gateway.history(SESSION).await.unwrap();
    assert!(
        history
            .entries
            .iter()
            .all(|entry| entry.run_id.as_deref() != Some("run-2"))
    );

    let mut live = gateway.events();
    gateway
        .chat_send(SESSION, "run-4", "[[slow: 200 chunks every 100ms]]")
        .await
        .unwrap();
    loop {
        if let keeper::gateway::GatewayEvent::Run(event) = live.recv().await.unwrap()
            && matches!(event.kind, RunEventKind::Text { .. })
        {
            break;
        }
    }
    assert!(gateway.chat_abort(SESSION, "run-4").await.unwrap());
    loop {
        if let keeper::gateway::GatewayEvent::Run(event) = live.recv().await.unwrap()
            && matches!(event.kind, RunEventKind::Aborted { .. })
        {
            break;
        }
    }
    gateway.session_delete(SESSION).await.unwrap();
    assert!(gateway.history(SESSION).await.unwrap().entries.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_for_a_list_is_there_whole() {
    let cell = Cell::new().await;
    let gateway = cell.start(ModelKind::OpenAi).await;
    let words = format!(
        "[[say: I have read it.]] {}And so on.",
        "Dear neighbour, ".repeat(15_000)
    );
    turn(&gateway, SESSION, "run-1", &words).await;
    let history = gateway.history(SESSION).await.unwrap();
    let said = history
        .entries
        .iter()
        .find(|entry| entry.run_id.as_deref() == Some("run-1"))
        .expect("the user's message is in the transcript");
    assert!(
        matches!(&said.kind, EntryKind::User { text } if *text == words),
        "{} bytes",
        format!("{:?}", said.kind).len()
    );
    let rows = history
        .entries
        .iter()
        .filter(|entry| entry.run_id.as_deref() == Some("run-1"));
    assert!(rows.clone().all(|entry| !entry.left_out) && rows.count() == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_works_with_an_anthropic_model() {
    let cell = Cell::new().await;
    let gateway = cell.start(ModelKind::Anthropic).await;
    cell.agent.warm_up().await.unwrap();
    let events = turn(&gateway, SESSION, "run-1", "[[say: Claude-like words.]]").await;
    assert_eq!(said(&events), "Claude-like words.");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_deleted_conversation_no_file_of_the_home_keeps_a_word_and_of_others_all_is_there() {
    const KEPT: &str = "agent:main:kept";
    let cell = Cell::new().await;
    let gateway = cell.start(ModelKind::OpenAi).await;
    let asked = Canary::new("what was asked");
    let answered = Canary::new("what was answered");
    let ran = Canary::new("what a tool said");
    turn(&gateway, KEPT, "run-1", "[[say: Good morning to you.]]").await;
    let tool = format!(r#"[[tool: exec {{"command":"echo {}"}}]]"#, ran.text);
    turn(
        &gateway,
        SESSION,
        "run-2",
        &format!("{tool} [[say: {}]] {}", answered.text, asked.text),
    )
    .await;
    let canaries = [asked, answered, ran];
    let found = |home: &Path| {
        let mut search = Search::new(&canaries);
        search.folder(home);
        search.found().to_vec()
    };
    for canary in &canaries {
        let written = found(&cell.home());
        assert!(
            written.iter().any(|place| place.starts_with(&canary.name)),
            "{}: {written:?}",
            canary.name
        );
    }

    for archive in gateway.session_delete(SESSION).await.unwrap() {
        let path = archive.strip_prefix("/home/node/").expect("a path in the home");
        std::fs::remove_file(cell.home().join(path)).unwrap();
    }
    // What only looks like a database keeps nobody from the others. Whoever asks at the same time shares the work.
    let state = cell.home().join(".openclaw/state");
    std::fs::write(state.join("none.sqlite"), "This is no database.").unwrap();
    tokio::try_join!(cell.agent.scrub(), cell.agent.scrub(), cell.agent.scrub()).unwrap();
    let left = found(&cell.home());
    assert!(left.is_empty(), "{left:?}");
    let kept = gateway.history(KEPT).await.unwrap();
    assert!(
        kept.entries
            .iter()
            .any(|entry| format!("{:?}", entry.kind).contains("Good morning to you."))
    );
    let events = turn(&gateway, KEPT, "run-3", "[[say: And on.]]").await;
    assert_eq!(said(&events), "And on.");
}
