use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::SecretId;
use protocol::chat::CellPhase;
use protocol::control::{AgentState, KeeperOp};
use secrecy::SecretString;

use super::bench::{Bench, Keeper, connect_model};
use crate::cell::Asked;
use crate::secrets::{AgentMay, Secret, SecretKind};
use crate::vault_service::LockReason;

#[tokio::test]
async fn an_unlocked_cell_with_a_model_goes_through_its_phases_by_itself() {
    let mut bench = Bench::new();
    let keeper = bench.keeper().await;
    assert_eq!(keeper.cell.ready().await.unwrap_err().code, "vault_locked");
    bench.unlock(&keeper).await;
    assert_eq!(keeper.cell.ready().await.unwrap_err().code, "no_model");
    let mut events = keeper.cell.events();
    connect_model(&keeper, "model-1").await;
    let mut phases = Vec::new();
    while phases.last() != Some(&CellPhase::Ready) {
        phases.push(events.recv().await.unwrap().phase);
    }
    let expected = [
        CellPhase::OpeningVault,
        CellPhase::RestoringHome,
        CellPhase::StartingAgent,
        CellPhase::WarmingUp,
        CellPhase::Ready,
    ];
    assert_eq!(phases, expected);
    let status = bench
        .platform
        .status(|status| !status.busy && status.wake_at.is_some())
        .await;
    assert_eq!((status.agent, status.wake_at), (AgentState::Ready, Some(1234)));
}

#[tokio::test]
async fn how_long_a_phase_usually_takes_is_known_to_the_next_keeper() {
    let mut bench = Bench::new();
    bench.ready().await.kill().await;
    bench.agent.set(AgentState::Waiting);
    let keeper = bench.keeper().await;
    let mut events = keeper.cell.events();
    bench.unlock(&keeper).await;
    let starting = loop {
        let event = events.recv().await.unwrap();
        if event.phase == CellPhase::StartingAgent {
            break event;
        }
    };
    assert!(starting.usual_ms.is_some(), "{starting:?}");
}

#[tokio::test]
async fn promise_05_a_keeper_that_was_killed_ends_the_agent_and_brings_the_sealed_home_back() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let turn = keeper.cell.turn_started();
    bench.agent.write("turn", "acknowledged");
    keeper.cell.turn_finished(turn).await.unwrap();
    bench.agent.write("turn", "half a turn more");
    bench.platform.status(|status| !status.busy).await;
    bench.agent.asked();
    keeper.kill().await;
    let keeper = bench.keeper().await;
    bench.unlock(&keeper).await;
    keeper.cell.ready().await.unwrap();
    assert_eq!(bench.agent.asked()[..1], ["stop"][..]);
    assert_eq!(bench.agent.read("turn").as_deref(), Some("acknowledged"));
}

#[tokio::test]
async fn a_turn_that_is_saved_survives_and_the_agent_is_still_for_it() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let turn = keeper.cell.turn_started();
    bench.platform.status(|status| status.busy).await;
    bench.agent.write("turn", "one");
    keeper.cell.turn_finished(turn).await.unwrap();
    assert_eq!(bench.platform.ops(), [KeeperOp::Freeze, KeeperOp::Thaw]);
    bench
        .platform
        .status(|status| !status.busy && status.agent == AgentState::Ready)
        .await;
    assert_eq!(bench.agent.asked(), ["suspend", "resume"]);
    keeper.kill().await;
    assert_eq!(bench.sealed("turn").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_turn_that_ends_while_another_runs_is_saved_without_suspending_the_agent() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let (one, other) = (keeper.cell.turn_started(), keeper.cell.turn_started());
    bench.agent.write("turn", "one");
    keeper.cell.turn_finished(one).await.unwrap();
    assert_eq!(bench.agent.asked(), [""; 0]);
    assert_eq!(bench.platform.ops(), [KeeperOp::Freeze, KeeperOp::Thaw]);
    assert!(keeper.cell.is_busy());
    drop(other);
}

#[tokio::test]
async fn another_model_restarts_the_agent_and_another_key_does_not() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let mut events = keeper.cell.events();
    connect_model(&keeper, "model-1").await;
    connect_model(&keeper, "model-2").await;
    while events.recv().await.unwrap().phase != CellPhase::Ready {}
    assert_eq!(bench.agent.asked(), ["stop", "start", "warm up"]);
}

#[tokio::test]
async fn another_model_waits_until_no_turn_is_under_way() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let (one, other) = (keeper.cell.turn_started(), keeper.cell.turn_started());
    let mut events = keeper.cell.events();
    connect_model(&keeper, "model-2").await;
    drop(one);
    // The agent would have been ended by now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bench.agent.asked(), [""; 0]);
    drop(other);
    while events.recv().await.unwrap().phase != CellPhase::Ready {}
    assert_eq!(bench.agent.asked(), ["stop", "start", "warm up"]);
}

#[tokio::test]
async fn what_begins_after_the_models_changed_waits_for_an_agent_that_has_them() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let turn = keeper.cell.turn_started();
    let mut events = keeper.cell.events();
    assert!(!keeper.cell.has_other_models());
    connect_model(&keeper, "model-2").await;
    assert!(keeper.cell.has_other_models());
    assert!(
        tokio::time::timeout(Duration::from_millis(100), keeper.cell.settled())
            .await
            .is_err()
    );
    // Back to those that the agent has.
    connect_model(&keeper, "model-1").await;
    tokio::time::timeout(SOON, keeper.cell.settled()).await.unwrap();
    connect_model(&keeper, "model-3").await;
    drop(turn);
    tokio::time::timeout(SOON, keeper.cell.settled()).await.unwrap();
    while events.recv().await.unwrap().phase != CellPhase::Ready {}
    assert!(!keeper.cell.has_other_models());
    assert_eq!(bench.agent.asked(), ["stop", "start", "warm up"]);
}

#[tokio::test]
async fn an_agent_that_does_not_start_is_said_to_have_failed_with_its_last_words() {
    let mut bench = Bench::new();
    bench.agent.starts_to_fail.store(2, Ordering::SeqCst);
    let keeper = bench.keeper().await;
    bench.unlock(&keeper).await;
    connect_model(&keeper, "model-1").await;
    let error = keeper.cell.ready().await.unwrap_err();
    assert_eq!(error.code, "agent_failed");
    assert!(error.message.contains("out of memory"), "{}", error.message);
    assert_eq!(keeper.cell.current().phase, CellPhase::Failed);
}

/// Well within the time that an agent's container is given to come by itself.
const SOON: Duration = Duration::from_secs(30);

/// A cell whose agent has failed to start a moment ago.
async fn failed(bench: &mut Bench) -> Keeper {
    bench.agent.starts_to_fail.store(2, Ordering::SeqCst);
    let keeper = bench.keeper().await;
    bench.unlock(&keeper).await;
    connect_model(&keeper, "model-1").await;
    assert_eq!(keeper.cell.ready().await.unwrap_err().code, "agent_failed");
    keeper
}

#[tokio::test]
async fn a_start_that_a_person_asks_for_just_after_one_that_failed_is_done_when_its_time_comes() {
    let mut bench = Bench::new();
    let keeper = failed(&mut bench).await;
    bench.agent.asked();
    let error = keeper.cell.ready().await.unwrap_err();
    assert_eq!(
        error.code, "agent_failed",
        "what merely needs the agent hears that it failed"
    );
    let mut events = keeper.cell.events();
    let answer = keeper.cell.start(Asked::ByAPerson).unwrap();
    assert_eq!(answer.phase, CellPhase::OpeningVault);
    assert!(answer.message.unwrap().contains("tried again in"));
    assert_eq!(bench.agent.asked(), [""; 0], "not yet");
    let again = async { while events.recv().await.unwrap().phase != CellPhase::Ready {} };
    tokio::time::timeout(SOON, again).await.unwrap();
    assert_eq!(bench.agent.asked(), ["start", "warm up"]);
}

#[tokio::test]
async fn a_container_that_went_with_a_start_that_failed_is_made_anew_without_waiting_for_it() {
    let mut bench = Bench::new();
    let keeper = failed(&mut bench).await;
    bench.agent.set(AgentState::Absent);
    bench.platform.ops();
    keeper.cell.start(Asked::ByAPerson).unwrap();
    tokio::time::timeout(SOON, keeper.cell.ready()).await.unwrap().unwrap();
    assert!(bench.platform.ops().contains(&KeeperOp::RestartAgent));
}

#[tokio::test]
async fn an_agent_whose_first_start_fails_is_started_once_more_in_a_new_container() {
    let mut bench = Bench::new();
    bench.agent.starts_to_fail.store(1, Ordering::SeqCst);
    let keeper = bench.keeper().await;
    bench.unlock(&keeper).await;
    connect_model(&keeper, "model-1").await;
    keeper.cell.ready().await.unwrap();
    assert_eq!(bench.agent.asked(), ["start", "start", "warm up"]);
    assert!(bench.platform.ops().contains(&KeeperOp::RestartAgent));
}

#[tokio::test]
async fn the_agent_is_told_what_it_may_see_when_it_starts_and_when_that_changes() {
    let told = |bench: &Bench| bench.agent.read("SKILL.md");
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    assert_eq!(told(&bench), None);
    let mut secret = Secret {
        id: SecretId::new(),
        name: "Bot".to_owned(),
        kind: SecretKind::ApiKey,
        agent: AgentMay::See,
        username: String::new(),
        url: String::new(),
        value: SecretString::from("canary"),
        changed: 0,
    };
    let put = async |secret: &Secret| {
        let record = Secret::record(secret.id);
        keeper.vault.put_record(&record, &secret.encode()).await.unwrap();
        keeper.secrets.told_changed();
    };
    put(&secret).await;
    let has = async |words: &str| {
        let written = async {
            while !told(&bench).is_some_and(|skill| skill.contains(words)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
    };
    has("| Bot |").await;
    secret.name = "Bot, new".to_owned();
    put(&secret).await;
    has("| Bot, new |").await;
    assert!(!told(&bench).unwrap().contains("canary"));
    bench.agent.write("SKILL.md", "what the agent made of it");
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    keeper.kill().await;

    let _keeper = bench.ready().await;
    assert!(told(&bench).unwrap().contains("| Bot, new |"));
}
