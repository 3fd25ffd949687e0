//! From asleep to awake.

use std::time::Duration;

use protocol::TenantId;
use protocol::control::PlatformOp;

use super::bench::*;
use crate::driver::fake::CallKind;
use crate::driver::{Part, PartState};
use crate::{CellState, CellsError};

#[tokio::test(start_paused = true)]
async fn a_wake_starts_both_containers_and_ends_with_the_keepers_hello() {
    let bench = Bench::new().await;
    assert_eq!(bench.state(), CellState::Asleep);
    let waking = bench.waking();
    bench.until_started().await;
    bench.settle().await;
    assert!(!waking.is_finished());
    assert_eq!(bench.state(), CellState::Starting);
    let mut status = idle();
    status.claim = Some("claim".into());
    bench.attach(status).await;
    waking.await.unwrap().unwrap();
    assert_eq!(bench.state(), CellState::Awake);
    assert_eq!(bench.cells.claim(bench.cell).as_deref(), Some("claim"));
}

#[tokio::test(start_paused = true)]
async fn wakes_at_the_same_time_join_one_start() {
    let bench = Bench::new().await;
    bench.driver.delay(CallKind::Start, Duration::from_millis(400));
    let wakings: Vec<_> = (0..20).map(|_| bench.waking()).collect();
    bench.until_started().await;
    let later = bench.waking();
    let _keeper = bench.attach(idle()).await;
    for waking in wakings {
        waking.await.unwrap().unwrap();
    }
    later.await.unwrap().unwrap();
    for part in Part::BOTH {
        assert_eq!(bench.count(CallKind::Create, part), 1);
        assert_eq!(bench.count(CallKind::Start, part), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_never_says_hello_fails_the_wake_and_leaves_nothing() {
    let bench = Bench::new().await;
    let result = bench.cells.wake(bench.cell, bench.tenant).await;
    assert!(matches!(result, Err(CellsError::NotAttached { .. })), "{result:?}");
    assert_eq!(bench.state(), CellState::Failed);
    assert_eq!(bench.parts(), (PartState::Absent, PartState::Absent));
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_ends_while_starting_fails_the_wake_at_once() {
    let bench = Bench::new().await;
    let before = tokio::time::Instant::now();
    let waking = bench.waking();
    bench.until_started().await;
    bench.set(Part::Keeper, PartState::Exited);
    let result = waking.await.unwrap();
    assert!(matches!(result, Err(CellsError::KeeperEnded { .. })), "{result:?}");
    assert!(before.elapsed() < Duration::from_secs(3));
    assert_eq!(bench.parts(), (PartState::Absent, PartState::Absent));
}

#[tokio::test(start_paused = true)]
async fn cells_beyond_the_capacity_are_refused_until_one_sleeps() {
    let mut bench = Bench::with(Default::default(), |config| config.capacity = 1).await;
    let mut keeper = bench.wake().await;
    let first = bench.cell;
    bench.cell = protocol::CellId::new();
    let result = bench.cells.wake(bench.cell, bench.tenant).await;
    let Err(error @ CellsError::Full { capacity: 1 }) = result else {
        panic!("{result:?}")
    };
    assert!(error.retry_after().is_some());
    assert_eq!(bench.state(), CellState::Asleep);
    let cells = bench.cells.clone();
    let sleeping = tokio::spawn(async move { cells.sleep(first).await });
    keeper.obey(PlatformOp::PrepareSleep).await;
    sleeping.await.unwrap().unwrap();
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_cell_makes_room_for_one_that_is_wanted() {
    let mut bench = Bench::with(Default::default(), |config| config.capacity = 2).await;
    let (mut first, idlest) = (bench.wake().await, bench.cell);
    first.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
    bench.cell = protocol::CellId::new();
    let _second = bench.wake().await;
    bench.cell = protocol::CellId::new();
    let waking = bench.waking();
    first.obey(PlatformOp::PrepareSleep).await;
    bench.until_started().await;
    let _third = bench.attach(idle()).await;
    waking.await.unwrap().unwrap();
    assert_eq!(bench.cells.state(idlest), CellState::Asleep);
    // Nobody is paused now.
    bench.cell = protocol::CellId::new();
    assert!(matches!(
        bench.cells.wake(bench.cell, bench.tenant).await,
        Err(CellsError::Full { capacity: 2 })
    ));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_leaves_places_to_what_somebody_waits_for() {
    let mut bench = Bench::with(Default::default(), |config| config.capacity = 4).await;
    let mut keepers = Vec::new();
    for free in [4, 3, 2] {
        bench.cell = protocol::CellId::new();
        assert!(bench.cells.has_spare_room(bench.cell), "{free} places are free");
        keepers.push(bench.wake().await);
    }
    let other = protocol::CellId::new();
    assert!(!bench.cells.has_spare_room(other), "the last place is not for it");
    assert!(bench.cells.has_spare_room(bench.cell), "it runs already");

    // Whoever woke it has been still for a moment.
    tokio::time::advance(Duration::from_secs(60)).await;
    let (cells, last) = (bench.cells.clone(), bench.cell);
    let pausing = tokio::spawn(async move { cells.pause(last).await });
    keepers[2].obey(PlatformOp::Pause).await;
    pausing.await.unwrap().unwrap();
    assert!(bench.cells.has_spare_room(other), "one that is paused makes room");
}

#[tokio::test(start_paused = true)]
async fn a_cell_answers_its_own_tenant_alone() {
    let (bench, _keeper) = Bench::awake().await;
    let other = TenantId::new();
    assert!(matches!(
        bench.cells.wake(bench.cell, other).await,
        Err(CellsError::WrongTenant)
    ));
    assert!(matches!(
        bench.cells.remove(bench.cell, other).await,
        Err(CellsError::WrongTenant)
    ));
    assert_eq!(bench.state(), CellState::Awake);
}

#[tokio::test(start_paused = true)]
async fn a_wake_while_the_cell_falls_asleep_starts_it_afresh() {
    let (bench, mut keeper) = Bench::awake().await;
    let sleeping = bench.sleeping();
    let id = keeper.asked(PlatformOp::PrepareSleep).await;
    let waking = bench.waking();
    bench.settle().await;
    bench.driver.forget_calls();
    keeper.answer(id, protocol::control::Outcome::Ok).await;
    sleeping.await.unwrap().unwrap();
    bench.until_started().await;
    bench.settle().await;
    assert_eq!(bench.count(CallKind::Remove, Part::Keeper), 1);
    assert_eq!(bench.count(CallKind::Create, Part::Keeper), 1);
    assert!(!waking.is_finished());
    let _keeper = bench.attach(idle()).await;
    waking.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_removed_cell_leaves_nothing_and_can_be_made_anew() {
    let (bench, _keeper) = Bench::awake().await;
    assert!(bench.driver.has_vault(bench.cell));
    bench.cells.remove(bench.cell, bench.tenant).await.unwrap();
    assert_eq!(bench.parts(), (PartState::Absent, PartState::Absent));
    assert!(!bench.driver.has_vault(bench.cell));
    assert!(bench.cells.list().is_empty());
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_leaves_cells_running_and_tells_whoever_waits() {
    let (bench, _keeper) = Bench::awake().await;
    let mut other = Bench {
        driver: bench.driver.clone(),
        blobs: std::sync::Arc::clone(&bench.blobs),
        cells: bench.cells.clone(),
        cell: protocol::CellId::new(),
        tenant: bench.tenant,
    };
    let waking = other.waking();
    other.until_started().await;
    bench.cells.shutdown().await;
    assert!(matches!(waking.await.unwrap(), Err(CellsError::ShuttingDown)));
    assert_eq!(bench.parts(), (PartState::Running, PartState::Running));
    other.cell = protocol::CellId::new();
    assert!(matches!(
        other.cells.wake(other.cell, other.tenant).await,
        Err(CellsError::ShuttingDown)
    ));
}
