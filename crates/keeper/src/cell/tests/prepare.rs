use std::sync::atomic::Ordering;

use protocol::chat::CellPhase;
use protocol::control::{AgentState, KeeperOp, Outcome, PlatformOp};
use tokio::sync::watch;

use super::bench::{Bench, Keeper};

/// Greets a keeper and waits until its agent was asked to do this.
async fn greet(bench: &Bench, keeper: &Keeper, asked: &str) -> watch::Sender<u64> {
    let greetings = watch::Sender::new(0);
    tokio::spawn(keeper.cell.clone().prepare_at(greetings.subscribe()));
    greetings.send_replace(1);
    until_asked(bench, asked).await;
    greetings
}

async fn until_asked(bench: &Bench, what: &str) {
    while !bench.agent.asked.lock().unwrap().contains(&what) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_greeting_has_the_agent_prepared_before_anybody_unlocks() {
    let mut bench = Bench::new();
    bench.ready().await.kill().await;
    bench.agent.set(AgentState::Waiting);
    let keeper = bench.keeper().await;
    let _greetings = greet(&bench, &keeper, "prepare").await;
    assert_eq!(bench.platform.ops(), [KeeperOp::Prepare]);
    assert_eq!(*keeper.cell.agent().state().borrow(), AgentState::Waiting);
    bench.unlock(&keeper).await;
    keeper.cell.ready().await.unwrap();
    let asked = bench.agent.asked();
    assert!(!asked.contains(&"unprepare"), "{asked:?}");
    assert!(asked.contains(&"start"), "{asked:?}");
}

#[tokio::test]
async fn an_agent_that_runs_is_not_prepared() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let greetings = watch::Sender::new(0);
    let preparing = tokio::spawn(keeper.cell.clone().prepare_at(greetings.subscribe()));
    greetings.send_replace(1);
    drop(greetings);
    preparing.await.unwrap();
    assert_eq!(bench.platform.ops(), []);
    assert_eq!(bench.agent.asked(), Vec::<&str>::new());
}

#[tokio::test]
async fn what_was_prepared_is_freed_by_a_pause_and_made_again_at_the_next_greeting() {
    let mut bench = Bench::new();
    bench.ready().await.kill().await;
    bench.agent.set(AgentState::Waiting);
    let keeper = bench.keeper().await;
    let greetings = greet(&bench, &keeper, "prepare").await;
    assert_eq!(bench.platform.ask(PlatformOp::Pause).await, Outcome::Ok);
    assert_eq!(bench.platform.ops(), [KeeperOp::Prepare, KeeperOp::Unprepare]);
    assert_eq!(bench.agent.asked(), ["prepare", "unprepare"]);
    greetings.send_replace(2);
    until_asked(&bench, "prepare").await;
}

#[tokio::test]
async fn the_token_for_the_gateway_is_the_same_at_every_start() {
    let mut bench = Bench::new();
    bench.ready().await.kill().await;
    bench.agent.set(AgentState::Waiting);
    bench.ready().await;
    let tokens = bench.agent.tokens.lock().unwrap().clone();
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0], tokens[1]);
    assert!(tokens[0].len() >= 32);
}

#[tokio::test]
async fn a_message_that_waits_does_not_wait_for_the_warm_up() {
    let mut bench = Bench::new();
    bench.ready().await.kill().await;
    bench.agent.set(AgentState::Waiting);
    bench.agent.asked();
    let keeper = bench.keeper().await;
    let turn = keeper.cell.turn_started();
    bench.unlock(&keeper).await;
    keeper.cell.ready().await.unwrap();
    assert!(!bench.agent.asked().contains(&"warm up"));
    drop(turn);
}

#[tokio::test]
async fn a_message_that_comes_during_the_warm_up_is_not_kept_waiting() {
    let mut bench = Bench::new();
    bench.ready().await.kill().await;
    bench.agent.set(AgentState::Waiting);
    bench.agent.warms_for_ever.store(true, Ordering::SeqCst);
    let keeper = bench.keeper().await;
    let mut phases = keeper.cell.events();
    bench.unlock(&keeper).await;
    while phases.recv().await.unwrap().phase != CellPhase::WarmingUp {}
    let _turn = keeper.cell.turn_started();
    keeper.cell.ready().await.unwrap();
}
