//! What keepers ask of the platform.

use std::time::Duration;

use protocol::control::{
    AgentState, ApprovalNotice, ApprovalState, Deeds, FREEZE_LIMIT_MS, FromKeeper, FromPlatform, GroupTie, KeeperOp,
    KeeperStatus, NO_TIE, NoticeKind, Outcome, PlatformOp, Side,
};
use protocol::relay::MailboxKey;
use protocol::{ApprovalId, CellId, GroupId, TenantId, UserId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::bench::*;
use crate::driver::fake::{CallKind, FakeDriver};
use crate::driver::{Part, PartState};
use crate::{CellApprovals, CellState, CellsError, Question, limits};

const FROZEN: (PartState, PartState) = (PartState::Running, PartState::Paused);
const RUNNING: (PartState, PartState) = (PartState::Running, PartState::Running);

async fn until_thawed(bench: &Bench) {
    let mut calls = bench.driver.watch();
    while bench.parts() != RUNNING {
        calls.recv().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_frozen_and_thawed_for_a_snapshot() {
    let (bench, mut keeper) = Bench::awake().await;
    assert_eq!(keeper.ask(KeeperOp::Freeze).await, Outcome::Ok);
    assert_eq!(bench.parts(), FROZEN);
    assert_eq!(bench.state(), CellState::Awake);
    assert_eq!(keeper.ask(KeeperOp::Thaw).await, Outcome::Ok);
    assert_eq!(bench.parts(), RUNNING);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_agent_thaws_by_itself() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.ask(KeeperOp::Freeze).await;
    let frozen = Instant::now();
    until_thawed(&bench).await;
    assert_eq!(frozen.elapsed().as_millis() as u64 / 1000, FREEZE_LIMIT_MS / 1000);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_agent_thaws_when_its_keeper_is_gone() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.ask(KeeperOp::Freeze).await;
    let frozen = Instant::now();
    keeper.detach().await;
    until_thawed(&bench).await;
    assert!(frozen.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_thaw_that_fails_is_tried_again() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.ask(KeeperOp::Freeze).await;
    bench.driver.fail_next(CallKind::Resume, None, 3);
    assert!(matches!(keeper.ask(KeeperOp::Thaw).await, Outcome::Error { .. }));
    until_thawed(&bench).await;
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_fails_says_so_and_freezes_nothing() {
    let (bench, mut keeper) = Bench::awake().await;
    bench.driver.fail_next(CallKind::Pause, None, 1);
    assert!(matches!(keeper.ask(KeeperOp::Freeze).await, Outcome::Error { .. }));
    bench.set(Part::Agent, PartState::Exited);
    let outcome = keeper.ask(KeeperOp::Freeze).await;
    assert!(
        matches!(outcome, Outcome::Error { ref code, .. } if code == "agent_gone"),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_died_is_replaced_when_its_keeper_asks_and_nothing_else_is() {
    let (bench, mut keeper) = Bench::awake().await;
    bench.set(Part::Agent, PartState::Exited);
    bench.driver.forget_calls();
    assert_eq!(keeper.ask(KeeperOp::RestartAgent).await, Outcome::Ok);
    assert_eq!(bench.parts(), RUNNING);
    assert_eq!(bench.count(CallKind::Create, Part::Agent), 1);
    assert_eq!(bench.count(CallKind::Remove, Part::Keeper), 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_be_replaced_is_reported_for_each_step() {
    for kind in [CallKind::Remove, CallKind::Create, CallKind::Start] {
        let (bench, mut keeper) = Bench::awake().await;
        bench.driver.fail_next(kind, Some(Part::Agent), 1);
        let outcome = keeper.ask(KeeperOp::RestartAgent).await;
        assert!(matches!(outcome, Outcome::Error { .. }), "{kind:?}");
        assert_eq!(keeper.ask(KeeperOp::RestartAgent).await, Outcome::Ok, "{kind:?}");
        assert_eq!(bench.parts(), RUNNING, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_has_sealed_everything_may_have_its_cell_put_to_sleep() {
    let (bench, mut keeper) = Bench::awake().await;
    assert_eq!(keeper.ask(KeeperOp::Sleep).await, Outcome::Ok);
    bench.until(CellState::Asleep).await;
    assert_eq!(bench.parts(), (PartState::Absent, PartState::Absent));
    assert!(bench.driver.has_vault(bench.cell));
}

#[tokio::test(start_paused = true)]
async fn a_keeper_may_ask_for_sleep_while_the_platform_asks_it_to_pause() {
    let (bench, mut keeper) = Bench::awake().await;
    keeper.asked(PlatformOp::Pause).await;
    assert_eq!(keeper.ask(KeeperOp::Sleep).await, Outcome::Ok);
    bench.until(CellState::Asleep).await;
    sleep(HOUR).await;
    assert_eq!(bench.state(), CellState::Asleep);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_while_the_cell_falls_asleep_reaches_the_next_keeper() {
    let (bench, mut keeper) = Bench::awake().await;
    let came = Instant::now();
    let (cells, shared) = (bench.cells.clone(), bench.shared());
    let reaching = tokio::spawn(async move {
        cells
            .reach(&shared, protocol::control::TenantPolicy::default())
            .await
            .map(drop)
    });
    keeper.asked_to_dial().await;
    // The vault was locked a moment ago, so the keeper asks for sleep instead of dialling.
    assert_eq!(keeper.ask(KeeperOp::Sleep).await, Outcome::Ok);
    bench.until_started().await;
    let mut next = bench.attach(idle()).await;
    next.asked_to_dial().await;
    assert!(
        came.elapsed() < limits::DIAL,
        "it did not wait for the keeper that is gone"
    );
    assert!(matches!(reaching.await.unwrap(), Err(CellsError::ChannelNotDialled)));
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_prepared_only_where_memory_is_free() {
    let (bench, mut keeper) = Bench::awake().await;
    bench.driver.set_free_memory(limits::PREPARE_FREE_MEMORY - 1);
    assert_eq!(code(&keeper.ask(KeeperOp::Prepare).await), "no_memory");
    bench.driver.set_free_memory(limits::PREPARE_FREE_MEMORY);
    assert_eq!(keeper.ask(KeeperOp::Prepare).await, Outcome::Ok);
}

#[tokio::test(start_paused = true)]
async fn so_many_agents_are_prepared_at_once_and_each_that_is_used_or_freed_or_gone_makes_room() {
    let (mut bench, first) = Bench::awake().await;
    let mut keepers = vec![first];
    while keepers.len() < limits::PREPARED_AGENTS + 1 {
        bench.cell = CellId::new();
        keepers.push(bench.wake().await);
    }
    let mut last = keepers.pop().unwrap();
    for keeper in &mut keepers {
        assert_eq!(keeper.ask(KeeperOp::Prepare).await, Outcome::Ok);
        assert_eq!(keeper.ask(KeeperOp::Prepare).await, Outcome::Ok);
    }
    assert_eq!(code(&last.ask(KeeperOp::Prepare).await), "too_many");
    keepers[0].ask(KeeperOp::Unprepare).await;
    assert_eq!(last.ask(KeeperOp::Prepare).await, Outcome::Ok);
    assert_eq!(code(&keepers[0].ask(KeeperOp::Prepare).await), "too_many");
    last.status(KeeperStatus {
        agent: AgentState::Starting,
        ..idle()
    })
    .await;
    assert_eq!(keepers[0].ask(KeeperOp::Prepare).await, Outcome::Ok);
    keepers.remove(1).detach().await;
    bench.settle().await;
    assert_eq!(last.ask(KeeperOp::Prepare).await, Outcome::Ok);
}

fn code(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Error { code, .. } => code,
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_owner_is_passed_on_at_each_connection_and_each_change_of_it() {
    let (hearer, mut heard) = mpsc::channel(8);
    let bench = Bench::with(FakeDriver::new(), |config| config.approvals = Some(hearer)).await;
    let waits = [ApprovalNotice {
        id: ApprovalId::new(),
        ends_at: 1,
        state: ApprovalState::Waiting,
        kind: NoticeKind::Agent,
    }];
    let said = |approvals: &[ApprovalNotice]| CellApprovals {
        cell: bench.cell,
        tenant: bench.tenant,
        approvals: approvals.to_vec(),
    };
    let status = |busy: bool, approvals: &[ApprovalNotice]| KeeperStatus {
        busy,
        approvals: approvals.to_vec(),
        ..idle()
    };
    let mut next = async || tokio::time::timeout(HOUR, heard.recv()).await.expect("it is passed on");
    let keeper = bench.wake().await;
    assert_eq!(next().await, Some(said(&[])));
    keeper.status(status(false, &waits)).await;
    assert_eq!(next().await, Some(said(&waits)));
    keeper.status(status(true, &waits)).await;
    keeper.status(status(true, &[])).await;
    assert_eq!(next().await, Some(said(&[])), "what has not changed is no news");
    keeper.detach().await;
    let _keeper = bench.attach(status(false, &waits)).await;
    assert_eq!(next().await, Some(said(&waits)));
}

#[tokio::test(start_paused = true)]
async fn a_question_about_a_group_goes_to_who_knows_it_with_the_cell_that_asks_and_its_answer_back() {
    let (asked, mut questions) = mpsc::channel(1);
    let bench = Bench::with(FakeDriver::new(), |config| config.questions = Some(asked)).await;
    let mut keeper = bench.wake().await;
    let tie = GroupTie {
        group: GroupId::new(),
        other: UserId::new(),
        own: Side::Gives,
        since: 1,
    };
    for outcome in [
        Outcome::Ok,
        Outcome::Error {
            code: NO_TIE.to_owned(),
            message: "gone".to_owned(),
        },
    ] {
        let answering = async {
            let question = questions.recv().await.unwrap();
            assert_eq!(
                (question.cell, question.tenant, question.question),
                (bench.cell, bench.tenant, Question::Tie(tie))
            );
            question.answer.say(outcome.clone());
        };
        let (said, ()) = tokio::join!(keeper.ask(KeeperOp::GroupTie(tie)), answering);
        assert_eq!(said, outcome);
    }
    // So does whether somebody is let in.
    let mailbox = MailboxKey([7; 32]);
    let answering = async {
        let question = questions.recv().await.unwrap();
        assert_eq!(
            (question.cell, question.tenant, question.question),
            (bench.cell, bench.tenant, Question::Stands(mailbox))
        );
        question.answer.say(Outcome::Ok);
    };
    let (said, ()) = tokio::join!(keeper.ask(KeeperOp::Stands { mailbox }), answering);
    assert_eq!(said, Outcome::Ok);
    // What it tells the audit log of goes the same way.
    let deeds = Deeds {
        asked: 2,
        ..Deeds::default()
    };
    let taking = async {
        let question = questions.recv().await.unwrap();
        assert_eq!((question.cell, question.question), (bench.cell, Question::Deeds(deeds)));
        question.answer.say(Outcome::Ok);
    };
    let (said, ()) = tokio::join!(keeper.ask(KeeperOp::Deeds(deeds)), taking);
    assert_eq!(said, Outcome::Ok);
    // Not as often as it likes.
    assert_eq!(code(&keeper.ask(KeeperOp::Deeds(deeds)).await), "too_often");
    tokio::time::advance(limits::DEEDS_APART).await;
    let taking = async { questions.recv().await.unwrap().answer.say(Outcome::Ok) };
    let (said, ()) = tokio::join!(keeper.ask(KeeperOp::Deeds(deeds)), taking);
    assert_eq!(said, Outcome::Ok);
    // Nobody is there who knows: it is not known, which is neither yes nor no.
    drop(questions);
    assert_eq!(code(&keeper.ask(KeeperOp::GroupTie(tie)).await), "unavailable");
}

#[tokio::test(start_paused = true)]
async fn one_keeper_that_asks_about_groups_without_end_leaves_room_for_the_others() {
    let (asked, mut questions) = mpsc::channel(limits::QUESTIONS_PER_CELL + 1);
    let bench = Bench::with(FakeDriver::new(), |config| config.questions = Some(asked)).await;
    let mut keeper = bench.wake().await;
    let tie = KeeperOp::GroupTie(GroupTie {
        group: GroupId::new(),
        other: UserId::new(),
        own: Side::Gives,
        since: 1,
    });
    let mut waiting = Vec::new();
    for id in 1000..1000 + limits::QUESTIONS_PER_CELL as u64 {
        keeper.say(FromKeeper::Request { id, op: tie }).await;
        waiting.push(questions.recv().await.unwrap());
    }
    assert_eq!(code(&keeper.ask(tie).await), "unavailable");
    // One that is given up, or answered, makes room.
    waiting.pop();
    let answering = async { questions.recv().await.unwrap().answer.say(Outcome::Ok) };
    let (said, ()) = tokio::join!(keeper.ask(tie), answering);
    assert_eq!(said, Outcome::Ok);
}

#[tokio::test(start_paused = true)]
async fn promise_07_keepers_of_an_organisation_hear_at_once_that_it_demands_a_second_person() {
    let (bench, mut keeper) = Bench::awake().await;
    assert_eq!(bench.cells.tenants_awake(), [bench.tenant]);
    // Another organisation's is not this one's.
    bench.cells.second_demanded(TenantId::new()).await;
    bench.settle().await;
    keeper.heard_nothing();

    bench.cells.second_demanded(bench.tenant).await;
    bench.settle().await;
    assert!(matches!(
        keeper.from_platform.try_recv(),
        Ok(FromPlatform::SecondDemanded)
    ));

    // One of an earlier version could not read it, and hears of it with the next channel.
    let mut older = bench.attach_as(idle(), false).await;
    bench.cells.second_demanded(bench.tenant).await;
    bench.settle().await;
    older.heard_nothing();

    let sleeping = bench.sleeping();
    older.obey(PlatformOp::PrepareSleep).await;
    sleeping.await.unwrap().unwrap();
    assert!(bench.cells.tenants_awake().is_empty());
}
