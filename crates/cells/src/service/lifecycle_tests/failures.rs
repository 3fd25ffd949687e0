//! Each call to the driver fails or hangs; keepers die and come back.

use std::time::Duration;

use object_store::ObjectStoreExt as _;
use protocol::control::{Outcome, PlatformOp};
use tokio::time::{Instant, sleep};

use super::bench::*;
use crate::driver::fake::CallKind;
use crate::driver::{DriverError, Part, PartState};
use crate::{CellState, CellsError, limits};

const RUNNING: (PartState, PartState) = (PartState::Running, PartState::Running);
const GONE: (PartState, PartState) = (PartState::Absent, PartState::Absent);

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_at_any_call_leaves_nothing_and_the_next_one_works() {
    for kind in [CallKind::Create, CallKind::Start] {
        for part in Part::BOTH {
            let bench = Bench::new().await;
            bench.driver.fail_next(kind, Some(part), 1);
            let result = bench.cells.wake(bench.cell, bench.tenant).await;
            assert!(
                matches!(result, Err(CellsError::Driver(_))),
                "{kind:?} {part}: {result:?}"
            );
            assert_eq!(bench.state(), CellState::Failed);
            assert_eq!(bench.parts(), GONE, "{kind:?} {part}");
            bench.wake().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_hangs_fails_the_step_and_not_the_cell() {
    let bench = Bench::new().await;
    bench.driver.delay(CallKind::Create, HOUR);
    let result = bench.cells.wake(bench.cell, bench.tenant).await;
    assert!(
        matches!(result, Err(CellsError::Driver(DriverError::Timeout { .. }))),
        "{result:?}"
    );
    bench.driver.delay(CallKind::Create, Duration::ZERO);
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_start_could_not_remove_is_removed_later() {
    let bench = Bench::with(Default::default(), |config| config.capacity = 1).await;
    bench.driver.fail_next(CallKind::Start, Some(Part::Agent), 1);
    bench.driver.fail_next(CallKind::Remove, None, 2);
    assert!(bench.cells.wake(bench.cell, bench.tenant).await.is_err());
    assert_ne!(bench.parts(), GONE);
    bench.until(CellState::Asleep).await;
    assert_eq!(bench.parts(), GONE);
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_fails_leaves_the_agent_going() {
    let (bench, mut keeper) = Bench::awake().await;
    bench.driver.fail_next(CallKind::Pause, None, 1);
    keeper.obey(PlatformOp::Pause).await;
    keeper.obey(PlatformOp::Resumed).await;
    bench.settle().await;
    assert_eq!(bench.state(), CellState::Awake);
    keeper.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
}

#[tokio::test(start_paused = true)]
async fn a_resume_that_fails_fails_the_wake_and_the_next_one_works() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
    bench.driver.fail_next(CallKind::Resume, None, 1);
    assert!(bench.cells.wake(bench.cell, bench.tenant).await.is_err());
    assert_eq!(bench.state(), CellState::Paused);
    bench.cells.wake(bench.cell, bench.tenant).await.unwrap();
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn a_paused_agent_that_was_killed_does_not_keep_its_cell_from_waking() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
    bench.set(Part::Agent, PartState::Exited);
    bench.cells.wake(bench.cell, bench.tenant).await.unwrap();
    // The keeper sees that no bridge comes back, and has it replaced.
    keeper.obey(PlatformOp::Resumed).await;
    assert_eq!(keeper.ask(protocol::control::KeeperOp::RestartAgent).await, Outcome::Ok);
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn containers_that_cannot_be_removed_at_sleep_are_removed_later() {
    let (bench, mut keeper) = Bench::awake().await;
    bench.driver.fail_next(CallKind::Remove, Some(Part::Keeper), 1);
    let sleeping = bench.sleeping();
    keeper.obey(PlatformOp::PrepareSleep).await;
    assert!(sleeping.await.unwrap().is_err());
    assert_eq!(bench.state(), CellState::Failed);
    bench.until(CellState::Asleep).await;
    assert_eq!(bench.parts(), GONE);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_fails_can_be_repeated() {
    for kind in [CallKind::Remove, CallKind::Destroy] {
        let (bench, _keeper) = Bench::awake().await;
        bench.driver.fail_next(kind, None, 1);
        assert!(bench.cells.remove(bench.cell, bench.tenant).await.is_err(), "{kind:?}");
        bench.cells.remove(bench.cell, bench.tenant).await.unwrap();
        assert_eq!(bench.parts(), GONE);
        assert!(!bench.driver.has_vault(bench.cell));
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_goes_to_its_end_though_nobody_waits_for_it_and_another_beside_it_is_done_too() {
    let (bench, _keeper) = Bench::awake().await;
    let home = format!("tenants/{}/cells/{}/home", bench.tenant, bench.cell);
    let home = object_store::path::Path::from(home);
    bench.blobs.put(&home, "sealed".into()).await.unwrap();
    bench.driver.delay(CallKind::Destroy, MINUTE / 2);
    let remove = || bench.cells.remove(bench.cell, bench.tenant);
    assert!(
        tokio::time::timeout(MINUTE / 4, remove()).await.is_err(),
        "it is under way"
    );
    let (one, other) = tokio::join!(remove(), remove());
    assert!(one.is_ok() && other.is_ok(), "{:?} {:?}", one.err(), other.err());
    assert!(!bench.driver.has_vault(bench.cell));
    assert!(bench.blobs.get(&home).await.is_err());
    assert!(bench.cells.list().is_empty());
}

#[tokio::test(start_paused = true)]
async fn promise_05_a_keeper_that_was_killed_takes_its_cell_with_it_and_the_next_wake_starts_afresh() {
    let (bench, keeper) = Bench::awake().await;
    bench.set(Part::Keeper, PartState::Exited);
    keeper.detach().await;
    bench.until(CellState::Asleep).await;
    assert_eq!(bench.parts(), GONE);
    assert!(bench.driver.has_vault(bench.cell));
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn promise_05_a_keeper_whose_death_the_engine_learns_of_late_is_not_waited_for() {
    let (bench, keeper) = Bench::awake().await;
    // Its connection is gone, and the engine still says that it runs.
    keeper.detach().await;
    let away = Instant::now();
    let waking = bench.waking();
    bench.settle().await;
    assert_eq!(bench.parts(), RUNNING);
    bench.set(Part::Keeper, PartState::Exited);
    bench.driver.forget_calls();
    bench.until_started().await;
    assert!(away.elapsed() < limits::LOOK_LONGEST, "{:?}", away.elapsed());
    assert_eq!(bench.count(CallKind::Start, Part::Keeper), 1);
    let _keeper = bench.attach(idle()).await;
    waking.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_keeper_whose_connection_broke_is_waited_for() {
    let (bench, keeper) = Bench::awake().await;
    keeper.detach().await;
    let waking = bench.waking();
    bench.settle().await;
    assert!(!waking.is_finished());
    let _keeper = bench.attach(idle()).await;
    waking.await.unwrap().unwrap();
    assert_eq!(bench.count(CallKind::Create, Part::Keeper), 1);
    sleep(5 * MINUTE).await;
    assert_eq!(bench.state(), CellState::Awake);
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_does_not_come_back_is_replaced_for_whoever_waits() {
    let (bench, keeper) = Bench::awake().await;
    bench.driver.forget_calls();
    keeper.detach().await;
    let away = Instant::now();
    let waking = bench.waking();
    let mut calls = bench.driver.watch();
    while bench.count(CallKind::Start, Part::Agent) == 0 {
        calls.recv().await.unwrap();
    }
    assert!(away.elapsed() >= limits::REATTACH);
    bench.until_started().await;
    bench.settle().await;
    let _keeper = bench.attach(idle()).await;
    waking.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_cannot_be_inspected_is_waited_for() {
    let (bench, keeper) = Bench::awake().await;
    bench.driver.fail_next(CallKind::Inspect, None, 1);
    keeper.detach().await;
    bench.settle().await;
    assert_eq!(bench.parts(), RUNNING);
    let _keeper = bench.attach(idle()).await;
    bench.cells.wake(bench.cell, bench.tenant).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_older_connection_of_a_keeper_is_not_listened_to() {
    let (bench, old) = Bench::awake().await;
    let mut new = bench.attach(idle()).await;
    bench.settle().await;
    assert!(old.from_platform.is_closed());
    old.status(busy()).await;
    old.detach().await;
    bench.settle().await;
    assert_eq!(bench.cells.keeper_status(bench.cell), Some(idle()));
    new.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_reconnects_while_it_suspends_or_seals_is_asked_again() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.asked(PlatformOp::Pause).await;
    let mut keeper = bench.attach(idle()).await;
    keeper.asked(PlatformOp::Resumed).await;

    let sleeping = bench.sleeping();
    keeper.asked(PlatformOp::PrepareSleep).await;
    let mut keeper = bench.attach(idle()).await;
    keeper.obey(PlatformOp::PrepareSleep).await;
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_reads_nothing_is_cut_off() {
    let (bench, keeper) = Bench::awake().await;
    let shared = bench.shared();
    // Its queue fills with requests that nobody takes out.
    for _ in 0..100 {
        shared.to_keeper().map(|to| {
            to.try_send(protocol::control::FromPlatform::OpenChannel {
                channel: protocol::ChannelId::new(),
                policy: protocol::control::TenantPolicy::default(),
            })
        });
    }
    let sleeping = bench.sleeping();
    bench.settle().await;
    bench.set(Part::Keeper, PartState::Exited);
    drop(keeper);
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
}
