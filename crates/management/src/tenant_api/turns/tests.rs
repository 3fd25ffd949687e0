//! Turns without an agent: who follows one, what is kept, and what ends it.

use protocol::chat::{ToolPhase, ToolState};

use super::*;

/// What is asked of an agent in a session.
fn asked<'a>(agent: &'a str, session: &'a str) -> Asked<'a> {
    Asked {
        agent,
        session,
        told: [1; 32],
        detached: false,
        offers: false,
        gone_on_with: false,
    }
}

fn turn(detached: bool) -> Arc<Turn> {
    let asked = Asked {
        detached,
        offers: true,
        ..asked("main", "s")
    };
    Arc::new(Turn::new(Uuid::nil(), &asked, 0))
}

fn delta(text: &str) -> TurnEvent {
    TurnEvent::Delta { text: text.to_owned() }
}

async fn is_cancelled(turn: &Turn) -> bool {
    futures::FutureExt::now_or_never(turn.cancel.notified()).is_some()
}

#[tokio::test]
async fn a_reader_gets_every_event_in_order_and_one_who_comes_back_goes_on() {
    let turn = turn(false);
    let mut reader = turn.follow(0);
    turn.push(delta("a"));
    turn.push(delta("b"));
    assert_eq!(reader.next().await.unwrap().0, 0);
    let mut back = turn.follow(1);
    assert_eq!(back.next().await.unwrap().0, 1);
    turn.push(TurnEvent::Error(Failure::cancelled()));
    assert_eq!(back.next().await.unwrap().1.name(), "error");
    assert!(back.next().await.is_none());
}

#[tokio::test]
async fn the_last_reader_who_goes_stops_the_turn_unless_it_is_detached_or_over() {
    let turn_ = turn(false);
    let (one, two) = (turn_.follow(0), turn_.follow(0));
    drop(one);
    assert!(!is_cancelled(&turn_).await);
    drop(two);
    assert!(is_cancelled(&turn_).await);

    let detached = turn(true);
    drop(detached.follow(0));
    assert!(!is_cancelled(&detached).await);

    let over = turn(false);
    let reader = over.follow(0);
    over.push(TurnEvent::Error(Failure::interrupted()));
    drop(reader);
    assert!(!is_cancelled(&over).await);
}

#[tokio::test]
async fn a_turn_that_one_request_detaches_stays_so_for_all_that_ask_for_it() {
    let turns = Turns::default();
    let tenant = TenantId::from(Uuid::nil());
    let ask = |id: u128, detached: bool| {
        let asked = Asked {
            detached,
            ..asked("main", "s")
        };
        match turns.begin(tenant, Uuid::from_u128(id), &asked).unwrap() {
            Begun::New(turn) | Begun::Known(turn) => turn.follow(0),
        }
    };
    for (id, wishes) in [(0, [false, true]), (1, [true, false])] {
        let [first, second] = wishes.map(|wish| ask(id, wish));
        let turn = Arc::clone(&first.turn);
        drop(first);
        drop(second);
        assert!(!is_cancelled(&turn).await, "{wishes:?}");
    }
    let [first, second] = [false, false].map(|wish| ask(2, wish));
    let turn = Arc::clone(&first.turn);
    drop((first, second));
    assert!(is_cancelled(&turn).await);
}

#[tokio::test]
async fn what_a_reader_keeps_of_a_turn_has_an_end() {
    let turn = turn(false);
    let (mut gathers, mut passes_on) = (turn.follow(0), turn.follow(0));
    let part = "x".repeat(64 * 1024);
    for _ in 0..limits::TURN_BYTES / part.len() {
        turn.push(delta(&part));
        assert_eq!(gathers.hear().await.unwrap().1.name(), "delta");
        passes_on.next().await.unwrap();
    }
    turn.push(delta(&part));
    assert_eq!(passes_on.next().await.unwrap().1.name(), "delta");
    match &*gathers.hear().await.unwrap().1 {
        TurnEvent::Error(failure) => assert_eq!(failure.code, "events_lost"),
        other => panic!("{other:?}"),
    }
    turn.push(delta("x"));
    assert!(gathers.hear().await.is_none());
}

#[tokio::test]
async fn whoever_wants_the_answer_alone_has_it_however_much_happened_before_it() {
    let asked = asked("main", "s");
    let turn = Arc::new(Turn::new(Uuid::nil(), &asked, 0));
    let first = turn.follow(0);
    for _ in 0..limits::TURN_EVENTS + 5 {
        turn.push(delta("x"));
    }
    let joins = turn.follow(0);
    turn.push(TurnEvent::Final(Final {
        session_id: "s".to_owned(),
        turn_id: turn.id,
        model: "m".to_owned(),
        message: Answer {
            id: "a".to_owned(),
            role: "assistant",
            at: 1,
            text: "at last".to_owned(),
            tools: Vec::new(),
        },
        usage: None,
    }));
    assert_eq!(first.answer().await.unwrap().message.text, "at last");
    assert_eq!(joins.answer_or_calls().await.unwrap().text, "at last");
    assert_eq!(turn.follow(0).answer().await.unwrap().message.text, "at last");
}

/// What the agent does with a tool of its own.
fn uses(id: &str, phase: ToolPhase, text: &str) -> TurnEvent {
    let is_start = phase == ToolPhase::Start;
    TurnEvent::Tool(ToolCall {
        id: id.to_owned(),
        name: "exec".to_owned(),
        phase,
        input: is_start.then(|| text.to_owned()),
        output: (!is_start).then(|| text.to_owned()),
        is_error: false,
    })
}

#[tokio::test]
async fn what_a_tool_says_anew_replaces_what_it_said_and_a_turn_is_answered_however_much_its_tools_say() {
    let turn = turn(false);
    let mut reader = turn.follow(0);
    let part = "x".repeat(limits::TURN_BYTES / 4);
    let mut hears = async |event| {
        turn.push(event);
        let (_, event) = reader.hear().await.unwrap();
        reader
            .said(&TurnEvent::Calls(Calls {
                calls: vec![call("a")],
                usage: None,
            }))
            .filter(|_| event.name() != "error")
            .expect("it is heard")
    };
    hears(delta("so ")).await;
    hears(uses("t1", ToolPhase::Start, "one")).await;
    // Many times over what is kept of a turn.
    for phase in [ToolPhase::Update; 10].into_iter().chain([ToolPhase::Result]) {
        let said = hears(uses("t1", phase, &part)).await;
        assert_eq!(said.tools[0].output, part);
    }
    let texts = |said: Said| -> Vec<(usize, usize)> {
        let tools = said.tools.iter();
        tools.map(|tool| (tool.input.len(), tool.output.len())).collect()
    };
    for id in ["t2", "t3", "t4"] {
        hears(uses(id, ToolPhase::Start, id)).await;
        hears(uses(id, ToolPhase::Result, &part)).await;
    }
    let said = hears(delta("it is")).await;
    assert_eq!(said.text, "so it is");
    // There is no room for the fourth beside the first: that one's goes.
    let quarter = part.len();
    assert_eq!(texts(said), [(0, 0), (2, quarter), (2, quarter), (2, quarter)]);
    let said = hears(delta("!")).await;
    assert!(
        said.tools.iter().all(|tool| tool.state == ToolState::Ok),
        "all are named"
    );
}

fn call(id: &str) -> Call {
    Call {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
    }
}

fn result(id: &str, output: &str) -> CallResult {
    CallResult {
        id: id.to_owned(),
        output: output.to_owned(),
    }
}

#[tokio::test]
async fn whoever_leaves_with_calls_to_carry_out_or_with_their_results_given_does_not_stop_the_turn() {
    let turn = turn(false);
    let reader = turn.follow(0);
    turn.ask(vec![call("a")], Some(Usage::default()));
    turn.ask(vec![call("a")], Some(Usage::default()));
    assert!(reader.answer_or_calls().await.is_ok());
    assert!(!is_cancelled(&turn).await);
    let (reader, taken) = turn.answer(&[result("a", "x")]).unwrap();
    assert_eq!(taken, Taken::New);
    assert_eq!(turn.answer(&[result("a", "x")]).unwrap().1, Taken::UnderWay);
    turn.delivered("a", true);
    drop(reader);
    assert!(!is_cancelled(&turn).await);
    let (mut again, taken) = turn.answer(&[result("a", "x")]).unwrap();
    assert_eq!(taken, Taken::Given);
    turn.push(delta("and"));
    assert!(
        matches!(&*again.next().await.unwrap().1, TurnEvent::Delta { .. }),
        "calls are told once"
    );
}

#[tokio::test]
async fn results_of_one_round_are_taken_together_wherever_they_stand_and_in_so_many_bytes() {
    let turn = turn(false);
    turn.ask(vec![call("a")], Some(Usage::default()));
    turn.answer(&[result("a", "x")]).unwrap();
    turn.ask(vec![call("b"), call("c")], Some(Usage::default()));
    let of_a_round = |last: Vec<CallResult>, before: Vec<CallResult>| {
        let field = "input";
        turn.of_a_round(Results { last, before, field })
    };
    let both = of_a_round(vec![result("c", "z")], vec![result("a", "x"), result("b", "y")]).unwrap();
    assert_eq!(both, [result("b", "y"), result("c", "z")]);
    assert_eq!(turn.answer(&both).unwrap().1, Taken::New);
    // Each once, where the last ones have it already.
    let once = of_a_round(vec![result("b", "y"), result("c", "z")], vec![result("b", "w")]).unwrap();
    assert_eq!(once, both);
    let none = of_a_round(vec![result("d", "x")], vec![result("a", "x")]).unwrap();
    assert_eq!(none, [result("d", "x")]);
    let half = "x".repeat(FUNCTION_RESULTS_BYTES / 2);
    assert!(of_a_round(vec![result("c", &half)], vec![result("a", &half), result("b", &half)]).is_ok());
    let more = of_a_round(vec![result("c", &half)], vec![result("b", &format!("{half}x"))]);
    assert!(matches!(more, Err(ApiError::InvalidField { field: "input", .. })));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_given_results_and_is_read_by_nobody_is_left_after_a_while() {
    let turn = turn(false);
    let again = limits::FUNCTION_AGAIN;
    let is_left = async |within| tokio::time::timeout(within, turn.is_left()).await.is_ok();
    turn.ask(vec![call("a")], Some(Usage::default()));
    let (reader, _) = turn.answer(&[result("a", "x")]).unwrap();
    assert!(!is_left(again * 10).await, "somebody reads it");
    drop(reader);
    assert!(!is_left(again / 2).await);
    let (reader, _) = turn.answer(&[result("a", "x")]).unwrap();
    assert!(!is_left(again * 10).await, "it came again");
    drop(reader);
    assert!(is_left(again * 2).await);
    assert!(!is_left(again * 10).await, "that is told once");
}

#[tokio::test(start_paused = true)]
async fn a_turn_waits_for_each_of_its_calls_as_long_as_for_the_first() {
    let turn = turn(false);
    let wait = FUNCTION_WAIT;
    let is_given_up = async |within| tokio::time::timeout(within, turn.is_given_up()).await.is_ok();
    assert!(!is_given_up(wait * 10).await, "nothing was asked");
    turn.ask(vec![call("a")], Some(Usage::default()));
    assert!(!is_given_up(wait / 2).await);
    turn.answer(&[result("a", "x")]).unwrap();
    assert!(!is_given_up(wait * 10).await);
    turn.ask(vec![call("b")], Some(Usage::default()));
    assert!(!is_given_up(wait - std::time::Duration::from_secs(1)).await);
    assert!(is_given_up(std::time::Duration::from_secs(2)).await);
}

#[tokio::test]
async fn what_is_held_is_bounded_and_a_slow_reader_is_told() {
    let turn = turn(false);
    let mut reader = turn.follow(0);
    for _ in 0..limits::TURN_EVENTS + 5 {
        turn.push(delta("x"));
    }
    let (_, event) = reader.next().await.unwrap();
    assert!(matches!(&*event, TurnEvent::Error(failure) if failure.code == "events_lost"));
    assert!(reader.next().await.is_none(), "it was the last of the stream");
    drop(reader);
    assert!(!is_cancelled(&turn).await, "nobody has closed it");
    let big = "x".repeat(limits::TURN_BYTES);
    turn.push(delta(&big));
    assert_eq!(turn.log().events.len(), 1);
}

#[test]
fn a_tenant_has_a_bound_of_turns_and_a_key_names_one() {
    let (turns, tenant) = (Turns::default(), TenantId::new());
    for at in 0..limits::TENANT_TURNS {
        // Of whichever of its agents they are.
        let agent = if at % 2 == 0 { "main" } else { "press" };
        assert!(turns.begin(tenant, Uuid::new_v4(), &asked(agent, "s")).is_ok());
    }
    assert!(turns.begin(tenant, Uuid::new_v4(), &asked("scout", "s")).is_err());
    let other = TenantId::new();
    let id = Uuid::new_v4();
    let first = asked("main", "s");
    assert!(matches!(turns.begin(other, id, &first), Ok(Begun::New(_))));
    assert!(matches!(turns.begin(other, id, &first), Ok(Begun::Known(_))));
    let other_words = Asked {
        told: [2; 32],
        ..asked("main", "s")
    };
    for another in [asked("main", "t"), asked("press", "s"), other_words] {
        let again = turns.begin(other, id, &another);
        let Asked {
            agent, session, told, ..
        } = another;
        assert!(
            matches!(again, Err(ApiError::KeyReused)),
            "{agent}/{session}/{}",
            told[0]
        );
    }
}

#[test]
fn turns_that_may_wait_for_a_client_leave_some_to_those_that_wait_for_nobody() {
    let (turns, tenant) = (Turns::default(), TenantId::new());
    let begin = |offers| {
        let asked = Asked {
            offers,
            ..asked("main", "s")
        };
        turns.begin(tenant, Uuid::new_v4(), &asked)
    };
    for _ in 0..limits::TENANT_FUNCTION_TURNS {
        assert!(begin(true).is_ok());
    }
    let Err(ApiError::Agent(failure)) = begin(true) else {
        panic!("one more is taken")
    };
    assert_eq!(failure.code, "too_many_turns");
    assert!(failure.message.contains("TENANT_FUNCTION_TURNS"), "{}", failure.message);
    for _ in limits::TENANT_FUNCTION_TURNS..limits::TENANT_TURNS {
        assert!(begin(false).is_ok());
    }
    assert!(begin(false).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_stream_begins_with_the_agent_or_when_its_head_was_held_back_long_enough() {
    let turn_ = turn(false);
    let mut reader = turn_.follow(0);
    let held = Instant::now();
    reader.begins(Stage::Speaking).await.unwrap();
    assert_eq!(held.elapsed(), limits::STREAM_BEGINS);
    turn_.push(delta("a"));
    let held = Instant::now();
    reader.begins(Stage::Speaking).await.unwrap();
    assert_eq!(held.elapsed(), std::time::Duration::ZERO);

    // What fails before that fails as a request.
    let failed = turn(false);
    let mut reader = failed.follow(0);
    failed.push(TurnEvent::Error(Failure::interrupted()));
    assert!(reader.begins(Stage::Speaking).await.is_err());
}

#[test]
fn of_turns_that_have_ended_the_last_are_held_of_each_tenant_and_of_all() {
    let turns = Turns::default();
    let ends = |tenant| {
        let id = Uuid::new_v4();
        let Ok(Begun::New(turn)) = turns.begin(tenant, id, &asked("main", "s")) else {
            panic!("it is new")
        };
        turn.push(TurnEvent::Error(Failure::interrupted()));
        id
    };
    let (tenant, quiet) = (TenantId::new(), TenantId::new());
    let runs = Uuid::new_v4();
    assert!(turns.begin(tenant, runs, &asked("main", "s")).is_ok());
    let of_quiet = ends(quiet);
    let all: Vec<_> = (0..limits::TENANT_TURNS_KEPT * 2).map(|_| ends(tenant)).collect();
    // Room is made when another is begun: that one is held beside them.
    let (gone, kept) = all.split_at(all.len() - limits::TENANT_TURNS_KEPT - 1);
    let held = |id: &Uuid| turns.find(tenant, *id).is_some();
    assert!(held(&runs) && kept.iter().all(held));
    assert!(!gone.iter().any(held));
    assert!(turns.find(quiet, of_quiet).is_some(), "it is another tenant's");

    for _ in 0..=limits::TURNS_KEPT {
        ends(TenantId::new());
    }
    assert!(turns.find(quiet, of_quiet).is_none());
    assert!(held(&runs));
    assert_eq!(
        turns.all().len(),
        limits::TURNS_KEPT + 2,
        "those, the last, and one that runs"
    );
}

#[test]
fn turns_that_have_ended_are_held_in_so_many_bytes_of_each_tenant_and_of_all() {
    let turns = Turns::default();
    let begins = |tenant| {
        let id = Uuid::new_v4();
        let Ok(Begun::New(turn)) = turns.begin(tenant, id, &asked("main", "s")) else {
            panic!("it is new")
        };
        turn.push(TurnEvent::Error(Failure::interrupted()));
        // As much as a turn may hold.
        turn.log().bytes = limits::TURN_BYTES;
        id
    };
    let ends = |tenant| {
        let id = begins(tenant);
        turns.make_room(tenant);
        id
    };
    let (tenant, quiet) = (TenantId::new(), TenantId::new());
    let of_quiet = ends(quiet);
    let fit = limits::TENANT_TURNS_KEPT_BYTES / limits::TURN_BYTES;
    let all: Vec<_> = (0..fit + 3).map(|_| ends(tenant)).collect();
    let held = |id: &Uuid| turns.find(tenant, *id).is_some();
    let (gone, kept) = all.split_at(3);
    assert!(kept.iter().all(held) && !gone.iter().any(held));
    assert!(turns.find(quiet, of_quiet).is_some(), "it is another tenant's");
    // Room is also made when another is begun.
    begins(tenant);
    begins(tenant);
    assert!(!held(&kept[0]));

    for _ in 0..limits::TURNS_KEPT_BYTES / limits::TURN_BYTES {
        ends(TenantId::new());
    }
    assert!(turns.find(quiet, of_quiet).is_none());
    let bytes: usize = turns.all().values().map(|turn| turn.log().bytes).sum();
    assert_eq!(bytes, limits::TURNS_KEPT_BYTES);
}

#[test]
fn a_turn_that_is_begun_again_is_not_forgotten_with_the_one_before() {
    let (turns, tenant, id) = (Turns::default(), TenantId::new(), Uuid::new_v4());
    let first = begun(&turns, tenant, id).expect("it is new");
    first.push(TurnEvent::Error(Failure::cancelled()));
    let again = begun(&turns, tenant, id).expect("it is begun anew");
    turns.forget(tenant, &first);
    assert!(turns.find(tenant, id).is_some());
    turns.forget(tenant, &again);
    assert!(turns.find(tenant, id).is_none());
}

/// The turn of this name, where it has to be run.
fn begun(turns: &Turns, tenant: TenantId, id: Uuid) -> Option<Arc<Turn>> {
    match turns.begin(tenant, id, &asked("main", "s")).unwrap() {
        Begun::New(turn) => Some(turn),
        Begun::Known(_) => None,
    }
}

#[tokio::test]
async fn a_turn_that_failed_before_its_agent_was_told_is_begun_anew_and_no_other() {
    let (turns, tenant) = (Turns::default(), TenantId::new());
    for stage in [Stage::Begun, Stage::Open, Stage::Told, Stage::Speaking] {
        let id = Uuid::new_v4();
        let turn = begun(&turns, tenant, id).expect("it is new");
        turn.reach(stage);
        assert!(begun(&turns, tenant, id).is_none(), "it runs");
        let mut reader = turn.follow(0);
        turn.push(TurnEvent::Error(Failure::cancelled()));
        assert_eq!(begun(&turns, tenant, id).is_some(), stage < Stage::Told, "{stage:?}");
        // Whoever reads it reads it to its end.
        assert_eq!(reader.next().await.unwrap().1.name(), "error");
        assert!(reader.next().await.is_none());
    }
}
