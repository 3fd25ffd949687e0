use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use protocol::channel::VaultState;
use protocol::chat::CellPhase;
use protocol::control::{AgentState, KeeperOp, Outcome, PlatformOp};

use super::bench::Bench;
use crate::home::tests::store::Death;
use crate::limits::SAVE_AGAIN;
use crate::vault_service::{LockReason, VaultError};

fn code(outcome: Outcome) -> String {
    match outcome {
        Outcome::Ok => "ok".to_owned(),
        Outcome::Error { code, .. } => code,
    }
}

#[tokio::test]
async fn promise_06_a_busy_agent_is_not_paused() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let turn = keeper.cell.turn_started();
    assert_eq!(code(bench.platform.ask(PlatformOp::Pause).await), "busy");
    assert_eq!(code(bench.platform.ask(PlatformOp::PrepareSleep).await), "busy");
    drop(turn);
    // A tool of the agent's own, that no turn is known of.
    bench.agent.working.store(true, Ordering::SeqCst);
    assert_eq!(code(bench.platform.ask(PlatformOp::Pause).await), "busy");
    assert_eq!(keeper.cell.current().phase, CellPhase::Ready);
    assert_eq!(keeper.vault.state(), VaultState::Unlocked);
}

#[tokio::test]
async fn promise_06_a_pause_seals_the_home_and_the_next_turn_wakes_the_cell() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("cron", "written without a turn");
    assert_eq!(bench.platform.ask(PlatformOp::Pause).await, Outcome::Ok);
    let status = bench
        .platform
        .status(|status| status.agent == AgentState::Suspended)
        .await;
    assert!(!status.busy);
    assert_eq!(keeper.cell.current().phase, CellPhase::Paused);
    // Somebody writes: the cell says that it is busy, which wakes it.
    let cell = keeper.cell.clone();
    let ready = tokio::spawn(async move { cell.ready().await });
    bench.platform.status(|status| status.busy).await;
    assert_eq!(bench.platform.ask(PlatformOp::Resumed).await, Outcome::Ok);
    ready.await.unwrap().unwrap();
    assert_eq!(keeper.cell.current().phase, CellPhase::Ready);
    bench.platform.status(|status| status.agent == AgentState::Ready).await;
    keeper.kill().await;
    assert_eq!(bench.sealed("cron").await.as_deref(), Some("written without a turn"));
}

#[tokio::test]
async fn promise_06_sleep_seals_the_home_and_wipes_the_keys() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("note", "before sleep");
    assert_eq!(bench.platform.ask(PlatformOp::Pause).await, Outcome::Ok);
    assert_eq!(bench.platform.ask(PlatformOp::PrepareSleep).await, Outcome::Ok);
    assert_eq!(keeper.vault.state(), VaultState::Locked);
    assert_eq!(keeper.cell.current().phase, CellPhase::Asleep);
    keeper.kill().await;
    assert_eq!(bench.sealed("note").await.as_deref(), Some("before sleep"));
}

#[tokio::test]
async fn promise_06_a_cell_whose_home_cannot_be_stored_does_not_sleep_and_loses_nothing() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("note", "not stored yet");
    // The disk fills up for good: nothing that is tried again passes.
    bench.platform.store.full.store(true, Ordering::SeqCst);
    assert_eq!(code(bench.platform.ask(PlatformOp::Pause).await), "not_saved");
    assert_eq!(code(bench.platform.ask(PlatformOp::PrepareSleep).await), "not_saved");
    assert_eq!(keeper.vault.state(), VaultState::Unlocked);
    let turn = keeper.cell.turn_started();
    let error = keeper.cell.turn_finished(turn).await.unwrap_err();
    assert_eq!(error.code, "not_saved");
    assert!(error.message.contains("full"), "{}", error.message);
    let cell = keeper.cell.clone();
    // Whoever waits until it is saved hears of it, whatever seals it.
    let mut saved = Box::pin(cell.saved_at_last());
    assert!((&mut saved).now_or_never().is_none());
    bench.platform.store.full.store(false, Ordering::SeqCst);
    assert_eq!(bench.platform.ask(PlatformOp::Pause).await, Outcome::Ok);
    saved.await.unwrap();
    drop(cell);
    assert_eq!(bench.platform.ask(PlatformOp::PrepareSleep).await, Outcome::Ok);
    keeper.kill().await;
    assert_eq!(bench.sealed("note").await.as_deref(), Some("not stored yet"));
}

#[tokio::test]
async fn a_home_that_could_not_be_sealed_is_tried_again_by_itself() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.platform.store.full.store(true, Ordering::SeqCst);
    let turn = keeper.cell.turn_started();
    keeper.cell.turn_finished(turn).await.unwrap_err();
    bench.platform.store.full.store(false, Ordering::SeqCst);
    let cell = keeper.cell.clone();
    let saved = tokio::spawn(async move { cell.saved_at_last().await });
    tokio::task::yield_now().await;
    tokio::time::pause();
    tokio::time::advance(SAVE_AGAIN).await;
    tokio::time::resume();
    saved.await.unwrap().unwrap();
}

#[tokio::test]
async fn one_tries_again_for_all_whose_turns_could_not_be_sealed() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.platform.store.full.store(true, Ordering::SeqCst);
    let turn = keeper.cell.turn_started();
    keeper.cell.turn_finished(turn).await.unwrap_err();
    bench.agent.asked();
    let wait = || {
        let cell = keeper.cell.clone();
        tokio::spawn(async move { cell.saved_at_last().await })
    };
    // Half of the time after which one tries; then a moment for the cell, which runs by itself, to do what it does then.
    let later = async || {
        tokio::time::pause();
        tokio::time::advance(SAVE_AGAIN / 2).await;
        tokio::time::resume();
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    let tries = || {
        bench
            .agent
            .asked()
            .into_iter()
            .filter(|asked| *asked == "suspend")
            .count()
    };
    let first = wait();
    tokio::task::yield_now().await;
    later().await;
    let second = wait();
    tokio::task::yield_now().await;
    later().await;
    assert_eq!(tries(), 1, "the first tries");
    later().await;
    assert_eq!(tries(), 0, "and tries for the second, too");
    bench.platform.store.full.store(false, Ordering::SeqCst);
    later().await;
    for each in [first, second] {
        each.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn lock_now_seals_the_home_and_puts_the_cell_to_sleep() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("note", "before the lock");
    assert!(keeper.vault.lock(LockReason::Asked).await.unwrap());
    bench.platform.asleep().await;
    assert_eq!(keeper.cell.current().phase, CellPhase::Asleep);
    keeper.kill().await;
    assert_eq!(bench.sealed("note").await.as_deref(), Some("before the lock"));
}

#[tokio::test]
async fn nobody_unlocks_a_cell_whose_containers_are_about_to_go_and_who_has_unlocked_it_keeps_it() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    assert_eq!(bench.platform.ask(PlatformOp::PrepareSleep).await, Outcome::Ok);
    let refused = bench.try_unlock(&keeper).unwrap_err();
    assert!(matches!(refused, VaultError::Leaving), "{refused}");
    let mut who_waits = pin!(keeper.vault.staying());
    assert!(who_waits.as_mut().now_or_never().is_none());
    // The platform could not put it to sleep.
    keeper.vault.stay();
    who_waits.await;
    bench.unlock(&keeper).await;
    assert!(!keeper.vault.leave());
    keeper.cell.ready().await.unwrap();
}

#[tokio::test]
async fn the_cell_of_who_is_sent_away_breaks_off_its_turn_and_seals_what_is_there() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let turn = keeper.cell.turn_started();
    bench.agent.working.store(true, Ordering::SeqCst);
    bench.agent.write("note", "half of an answer");
    assert_eq!(bench.platform.ask(PlatformOp::SleepNow).await, Outcome::Ok);
    assert_eq!(keeper.vault.state(), VaultState::Locked);
    assert_eq!(keeper.cell.current().phase, CellPhase::Asleep);
    let refused = bench.try_unlock(&keeper).unwrap_err();
    assert!(matches!(refused, VaultError::Leaving), "{refused}");
    drop(turn);
    keeper.kill().await;
    assert_eq!(bench.sealed("note").await.as_deref(), Some("half of an answer"));
}

#[tokio::test]
async fn a_home_that_cannot_be_sealed_keeps_no_vault_open_of_who_is_sent_away() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("note", "of the last turn");
    let turn = keeper.cell.turn_started();
    keeper.cell.turn_finished(turn).await.unwrap();
    bench.agent.write("note", "not stored yet");
    bench.platform.store.full.store(true, Ordering::SeqCst);
    assert_eq!(bench.platform.ask(PlatformOp::SleepNow).await, Outcome::Ok);
    assert_eq!(keeper.vault.state(), VaultState::Locked);
    bench.platform.store.full.store(false, Ordering::SeqCst);
    keeper.kill().await;
    assert_eq!(bench.sealed("note").await.as_deref(), Some("of the last turn"));
}

#[tokio::test]
async fn promise_06_a_lock_without_a_seal_keeps_the_cell_awake_until_it_is_unlocked_and_sealed() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("note", "not stored yet");
    bench.platform.store.full.store(true, Ordering::SeqCst);
    assert!(!keeper.vault.lock(LockReason::Asked).await.unwrap(), "and it is said");
    assert_eq!(code(bench.platform.ask(PlatformOp::PrepareSleep).await), "not_saved");
    assert!(!bench.platform.ops().contains(&KeeperOp::Sleep));
    bench.platform.store.full.store(false, Ordering::SeqCst);
    bench.unlock(&keeper).await;
    keeper.cell.ready().await.unwrap();
    assert_eq!(bench.agent.read("note").as_deref(), Some("not stored yet"));
    assert_eq!(bench.platform.ask(PlatformOp::PrepareSleep).await, Outcome::Ok);
}

#[tokio::test]
async fn an_idle_lock_keeps_the_agent_and_unlocking_resumes_it() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("note", "before the lock");
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    bench.platform.status(|status| status.vault == VaultState::Locked).await;
    assert!(!bench.platform.ops().contains(&KeeperOp::Sleep));
    assert_eq!(bench.platform.ask(PlatformOp::Pause).await, Outcome::Ok);
    bench.agent.asked();
    bench.unlock(&keeper).await;
    keeper.cell.ready().await.unwrap();
    assert_eq!(bench.agent.asked(), ["resume"]);
    assert_eq!(bench.agent.read("note").as_deref(), Some("before the lock"));
}

#[tokio::test]
async fn promise_05_what_fails_in_passing_is_tried_again_until_the_turn_is_saved() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("turn", "one");
    bench.platform.store.steps.die_at(Death {
        step: 0,
        takes_effect: false,
    });
    let turn = keeper.cell.turn_started();
    let cell = keeper.cell.clone();
    let saved = tokio::spawn(async move { cell.turn_finished(turn).await });
    bench.platform.store.failed().await;
    bench.platform.store.steps.revive();
    saved.await.unwrap().unwrap();
    keeper.kill().await;
    assert_eq!(bench.sealed("turn").await.as_deref(), Some("one"));
}
