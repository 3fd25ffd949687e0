//! A restarted platform finds its cells again.

use protocol::control::{KeeperOp, Outcome, PlatformOp};
use tokio::time::Instant;

use super::bench::*;
use crate::driver::fake::CallKind;
use crate::driver::{Part, PartState};
use crate::{CellState, limits};

const PAUSED: (PartState, PartState) = (PartState::Running, PartState::Paused);
const RUNNING: (PartState, PartState) = (PartState::Running, PartState::Running);
const GONE: (PartState, PartState) = (PartState::Absent, PartState::Absent);

#[tokio::test(start_paused = true)]
async fn promise_06_a_running_cell_goes_on_after_a_restart_of_the_platform() {
    let (mut bench, _keeper) = Bench::awake().await;
    bench.driver.forget_calls();
    bench.restart().await;
    assert_eq!(bench.state(), CellState::Starting);
    let waking = bench.waking();
    let mut keeper = bench.attach(idle()).await;
    waking.await.unwrap().unwrap();
    assert_eq!(bench.parts(), RUNNING);
    for part in Part::BOTH {
        assert_eq!(bench.count(CallKind::Create, part), 0);
        assert_eq!(bench.count(CallKind::Remove, part), 0);
    }
    keeper.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_cell_stays_paused_over_a_restart() {
    let (mut bench, mut keeper) = Bench::awake().await;
    keeper.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
    bench.restart().await;
    let mut keeper = bench.attach(suspended()).await;
    bench.until(CellState::Paused).await;
    assert_eq!(bench.parts(), PAUSED);
    bench.cells.wake(bench.cell, bench.tenant).await.unwrap();
    keeper.asked(PlatformOp::Resumed).await;
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_was_frozen_for_a_snapshot_thaws_after_a_restart() {
    let (mut bench, mut keeper) = Bench::awake().await;
    assert_eq!(keeper.ask(KeeperOp::Freeze).await, Outcome::Ok);
    assert_eq!(bench.parts(), PAUSED);
    bench.restart().await;
    let mut status = suspended();
    status.busy = true;
    let mut keeper = bench.attach(status).await;
    keeper.asked(PlatformOp::Resumed).await;
    bench.until(CellState::Awake).await;
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_does_not_come_back_after_a_restart_is_given_up() {
    let (mut bench, _keeper) = Bench::awake().await;
    bench.restart().await;
    let restarted = Instant::now();
    bench.until(CellState::Asleep).await;
    assert!(restarted.elapsed() >= limits::REATTACH);
    assert_eq!(bench.parts(), GONE);
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn promise_05_a_keeper_that_was_killed_with_the_platform_is_not_waited_for() {
    let (mut bench, _keeper) = Bench::awake().await;
    // The engine learns of its death after the platform has asked.
    bench.restart().await;
    let restarted = Instant::now();
    bench.set(Part::Keeper, PartState::Exited);
    bench.until(CellState::Asleep).await;
    assert!(restarted.elapsed() < limits::LOOK_LONGEST, "{:?}", restarted.elapsed());
    assert_eq!(bench.parts(), GONE);
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_dead_cells_is_removed_at_the_start() {
    for (keeper, agent) in [
        (PartState::Exited, PartState::Running),
        (PartState::Created, PartState::Absent),
        (PartState::Absent, PartState::Paused),
        (PartState::Exited, PartState::Exited),
    ] {
        let mut bench = Bench::new().await;
        bench.set(Part::Keeper, keeper);
        bench.set(Part::Agent, agent);
        bench.restart().await;
        assert_eq!(bench.parts(), GONE, "{keeper:?} {agent:?}");
        assert_eq!(bench.state(), CellState::Asleep);
    }
}

#[tokio::test(start_paused = true)]
async fn adopted_cells_count_against_the_capacity() {
    let (bench, _keeper) = Bench::awake().await;
    bench.cells.shutdown().await;
    let mut next = Bench::with(bench.driver.clone(), |config| config.capacity = 1).await;
    next.cell = protocol::CellId::new();
    let result = next.cells.wake(next.cell, next.tenant).await;
    assert!(matches!(result, Err(crate::CellsError::Full { .. })), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_platform_whose_driver_cannot_be_asked_does_not_start() {
    for kind in [CallKind::Prepare, CallKind::List] {
        let (mut bench, _keeper) = Bench::awake().await;
        bench.cells.shutdown().await;
        bench.driver.fail_next(kind, None, 1);
        let failed = super::bench::start(&bench.driver, |_| {}).await;
        assert!(failed.is_err(), "{kind:?}");
        bench.restart().await;
        let _keeper = bench.attach(idle()).await;
        bench.until(CellState::Awake).await;
    }
}
