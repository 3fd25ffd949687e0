use std::time::{Duration, Instant};

use keeper::gateway::{GatewayEvent, RunEventKind};
use keeper::vault_service::ModelKind;
use protocol::control::AgentState;

use crate::cell::{Cell, said, turn};

const SESSION: &str = "agent:main:lifecycle";

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_starts_warms_up_suspends_and_stops() {
    let cell = Cell::new().await;
    let mut state = cell.agent.state();
    tokio::time::timeout(
        Duration::from_secs(20),
        state.wait_for(|state| *state == AgentState::Waiting),
    )
    .await
    .expect("the bridge connects")
    .unwrap();
    let began = Instant::now();
    let gateway = cell.start(ModelKind::OpenAi).await;
    eprintln!("started in {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(gateway.version(), "2026.9.6");

    // Nothing is planned that would wake a sleeping cell.
    assert_eq!(cell.agent.next_wake_at().await, None);

    let warming = Instant::now();
    cell.agent.warm_up().await.unwrap();
    eprintln!("warmed up in {:.1} s", warming.elapsed().as_secs_f64());
    let sessions = gateway.sessions().await.unwrap();
    assert!(
        sessions.is_empty(),
        "the warm-up leaves no session behind: {sessions:?}"
    );
    let first = Instant::now();
    let events = turn(&gateway, SESSION, "first", "[[say: Hello.]]").await;
    eprintln!("first turn in {:.1} s", first.elapsed().as_secs_f64());
    assert_eq!(said(&events), "Hello.");

    let suspending = Instant::now();
    assert!(cell.agent.suspend().await.unwrap());
    eprintln!("suspended in {} ms", suspending.elapsed().as_millis());
    assert_eq!(*cell.agent.state().borrow(), AgentState::Suspended);
    cell.agent.resume().await.unwrap();

    // Busy is busy: nothing changes for the turn.
    let mut live = gateway.events();
    gateway
        .chat_send(SESSION, "slow", "[[slow: 60 chunks every 100ms]]")
        .await
        .unwrap();
    wait_for(&mut live, "slow", |kind| matches!(kind, RunEventKind::Text { .. })).await;
    assert!(!cell.agent.suspend().await.unwrap());
    wait_for(&mut live, "slow", |kind| matches!(kind, RunEventKind::Final { .. })).await;

    cell.agent.stop(Duration::from_secs(5)).await.unwrap();
    assert_eq!(*cell.agent.state().borrow(), AgentState::Waiting);
    assert!(cell.agent.gateway().is_none());
    assert!(!cell.exec("ps -e -o comm").contains("node"));

    let again = Instant::now();
    let gateway = cell.start(ModelKind::OpenAi).await;
    eprintln!("started again in {:.1} s", again.elapsed().as_secs_f64());
    let history = gateway.history(SESSION).await.unwrap();
    assert!(
        history
            .entries
            .iter()
            .any(|entry| entry.run_id.as_deref() == Some("first"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_code_was_loaded_ahead_is_like_any_other() {
    let cell = Cell::new().await;
    let mut state = cell.agent.state();
    state.wait_for(|state| *state == AgentState::Waiting).await.unwrap();
    // Freed, it is gone; the next one is used.
    cell.agent.prepare().await.unwrap();
    let first = prepared(&cell, true).await;
    cell.agent.unprepare().await.unwrap();
    prepared(&cell, false).await;
    cell.agent.prepare().await.unwrap();
    let second = prepared(&cell, true).await;
    assert_ne!(first, second);

    let began = Instant::now();
    let gateway = cell.start(ModelKind::OpenAi).await;
    eprintln!("started in {:.1} s, its code loaded", began.elapsed().as_secs_f64());
    let running = cell.exec(&format!("cat /proc/{}/comm", second.trim()));
    assert!(running.starts_with("openclaw"), "{running}");
    let events = turn(&gateway, SESSION, "first", "[[say: Hello.]]").await;
    assert_eq!(said(&events), "Hello.");
    let arguments = cell.exec("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
    assert_eq!(arguments.matches("prepare.mjs").count(), 0, "{arguments}");

    cell.agent.stop(Duration::from_secs(5)).await.unwrap();
    let again = Instant::now();
    let gateway = cell.start(ModelKind::OpenAi).await;
    eprintln!(
        "started again in {:.1} s, with nothing loaded",
        again.elapsed().as_secs_f64()
    );
    let history = gateway.history(SESSION).await.unwrap();
    assert!(!history.entries.is_empty());
}

/// Waits until a process has loaded the code, or none has; its number.
async fn prepared(cell: &Cell, wanted: bool) -> String {
    let looking = async {
        loop {
            let found = cell.exec("pgrep -f [p]repared/prepare.mjs || true");
            if found.trim().is_empty() != wanted {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking)
        .await
        .expect("in a minute")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_a_crash_interrupted_is_not_run_again() {
    let cell = Cell::new().await;
    let gateway = cell.start(ModelKind::OpenAi).await;
    let mut live = gateway.events();
    gateway
        .chat_send(SESSION, "cut", "[[slow: 600 chunks every 100ms]]")
        .await
        .unwrap();
    wait_for(&mut live, "cut", |kind| matches!(kind, RunEventKind::Text { .. })).await;
    let mut state = cell.agent.state();
    cell.kill();
    state.wait_for(|state| *state == AgentState::Absent).await.unwrap();
    cell.start_container();
    let gateway = cell.start(ModelKind::OpenAi).await;
    let mut live = gateway.events();
    let quiet = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let GatewayEvent::Run(event) = live.recv().await.unwrap()
                && matches!(event.kind, RunEventKind::Text { .. } | RunEventKind::Final { .. })
            {
                return event;
            }
        }
    })
    .await;
    assert!(quiet.is_err(), "{quiet:?}");

    // The conversation goes on, also when the next message comes the moment that OpenClaw answers.
    let mut live = gateway.events();
    gateway
        .chat_send(SESSION, "cut again", "[[slow: 600 chunks every 100ms]]")
        .await
        .unwrap();
    wait_for(&mut live, "cut again", |kind| matches!(kind, RunEventKind::Text { .. })).await;
    cell.kill();
    state.wait_for(|state| *state == AgentState::Absent).await.unwrap();
    cell.start_container();
    let gateway = cell.start(ModelKind::OpenAi).await;
    let events = turn(&gateway, SESSION, "next", "[[say: Onwards.]]").await;
    assert_eq!(said(&events), "Onwards.");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_04_the_agent_has_no_network_and_no_secret_in_its_environment() {
    let cell = Cell::new().await;
    cell.start(ModelKind::OpenAi).await;
    assert_eq!(cell.exec("ls /sys/class/net").trim(), "lo");
    let configuration = std::fs::read_to_string(cell.home().join(".openclaw/openclaw.json")).unwrap();
    let configuration: serde_json::Value = serde_json::from_str(&configuration).unwrap();
    let token = configuration["gateway"]["auth"]["token"].as_str().unwrap();
    assert!(token.len() >= 32);
    let environments = cell.exec("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'");
    assert!(
        environments.contains("OPENCLAW_STATE_DIR"),
        "the check looks at the right thing"
    );
    assert!(!environments.contains(token));
    assert_eq!(
        cell.exec("touch /run/holdfast/x /opt/openclaw/x 2>/dev/null; echo $?")
            .trim(),
        "1"
    );
    assert!(cell.exec("grep -c Cap.*0000000000000000 /proc/self/status").trim() == "5");
}

async fn wait_for(
    events: &mut tokio::sync::broadcast::Receiver<GatewayEvent>,
    run: &str,
    wanted: impl Fn(&RunEventKind) -> bool,
) {
    tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            if let GatewayEvent::Run(event) = events.recv().await.expect("an event")
                && event.run_id == run
                && wanted(&event.kind)
            {
                return;
            }
        }
    })
    .await
    .expect("the event comes");
}
