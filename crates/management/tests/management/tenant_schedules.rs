//! Schedules of templates: what agents of tenants are told by the clock, once for each time, whoever is there to do it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use management::limits;
use serde_json::{Value, json};
use sqlx::Connection as _;
use uuid::Uuid;

use crate::support::{Agents, Developer, Receiver, World};

const MINUTES: Duration = Duration::from_secs(15 * 60);
const HOURS: Duration = Duration::from_secs(10 * 60 * 60);

fn every(name: &str, message: &str) -> Value {
    json!({"name": name, "every_minutes": 15, "message": message})
}

async fn template(operator: &Developer, name: &str, schedule: Value) {
    let wanted = json!({"name": name, "schedule": schedule});
    operator.post("/api/v1/templates", wanted).await.expect(201);
}

/// A tenant whose agent has this schedule.
async fn tenant(world: &World, operator: &Developer, name: &str, schedule: Value) -> (Uuid, Developer) {
    template(operator, name, schedule).await;
    let (id, tenant) = world.tenant(name).await;
    give(operator, id, json!(name)).await;
    (id, tenant)
}

async fn give(operator: &Developer, id: Uuid, template: Value) -> Value {
    let change = json!({"template": template});
    let changed = operator.patch(&format!("/api/v1/tenants/{id}"), change).await;
    changed.expect(200).json["schedule"].clone()
}

/// The first agent's only job, once it is as asked for.
async fn once(operator: &Developer, id: Uuid, is: impl Fn(&Value) -> bool) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let seen = operator.get(&format!("/api/v1/tenants/{id}")).await.expect(200).json;
            if is(&seen["schedule"][0]) {
                return seen["schedule"][0].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    told.await.expect("it comes to that")
}

/// Until it is so.
async fn until(what: &str, is: impl Fn() -> bool) {
    let waits = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(30), waits).await;
    assert!(came.is_ok(), "{what}");
}

/// Until every server has looked for what is due once more at least.
async fn a_look() {
    tokio::time::sleep(limits::SCHEDULE_LOOK + Duration::from_millis(500)).await;
}

fn result(result: &str) -> impl Fn(&Value) -> bool {
    move |job| job["last_result"] == result
}

async fn messages(tenant: &Developer, session: &str) -> Vec<Value> {
    let seen = tenant
        .get(&format!("/api/v1/sessions/{session}"))
        .await
        .expect(200)
        .json;
    seen["messages"].as_array().unwrap().clone()
}

async fn stored(world: &World) -> Vec<String> {
    let mut owner = world.database.owner().await;
    let rows = sqlx::query_scalar("SELECT t::text FROM api_schedules t ORDER BY job");
    rows.fetch_all(&mut owner).await.unwrap()
}

/// As a server of another version may.
async fn store_timing(world: &World, timing: &str) {
    let mut owner = world.database.owner().await;
    let stored = sqlx::query("UPDATE api_schedules SET timing = $1").bind(timing);
    assert_eq!(stored.execute(&mut owner).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn a_job_that_is_due_is_a_turn_in_a_session_of_its_own_told_as_any_other() {
    let receiver = Receiver::start().await;
    let (world, agents, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    // 17 March 2030 is a Sunday.
    let job = json!({"name": "morning", "cron": "0 9 * * 1-5", "time_zone": "Europe/Berlin", "message": "canary of the morning"});
    let (id, anna) = tenant(&world, &operator, "press", json!([job])).await;
    let seen = operator.get("/api/v1/templates/press").await.expect(200).json;
    assert_eq!(seen["schedule"], json!([job]));
    let hook = json!({"url": receiver.url("/hook"), "events": ["turn.finished", "turn.failed"]});
    let at = format!("/api/v1/tenants/{id}");
    operator.post(&format!("{at}/webhooks"), hook).await.expect(201);
    let monday = 1_900_051_200_000_i64;
    let waits = json!([{"name": "morning", "next_at": monday}]);
    assert_eq!(operator.get(&at).await.expect(200).json["schedule"], waits);
    assert_eq!(
        operator.get(&format!("{at}/agents/main")).await.expect(200).json["schedule"],
        waits
    );
    world.clock.advance(Duration::from_secs(51_199));
    a_look().await;
    assert_eq!(agents.runs(), Vec::<String>::new(), "before it is due");

    world.clock.advance(Duration::from_secs(2));
    let done = once(&operator, id, result("done")).await;
    assert_eq!(done["next_at"], monday + 24 * 60 * 60 * 1000);
    assert_eq!((&done["last_at"], done.get("due_at")), (&json!(monday + 1000), None));
    let told = receiver.next().await.json();
    assert_eq!(told["type"], "turn.finished");
    assert_eq!(
        (&told["data"]["session_id"], &told["data"]["agent"]),
        (&json!("schedule-morning"), &json!("main"))
    );
    let said = messages(&anna, "schedule-morning").await;
    assert_eq!((said.len(), said[0]["role"].clone()), (2, json!("user")));
    assert!(
        said[1].to_string().contains("You said: canary of the morning"),
        "{said:?}"
    );
    assert_eq!(agents.runs(), ["morning"]);
    let rows = stored(&world).await.concat();
    assert!(rows.contains("Europe/Berlin") && !rows.contains("canary"), "{rows}");
}

#[tokio::test]
async fn times_that_were_missed_are_one_run() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, anna) = tenant(&world, &operator, "often", json!([every("often", "hello")])).await;
    world.clock.advance(HOURS);
    let done = once(&operator, id, result("done")).await;
    a_look().await;
    assert_eq!(
        (agents.runs().len(), messages(&anna, "schedule-often").await.len()),
        (1, 2)
    );
    let next = done["next_at"].as_i64().unwrap() - world.clock.seconds() * 1000;
    assert!((1..=15 * 60 * 1000).contains(&next), "{next}");
}

#[tokio::test]
async fn a_job_whose_last_run_goes_on_is_passed_over() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, anna) = tenant(&world, &operator, "slow", json!([every("slow", "hold")])).await;
    world.clock.advance(MINUTES);
    let runs = once(&operator, id, |job| job["due_at"].is_i64()).await;
    until("it runs", || agents.running() == 1).await;
    world.clock.advance(MINUTES);
    let passed = once(&operator, id, |job| job["passed_over_at"].is_i64()).await;
    assert_eq!(passed["due_at"], runs["due_at"]);
    assert_eq!(
        passed["next_at"].as_i64().unwrap() - runs["next_at"].as_i64().unwrap(),
        15 * 60 * 1000
    );
    agents.release();
    let done = once(&operator, id, result("done")).await;
    assert_eq!(done["next_at"], passed["next_at"]);
    assert_eq!(
        (agents.runs().len(), messages(&anna, "schedule-slow").await.len()),
        (1, 2)
    );
    world.clock.advance(MINUTES);
    once(&operator, id, |job| job["due_at"].is_i64()).await;
}

#[tokio::test]
async fn of_two_servers_that_find_the_same_job_one_runs_it() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = tenant(&world, &operator, "once", json!([every("once", "hold")])).await;
    let other = world.beside(agents.clone(), &[]).await;
    let mut owner = world.database.owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("SELECT FROM api_schedules FOR UPDATE")
        .fetch_all(&mut *lock)
        .await
        .unwrap();
    world.clock.advance(MINUTES);
    other.clock.advance(MINUTES);
    // Both have seen that it is due, and want it.
    world.database.until_wait_for_locks(2).await;
    lock.rollback().await.unwrap();
    once(&operator, id, |job| job["due_at"].is_i64()).await;
    a_look().await;
    assert_eq!(agents.runs(), ["once"]);
    agents.release();
    once(&operator, id, result("done")).await;
}

#[tokio::test]
async fn what_a_server_that_ended_was_at_another_one_brings_to_its_end() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = tenant(&world, &operator, "long", json!([every("long", "hold")])).await;
    let wanted = json!({"limits": {"spend_day": 100}});
    let changed = operator.patch(&format!("/api/v1/tenants/{id}"), wanted).await;
    let cell = changed.expect(200).json["cell"].clone();
    world.clock.advance(MINUTES);
    once(&operator, id, |job| job["due_at"].is_i64()).await;
    until("it runs", || agents.running() == 1).await;
    // With which it spends what there was: that is no reason to call what was begun not begun.
    agents.spends(&cell, (100, 100));
    let (world, agents, operator) = world.restarted_with_tenants(agents, &[]).await;
    world.clock.advance(MINUTES);
    a_look().await;
    agents.release();
    let going_on = once(&operator, id, |_| true).await;
    assert_eq!(going_on.get("last_result"), None, "its lease is not over: {going_on}");
    world.clock.advance(limits::SCHEDULE_LEASE);
    once(&operator, id, result("done")).await;
    assert_eq!(agents.runs(), ["long"], "it was answered meanwhile");
}

#[tokio::test]
async fn a_job_whose_times_cannot_be_told_stays_and_comes_when_they_can() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = tenant(&world, &operator, "odd", json!([every("odd", "hello")])).await;
    for timing in [
        r#"{"minutes":15,"of_a_later_version":true}"#,
        r#"{"cron":"0 9 * * *","zone":"Mars/Olympus"}"#,
    ] {
        store_timing(&world, timing).await;
        world.clock.advance(MINUTES);
        let now = world.clock.seconds() * 1000;
        let seen = once(&operator, id, |job| job["last_at"] == now).await;
        let again = i64::try_from(limits::SCHEDULE_UNTOLD_AGAIN.as_millis()).unwrap();
        assert_eq!(
            (&seen["last_result"], &seen["next_at"], seen.get("due_at")),
            (&json!("unknown_times"), &json!(now + again), None)
        );
    }
    assert_eq!(agents.runs(), Vec::<String>::new());
    store_timing(&world, r#"{"minutes":15}"#).await;
    world.clock.advance(limits::SCHEDULE_UNTOLD_AGAIN);
    once(&operator, id, result("done")).await;
}

#[tokio::test]
async fn nothing_is_run_for_a_tenant_without_a_key_or_an_agent_whose_money_is_spent() {
    let receiver = Receiver::start().await;
    let (world, agents, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, _) = tenant(&world, &operator, "poor", json!([every("poor", "hello")])).await;
    let at = format!("/api/v1/tenants/{id}");
    let hook = json!({"url": receiver.url("/hook"), "events": ["turn.finished", "turn.failed"]});
    operator.post(&format!("{at}/webhooks"), hook).await.expect(201);
    operator
        .patch(&at, json!({"limits": {"spend_day": 100}}))
        .await
        .expect(200);
    let seen = operator.get(&at).await.expect(200).json;
    agents.spends(&seen["cell"], (100, 100));
    world.clock.advance(MINUTES);
    once(&operator, id, result("spending_limit")).await;
    let told = receiver.next().await.json();
    assert_eq!(
        (&told["type"], &told["data"]["outcome"]),
        (&json!("turn.failed"), &json!("spending_limit"))
    );

    agents.spends(&seen["cell"], (99, 99));
    let key = seen["keys"][0]["id"].as_str().unwrap();
    operator.delete(&format!("{at}/keys/{key}")).await.expect(204);
    world.clock.advance(MINUTES);
    once(&operator, id, result("no_key")).await;
    assert_eq!(agents.runs(), Vec::<String>::new());
    assert!(
        receiver.rest().await.is_empty(),
        "nobody may speak to it, so nobody is told"
    );

    operator.post(&format!("{at}/keys"), json!({})).await.expect(201);
    world.clock.advance(MINUTES);
    once(&operator, id, result("done")).await;
}

#[tokio::test]
async fn where_there_is_no_room_it_is_tried_again_and_in_the_end_told_that_it_failed() {
    let receiver = Receiver::start().await;
    let (world, agents, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, _) = tenant(
        &world,
        &operator,
        "late",
        json!([{"name": "late", "every_minutes": 1440, "message": "hello"}]),
    )
    .await;
    let hook = json!({"url": receiver.url("/hook"), "events": ["turn.finished", "turn.failed"]});
    operator
        .post(&format!("/api/v1/tenants/{id}/webhooks"), hook)
        .await
        .expect(201);
    agents.break_down();
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    once(&operator, id, |job| job["due_at"].is_i64()).await;
    a_look().await;
    agents.repair();
    world.clock.advance(Duration::from_secs(31));
    once(&operator, id, result("done")).await;
    assert_eq!(receiver.next().await.json()["type"], "turn.finished");

    agents.break_down();
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    once(&operator, id, |job| job["due_at"].is_i64()).await;
    a_look().await;
    world.clock.advance(limits::SCHEDULE_PATIENCE);
    once(&operator, id, result("cell_unavailable")).await;
    assert_eq!(receiver.next().await.json()["data"]["outcome"], "cell_unavailable");
}

#[tokio::test]
async fn so_many_begin_at_once_and_the_others_wait_until_these_have_begun() {
    let (world, agents, operator) = World::with_tenants().await;
    template(&operator, "many", json!([every("many", "hold")])).await;
    for at in 0..limits::SCHEDULED_TOGETHER + 2 {
        let (id, _) = world.tenant(&format!("t{at}")).await;
        give(&operator, id, json!("many")).await;
    }
    agents.hold();
    world.clock.advance(MINUTES);
    until("as many begin", || agents.waiting() >= limits::SCHEDULED_TOGETHER).await;
    a_look().await;
    assert_eq!(agents.waiting(), limits::SCHEDULED_TOGETHER);
    agents.go_on();
    // A turn that goes on holds up nobody.
    until("all of them run", || agents.running() == limits::SCHEDULED_TOGETHER + 2).await;
}

/// The time that a run has to begin in is over.
async fn past_its_start() {
    tokio::time::pause();
    tokio::time::advance(limits::SCHEDULE_START + Duration::from_secs(1)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_run_whose_cell_does_not_answer_in_time_is_let_go_of_and_tried_again() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = tenant(&world, &operator, "stuck", json!([every("stuck", "hello")])).await;
    agents.hold();
    world.clock.advance(MINUTES);
    until("it waits for its cell", || agents.waiting() == 1).await;
    past_its_start().await;
    until("it waits no more", || agents.waiting() == 0).await;
    agents.go_on();
    world.clock.advance(limits::SCHEDULE_AGAIN + Duration::from_secs(1));
    once(&operator, id, result("done")).await;
    assert_eq!(agents.runs(), ["stuck"]);
}

#[tokio::test]
async fn runs_whose_turns_do_not_get_on_leave_the_others_their_place() {
    let (world, agents, operator) = World::with_tenants().await;
    template(&operator, "slow", json!([every("slow", "hello")])).await;
    for at in 0..limits::SCHEDULED_TOGETHER + 2 {
        let (id, _) = world.tenant(&format!("t{at}")).await;
        give(&operator, id, json!("slow")).await;
    }
    // Their cells answer, and then do not.
    agents.hold_at("chat.create");
    world.clock.advance(MINUTES);
    until("as many begin", || agents.waiting() >= limits::SCHEDULED_TOGETHER).await;
    a_look().await;
    assert_eq!(agents.waiting(), limits::SCHEDULED_TOGETHER);
    past_its_start().await;
    until("the others begin", || {
        agents.waiting() == limits::SCHEDULED_TOGETHER + 2
    })
    .await;
    agents.go_on();
    until("all of them run", || {
        agents.runs().len() == limits::SCHEDULED_TOGETHER + 2
    })
    .await;
}

#[tokio::test]
async fn a_tenant_with_many_jobs_leaves_the_others_their_turn() {
    let (world, agents, operator) = World::with_tenants().await;
    let jobs: Vec<Value> = (0..limits::SCHEDULED_TOGETHER)
        .map(|at| every(&format!("greedy-{at}"), "hold"))
        .collect();
    tenant(&world, &operator, "greedy", json!(jobs)).await;
    world.clock.advance(Duration::from_secs(1));
    tenant(&world, &operator, "modest", json!([every("modest", "hold")])).await;
    agents.hold();
    world.clock.advance(MINUTES);
    let of_greedy = usize::try_from(limits::SCHEDULED_OF_TENANT).unwrap();
    until("they begin", || agents.waiting() > of_greedy).await;
    agents.go_on();
    until("they run", || agents.running() > of_greedy).await;
    a_look().await;
    let runs = agents.runs();
    assert!(runs.contains(&"modest".to_owned()), "{runs:?}");
    assert_eq!(runs.len(), of_greedy + 1, "{runs:?}");
    agents.release();
    until("the next of its jobs run", || agents.runs().len() > of_greedy + 1).await;
}

#[tokio::test]
async fn a_job_wakes_no_cell_where_the_room_is_left_to_requests_and_leaves_the_one_it_woke() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = tenant(&world, &operator, "guest", json!([every("guest", "hello")])).await;
    agents.crowd(true);
    world.clock.advance(MINUTES);
    once(&operator, id, |job| job["due_at"].is_i64()).await;
    a_look().await;
    assert_eq!((agents.runs(), agents.left()), (Vec::new(), Vec::new()));

    agents.crowd(false);
    world.clock.advance(limits::SCHEDULE_AGAIN + Duration::from_secs(1));
    once(&operator, id, result("done")).await;
    until("it is left", || agents.left().len() == 1).await;
    let seen = operator.get(&format!("/api/v1/tenants/{id}")).await.expect(200).json;
    assert_eq!(seen["cell"]["id"], agents.left()[0].cell.to_string());
}

/// How often the cells are asked what is spent; broken ones answer nothing else.
fn asked(agents: &Agents, broken: bool) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&count);
    agents.break_where(move |_, method| {
        if method == "spending.get" {
            counts.fetch_add(1, Ordering::SeqCst);
        }
        broken
    });
    count
}

#[tokio::test]
async fn a_run_that_is_tried_again_counts_once_among_the_tenants_requests() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = tenant(&world, &operator, "frugal", json!([every("frugal", "hello")])).await;
    let wanted = json!({"limits": {"requests_per_minute": 1}});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), wanted)
        .await
        .expect(200);
    let tries = asked(&agents, true);
    world.clock.advance(MINUTES);
    until("it is tried", || tries.load(Ordering::SeqCst) == 1).await;
    a_look().await;
    agents.repair();
    // In this time, half a request comes back.
    world.clock.advance(Duration::from_secs(31));
    once(&operator, id, result("done")).await;
}

#[tokio::test]
async fn what_cannot_begin_is_tried_more_and_more_seldom() {
    let (world, agents, operator) = World::with_tenants().await;
    let job = json!({"name": "stuck", "every_minutes": 1440, "message": "hello"});
    tenant(&world, &operator, "stuck", json!([job])).await;
    let tries = asked(&agents, true);
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    until("it is tried", || tries.load(Ordering::SeqCst) == 1).await;
    a_look().await;
    world.clock.advance(Duration::from_secs(5 * 60));
    until("it is tried again", || tries.load(Ordering::SeqCst) == 2).await;
    a_look().await;
    world.clock.advance(Duration::from_secs(4 * 60));
    a_look().await;
    assert_eq!(tries.load(Ordering::SeqCst), 2, "it waits as long as it was tried");
    world.clock.advance(Duration::from_secs(61));
    until("it is tried again", || tries.load(Ordering::SeqCst) == 3).await;
}

#[tokio::test]
async fn an_agent_whose_money_is_spent_is_not_woken_twice_in_an_hour_to_see_that() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = tenant(&world, &operator, "broke", json!([every("broke", "hello")])).await;
    let at = format!("/api/v1/tenants/{id}");
    let wanted = json!({"limits": {"spend_day": 100}});
    let cell = operator.patch(&at, wanted).await.expect(200).json["cell"].clone();
    agents.spends(&cell, (100, 100));
    // The clock begins 800 seconds before a full hour.
    world.clock.advance(MINUTES);
    let first = once(&operator, id, result("spending_limit")).await;
    let wakes = asked(&agents, false);
    world.clock.advance(MINUTES);
    once(&operator, id, |job| job["last_at"] != first["last_at"]).await;
    assert_eq!(wakes.load(Ordering::SeqCst), 0);

    // It may spend again, which nobody here is told.
    agents.spends(&cell, (0, 0));
    world.clock.advance(Duration::from_secs(60 * 60));
    once(&operator, id, result("done")).await;

    // Whoever gives it more is heard at once.
    agents.spends(&cell, (100, 100));
    world.clock.advance(HOURS);
    once(&operator, id, result("spending_limit")).await;
    world.clock.advance(Duration::from_secs(1));
    operator
        .patch(&at, json!({"limits": {"spend_day": 200}}))
        .await
        .expect(200);
    world.clock.advance(MINUTES);
    once(&operator, id, result("done")).await;
}

#[tokio::test]
async fn an_agent_has_the_jobs_of_the_template_that_it_was_given_and_none_when_it_is_gone() {
    let (world, agents, operator) = World::with_tenants().await;
    let daily = json!({"name": "daily", "cron": "0 9 * * *", "message": "one"});
    let (id, _) = tenant(&world, &operator, "desk", json!([every("often", "two"), daily])).await;
    let agent = json!({"name": "press", "template": "desk", "model": {"key": "sk-2"}});
    let at = format!("/api/v1/tenants/{id}");
    let made = operator.post(&format!("{at}/agents"), agent).await.expect(201).json;
    assert_eq!(
        (made["schedule"].as_array().unwrap().len(), stored(&world).await.len()),
        (2, 4)
    );
    let names = |schedule: &Value| {
        let jobs = schedule.as_array().into_iter().flatten();
        jobs.map(|job| job["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };

    // To change the template changes no agent. Given again, what has the times that it had comes when it would have come.
    let before = operator.get(&at).await.expect(200).json["schedule"].clone();
    let evening = json!({"name": "evening", "cron": "0 18 * * *", "message": "three"});
    let later = json!({"name": "daily", "cron": "30 9 * * *", "message": "one"});
    let changed = json!({"schedule": [every("often", "other words"), evening, later]});
    operator.patch("/api/v1/templates/desk", changed).await.expect(200);
    assert_eq!(operator.get(&at).await.expect(200).json["schedule"], before);
    world.clock.advance(Duration::from_secs(60));
    let after = give(&operator, id, json!("desk")).await;
    assert_eq!(names(&after), ["daily", "evening", "often"]);
    assert_eq!(after[2]["next_at"], before[1]["next_at"]);
    let moved = after[0]["next_at"].as_i64().unwrap() - before[0]["next_at"].as_i64().unwrap();
    assert_eq!(moved, 30 * 60 * 1000);

    assert_eq!(give(&operator, id, Value::Null).await, Value::Null);
    assert_eq!(stored(&world).await.len(), 2);
    give(&operator, id, json!("desk")).await;
    operator.delete(&format!("{at}/agents/press")).await.expect(200);
    assert_eq!(stored(&world).await.len(), 3);
    operator.delete(&at).await.expect(200);
    assert_eq!((stored(&world).await.len(), agents.runs().len()), (0, 0));
}

#[tokio::test]
async fn an_agent_that_another_server_removes_while_it_is_given_jobs_leaves_none() {
    let (world, agents, operator) = World::with_tenants().await;
    template(&operator, "desk", json!([every("often", "hello")])).await;
    let (id, _) = world.tenant("Anna").await;
    let at = format!("/api/v1/tenants/{id}/agents");
    let agent = json!({"name": "press", "model": {"key": "sk-2"}});
    operator.post(&at, agent.clone()).await.expect(201);
    agents.hold();
    let changing = tokio::spawn({
        let (operator, at) = (operator.clone(), format!("{at}/press"));
        async move { operator.patch(&at, json!({"template": "desk"})).await }
    });
    agents.until_somebody_waits().await;
    let mut owner = world.database.owner().await;
    sqlx::query("DELETE FROM api_agents").execute(&mut owner).await.unwrap();
    agents.go_on();
    changing.await.unwrap().refused(404, "not_found");
    assert_eq!(stored(&world).await, Vec::<String>::new());

    // As one may have been left by an older version.
    let leave = "INSERT INTO api_schedules (tenant_id, agent, job, timing, next_at) VALUES ($1, 'press', 'left', '{\"minutes\":15}', $2)";
    let soon = time::OffsetDateTime::from_unix_timestamp(world.clock.seconds() + 60).unwrap();
    let leaves = sqlx::query(leave).bind(id).bind(soon);
    leaves.execute(&mut owner).await.unwrap();
    operator.post(&at, agent).await.expect(201);
    assert_eq!(stored(&world).await, Vec::<String>::new(), "it is not the new agent's");
    operator.delete(&format!("{at}/press")).await.expect(200);
    let leaves = sqlx::query(leave).bind(id).bind(soon);
    leaves.execute(&mut owner).await.unwrap();
    world.clock.advance(MINUTES);
    let gone = async {
        while !stored(&world).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(gone.is_ok(), "nobody's jobs go");
    assert_eq!(agents.runs(), Vec::<String>::new());
}

#[tokio::test]
async fn times_that_mean_nothing_or_come_too_often_are_refused_and_nothing_is_stored() {
    let (_world, _, operator) = World::with_tenants().await;
    template(&operator, "good", json!([])).await;
    for (job, field) in [
        (
            json!({"name": "x", "cron": "0 0 30 2 *", "message": "m"}),
            "schedule.cron",
        ),
        (
            json!({"name": "x", "cron": "* * * * *", "message": "m"}),
            "schedule.cron",
        ),
        (
            json!({"name": "x", "cron": "0 9 * * *", "time_zone": "Mars/Olympus", "message": "m"}),
            "schedule.time_zone",
        ),
        (
            json!({"name": "x", "every_minutes": 14, "message": "m"}),
            "schedule.every_minutes",
        ),
        (json!({"name": "x", "message": "m"}), "schedule.cron"),
        (
            json!({"name": "X y", "every_minutes": 15, "message": "m"}),
            "schedule.name",
        ),
        (
            json!({"name": "x", "every_minutes": 15, "message": ""}),
            "schedule.message",
        ),
    ] {
        let wanted = json!({"name": "bad", "schedule": [job]});
        for answer in [
            operator.post("/api/v1/templates", wanted).await,
            operator
                .patch("/api/v1/templates/good", json!({"schedule": [job]}))
                .await,
        ] {
            assert_eq!(answer.json["field"], field, "{}", answer.text);
            answer.refused(422, "invalid_field");
        }
    }
    operator.get("/api/v1/templates/bad").await.refused(404, "not_found");
    assert_eq!(
        operator.get("/api/v1/templates/good").await.expect(200).json["schedule"],
        json!([])
    );
}
