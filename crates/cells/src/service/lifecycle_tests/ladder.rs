//! Down and up the ladder.

use std::time::Duration;

use protocol::control::{AgentState, FromKeeper, FromPlatform, KeeperOp, Outcome, PlatformOp};
use protocol::relay::MailboxKey;
use tokio::time::sleep;

use super::bench::*;
use crate::CellState;
use crate::driver::fake::CallKind;
use crate::driver::{Part, PartState};

const PAUSED: (PartState, PartState) = (PartState::Running, PartState::Paused);
const RUNNING: (PartState, PartState) = (PartState::Running, PartState::Running);
const GONE: (PartState, PartState) = (PartState::Absent, PartState::Absent);

async fn paused() -> (Bench, Keeper) {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
    (bench, keeper)
}

#[tokio::test(start_paused = true)]
async fn a_cell_nobody_uses_is_paused_after_half_an_hour_and_sleeps_after_four() {
    let (bench, mut keeper) = Bench::awake().await;
    let begin = tokio::time::Instant::now();
    keeper.obey(PlatformOp::Pause).await;
    bench.until(CellState::Paused).await;
    assert_eq!(begin.elapsed().as_secs() / 60, 30);
    assert_eq!(bench.parts(), PAUSED);
    keeper.obey(PlatformOp::PrepareSleep).await;
    bench.until(CellState::Asleep).await;
    assert_eq!(begin.elapsed().as_secs() / 60, 240);
    assert_eq!(bench.parts(), GONE);
    assert!(bench.driver.has_vault(bench.cell));
    bench.wake().await;
}

#[tokio::test(start_paused = true)]
async fn promise_06_every_transport_keeps_a_cell_awake() {
    let (bench, mut keeper) = Bench::awake().await;
    let shared = bench.shared();
    for round in 0..12 {
        sleep(20 * MINUTE).await;
        match round % 4 {
            0 => shared.client_wrote(),
            1 => shared.activity.keeper_wrote(),
            2 => bench.cells.wake(bench.cell, bench.tenant).await.unwrap(),
            _ => {
                keeper.status(busy()).await;
                keeper.status(idle()).await;
            }
        }
    }
    keeper.heard_nothing();
    assert_eq!(bench.state(), CellState::Awake);
}

#[tokio::test(start_paused = true)]
async fn promise_06_a_busy_agent_is_never_paused() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.status(busy()).await;
    sleep(10 * HOUR).await;
    keeper.heard_nothing();
    keeper.status(idle()).await;
    // Only the keeper knows about a turn that begins now.
    let id = keeper.asked(PlatformOp::Pause).await;
    keeper.answer(id, refusal("busy")).await;
    bench.settle().await;
    assert_eq!(bench.state(), CellState::Awake);
    assert_eq!(bench.count(CallKind::Pause, Part::Agent), 0);
    let refused = tokio::time::Instant::now();
    keeper.obey(PlatformOp::Pause).await;
    assert_eq!(refused.elapsed().as_secs(), 59);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_writes_while_the_keeper_suspends_cancels_the_pause() {
    let (bench, mut keeper) = Bench::awake().await;
    let id = keeper.asked(PlatformOp::Pause).await;
    bench.settle().await;
    bench.shared().client_wrote();
    keeper.answer(id, Outcome::Ok).await;
    keeper.asked(PlatformOp::Resumed).await;
    bench.settle().await;
    assert_eq!(bench.state(), CellState::Awake);
    assert_eq!(bench.count(CallKind::Pause, Part::Agent), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_writes_while_the_agent_is_being_frozen_has_it_resumed() {
    let (bench, mut keeper) = Bench::awake().await;
    bench.driver.delay(CallKind::Pause, Duration::from_secs(2));
    keeper.obey(PlatformOp::Pause).await;
    sleep(Duration::from_secs(1)).await;
    bench.shared().client_wrote();
    keeper.asked(PlatformOp::Resumed).await;
    bench.settle().await;
    assert_eq!(bench.state(), CellState::Awake);
    assert_eq!(bench.parts(), RUNNING);
    assert_eq!(bench.count(CallKind::Resume, Part::Agent), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wake_while_the_keeper_suspends_is_answered_at_once() {
    let (bench, mut keeper) = Bench::awake().await;
    let id = keeper.asked(PlatformOp::Pause).await;
    bench.cells.wake(bench.cell, bench.tenant).await.unwrap();
    keeper.answer(id, Outcome::Ok).await;
    keeper.asked(PlatformOp::Resumed).await;
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn a_paused_cell_wakes_for_a_client_for_its_keeper_and_for_a_call() {
    for waker in ["client", "keeper", "call"] {
        let (bench, mut keeper) = paused().await;
        match waker {
            "client" => bench.shared().client_wrote(),
            "keeper" => keeper.status(busy()).await,
            _ => bench.cells.wake(bench.cell, bench.tenant).await.unwrap(),
        }
        keeper.asked(PlatformOp::Resumed).await;
        bench.settle().await;
        assert_eq!(bench.state(), CellState::Awake, "{waker}");
        assert_eq!(bench.parts(), RUNNING, "{waker}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_keeper_tells_its_clients_does_not_wake_a_paused_cell() {
    let (bench, mut keeper) = paused().await;
    bench.shared().activity.keeper_wrote();
    keeper.status(suspended()).await;
    sleep(HOUR).await;
    assert_eq!(bench.state(), CellState::Paused);
    keeper.heard_nothing();
}

#[tokio::test(start_paused = true)]
async fn promise_06_a_paused_cell_is_awake_again_when_its_agent_asked_to_be() {
    let (bench, mut keeper) = Bench::awake().await;
    let mut status = idle();
    status.wake_at = Some(crate::now_ms() + 45 * 60 * 1000);
    keeper.status(status).await;
    let told = tokio::time::Instant::now();
    keeper.obey(PlatformOp::Pause).await;
    keeper.asked(PlatformOp::Resumed).await;
    let waited = told.elapsed();
    assert!(waited >= 44 * MINUTE && waited <= 46 * MINUTE, "{waited:?}");
    bench.settle().await;
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_wants_no_paused_memory_gets_sleep_at_once() {
    let bench = Bench::with(Default::default(), |config| config.sleep_after = config.pause_after).await;
    let mut keeper = bench.wake().await;
    keeper.obey(PlatformOp::PrepareSleep).await;
    bench.until(CellState::Asleep).await;
    assert_eq!(bench.count(CallKind::Pause, Part::Agent), 0);
}

#[tokio::test(start_paused = true)]
async fn promise_06_a_cell_whose_home_cannot_be_sealed_is_not_removed() {
    let (bench, mut keeper) = Bench::awake().await;
    let sleeping = bench.sleeping();
    let id = keeper.asked(PlatformOp::PrepareSleep).await;
    keeper.answer(id, refusal("disk_full")).await;
    assert!(sleeping.await.unwrap().unwrap_err().to_string().contains("disk_full"));
    assert_eq!(bench.parts(), RUNNING);
    assert_eq!(bench.state(), CellState::Awake);
    // A keeper that says nothing at all has sealed nothing, as far as anyone knows.
    let sleeping = bench.sleeping();
    keeper.asked(PlatformOp::PrepareSleep).await;
    assert!(sleeping.await.unwrap().is_err());
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn a_paused_cell_that_cannot_sleep_stays_paused_and_is_asked_again() {
    let (bench, mut keeper) = paused().await;
    let id = keeper.asked(PlatformOp::PrepareSleep).await;
    keeper.answer(id, refusal("disk_full")).await;
    bench.settle().await;
    assert_eq!(bench.state(), CellState::Paused);
    assert_eq!(bench.parts(), PAUSED);
    keeper.obey(PlatformOp::PrepareSleep).await;
    bench.until(CellState::Asleep).await;
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_does_not_answer_the_pause_is_told_to_go_on() {
    let (bench, mut keeper) = Bench::awake().await;
    let late = keeper.asked(PlatformOp::Pause).await;
    keeper.asked(PlatformOp::Resumed).await;
    keeper.answer(late, Outcome::Ok).await;
    bench.settle().await;
    assert_eq!(bench.state(), CellState::Awake);
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn the_keeper_may_freeze_and_thaw_while_it_suspends() {
    let (bench, mut keeper) = Bench::awake().await;
    let id = keeper.asked(PlatformOp::Pause).await;
    assert_eq!(keeper.ask(KeeperOp::Freeze).await, Outcome::Ok);
    assert_eq!(bench.parts(), PAUSED);
    assert_eq!(keeper.ask(KeeperOp::Thaw).await, Outcome::Ok);
    assert_eq!(bench.parts(), RUNNING);
    keeper.answer(id, Outcome::Ok).await;
    bench.until(CellState::Paused).await;
    // Sealing once more while paused must not set the agent going.
    assert_eq!(keeper.ask(KeeperOp::Freeze).await, Outcome::Ok);
    assert_eq!(keeper.ask(KeeperOp::Thaw).await, Outcome::Ok);
    sleep(MINUTE).await;
    assert_eq!(bench.parts(), PAUSED);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_that_is_asked_for_while_the_cell_starts_or_suspends_follows() {
    let bench = Bench::new().await;
    let waking = bench.waking();
    bench.until_started().await;
    let sleeping = bench.sleeping();
    bench.settle().await;
    let mut keeper = bench.attach(idle()).await;
    waking.await.unwrap().unwrap();
    keeper.obey(PlatformOp::PrepareSleep).await;
    sleeping.await.unwrap().unwrap();

    let mut keeper = bench.wake().await;
    let id = keeper.asked(PlatformOp::Pause).await;
    let sleeping = bench.sleeping();
    bench.settle().await;
    keeper.answer(id, Outcome::Ok).await;
    keeper.obey(PlatformOp::PrepareSleep).await;
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
}

#[tokio::test(start_paused = true)]
async fn going_down_puts_every_cell_to_sleep_and_then_removes_what_they_share() {
    let (bench, mut keeper) = paused().await;
    assert!(bench.driver.is_prepared());
    let cells = bench.cells.clone();
    let down = tokio::spawn(async move { cells.down().await });
    keeper.obey(PlatformOp::PrepareSleep).await;
    down.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
    assert!(!bench.driver.is_prepared());
}

#[tokio::test(start_paused = true)]
async fn going_down_waits_for_a_turn_to_end() {
    let (bench, mut keeper) = Bench::awake().await;
    let cells = bench.cells.clone();
    let down = tokio::spawn(async move { cells.down().await });
    for _ in 0..3 {
        let id = keeper.asked(PlatformOp::PrepareSleep).await;
        keeper.answer(id, refusal("busy")).await;
    }
    keeper.obey(PlatformOp::PrepareSleep).await;
    down.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_calls_sealing_busy_can_still_be_paused() {
    let (bench, mut keeper) = Bench::awake().await;
    let id = keeper.asked(PlatformOp::Pause).await;
    keeper.status(busy()).await;
    let mut status = suspended();
    status.agent = AgentState::Suspended;
    keeper.status(status).await;
    bench.settle().await;
    keeper.answer(id, Outcome::Ok).await;
    bench.settle().await;
    assert_eq!(bench.state(), CellState::Paused);
}

#[tokio::test(start_paused = true)]
async fn an_operator_pauses_a_cell_at_once_and_is_told_when_it_is_in_use() {
    let (bench, mut keeper) = Bench::awake().await;
    // Whoever woke it has been still for a moment.
    tokio::time::advance(MINUTE).await;
    let pausing = |bench: &Bench| {
        let (cells, cell) = (bench.cells.clone(), bench.cell);
        tokio::spawn(async move { cells.pause(cell).await })
    };
    let refused = pausing(&bench);
    let id = keeper.asked(PlatformOp::Pause).await;
    keeper.answer(id, refusal("busy")).await;
    let error = refused.await.unwrap().unwrap_err();
    assert_eq!(error.code(), "keeper_refused");
    let paused = pausing(&bench);
    keeper.obey(PlatformOp::Pause).await;
    paused.await.unwrap().unwrap();
    assert_eq!(bench.parts(), PAUSED);
    // Paused already.
    pausing(&bench).await.unwrap().unwrap();
    let states: Vec<_> = bench
        .cells
        .events(bench.cell)
        .into_iter()
        .map(|event| event.state)
        .collect();
    assert_eq!(states, [CellState::Starting, CellState::Awake, CellState::Paused]);
    let sleeping = bench.sleeping();
    keeper.obey(PlatformOp::PrepareSleep).await;
    sleeping.await.unwrap().unwrap();
    let error = pausing(&bench).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "not_awake");
}

#[tokio::test(start_paused = true)]
async fn a_cell_whose_owner_is_sent_away_sleeps_though_a_turn_runs() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.status(busy()).await;
    let sleeping = bench.sent_to_sleep();
    keeper.obey(PlatformOp::SleepNow).await;
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
    assert!(bench.driver.has_vault(bench.cell));
    // It is as any other once its owner is back, also when it was sent to sleep while it slept.
    for _ in 0..2 {
        let mut keeper = bench.wake().await;
        let sleeping = bench.sleeping();
        let id = keeper.asked(PlatformOp::PrepareSleep).await;
        keeper.answer(id, refusal("busy")).await;
        assert!(sleeping.await.unwrap().is_err());
        assert_eq!(bench.parts(), RUNNING);
        let sleeping = bench.sleeping();
        keeper.obey(PlatformOp::PrepareSleep).await;
        sleeping.await.unwrap().unwrap();
        bench.sent_to_sleep().await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_is_sent_to_sleep_while_it_falls_asleep_or_is_paused_is_asked_anew() {
    for asleep in [true, false] {
        let (bench, mut keeper) = Bench::awake().await;
        let idle = asleep.then(|| bench.sleeping());
        let step = if asleep {
            PlatformOp::PrepareSleep
        } else {
            PlatformOp::Pause
        };
        let old = keeper.asked(step).await;
        let sleeping = bench.sent_to_sleep();
        let id = keeper.asked(PlatformOp::SleepNow).await;
        // Said again, as every minute, it is asked no other time.
        let again = bench.sent_to_sleep();
        bench.settle().await;
        keeper.heard_nothing();
        keeper.answer(old, refusal("busy")).await;
        bench.settle().await;
        assert_eq!(bench.parts(), RUNNING);
        keeper.answer(id, Outcome::Ok).await;
        for each in [sleeping, again].into_iter().chain(idle) {
            each.await.unwrap().unwrap();
        }
        assert_eq!(bench.parts(), GONE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_keeper_cannot_keep_the_cell_of_who_is_sent_away_awake() {
    // It refuses, or says nothing at all.
    for answer in [Some(refusal("vault")), None] {
        let (bench, mut keeper) = Bench::awake().await;
        let sleeping = bench.sent_to_sleep();
        let id = keeper.asked(PlatformOp::SleepNow).await;
        let asked = tokio::time::Instant::now();
        if let Some(answer) = &answer {
            keeper.answer(id, answer.clone()).await;
        }
        sleeping.await.unwrap().unwrap();
        assert_eq!(asked.elapsed() < MINUTE, answer.is_some());
        assert_eq!(bench.parts(), GONE);
    }
    // One of an earlier version is asked what it knows.
    let bench = Bench::new().await;
    let waking = bench.waking();
    bench.until_started().await;
    let mut keeper = bench.attach_as(idle(), false).await;
    waking.await.unwrap().unwrap();
    let sleeping = bench.sent_to_sleep();
    let id = keeper.asked(PlatformOp::PrepareSleep).await;
    keeper.answer(id, refusal("busy")).await;
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_starts_or_whose_keeper_is_away_sleeps_too_when_its_owner_is_sent_away() {
    let bench = Bench::new().await;
    let waking = bench.waking();
    bench.until_started().await;
    let sleeping = bench.sent_to_sleep();
    bench.settle().await;
    assert_eq!(waking.await.unwrap().unwrap_err().code(), "sent_to_sleep");
    let mut keeper = bench.attach(idle()).await;
    keeper.obey(PlatformOp::SleepNow).await;
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);

    let keeper = bench.wake().await;
    keeper.detach().await;
    let sleeping = bench.sent_to_sleep();
    bench.settle().await;
    let mut keeper = bench.attach(busy()).await;
    keeper.obey(PlatformOp::SleepNow).await;
    sleeping.await.unwrap().unwrap();
    assert_eq!(bench.parts(), GONE);
}

#[tokio::test(start_paused = true)]
async fn promise_09_who_is_sent_away_has_no_way_to_the_relay_at_once_and_until_their_cell_starts_for_them_again() {
    let (bench, mut keeper) = Bench::awake().await;
    let shared = bench.shared();
    let carried = shared.relay_way.carry().unwrap();
    assert_eq!(
        bench.cells.opened(carried.carrier, &MailboxKey([1; 32])),
        Some((bench.cell, bench.tenant))
    );
    // Also while the cell's task waits for the driver.
    bench.driver.delay(CallKind::Pause, MINUTE / 2);
    let freezing = FromKeeper::Request {
        id: 1,
        op: KeeperOp::Freeze,
    };
    keeper.say(freezing).await;
    bench.settle().await;
    let sleeping = bench.sent_to_sleep();
    bench.settle().await;
    assert!(carried.closed.is_cancelled());
    assert!(shared.relay_way.carry().is_err());
    assert!(matches!(
        keeper.from_platform.recv().await,
        Some(FromPlatform::Reply { .. })
    ));
    keeper.obey(PlatformOp::SleepNow).await;
    sleeping.await.unwrap().unwrap();
    assert!(shared.relay_way.carry().is_err());

    // Let back in, they have it, and as long as nobody else sends the cell to sleep.
    let mut keeper = bench.wake().await;
    let carried = shared.relay_way.carry().unwrap();
    let sleeping = bench.sleeping();
    keeper.obey(PlatformOp::PrepareSleep).await;
    sleeping.await.unwrap().unwrap();
    assert!(!carried.closed.is_cancelled());

    // A start that was asked for before does not open it.
    let (waking, _sleeping) = (bench.waking(), bench.sent_to_sleep());
    assert_eq!(waking.await.unwrap().unwrap_err().code(), "sent_to_sleep");
    assert!(shared.relay_way.carry().is_err());
}
