//! Writes that are asked for twice, under one `Idempotency-Key`: done once, answered alike, and whole however a server ends between.

use std::time::Duration;

use axum::http::Method;
use futures::future::{Either, select};
use management::limits;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::{Agents, Answer, Developer, World, comes};

fn model() -> Value {
    json!({"kind": "openai", "base_url": "https://llm.example/v1", "key": "sk-canary", "model": "m"})
}

const ROTATE: &str = "/api/v1/platform-keys/rotate";

fn hook() -> Value {
    json!({"url": "https://hooks.example/x", "events": ["turn.failed"]})
}

#[tokio::test]
async fn a_write_with_a_key_is_done_once_and_answered_twice() {
    let (world, _, operator) = World::with_tenants().await;
    let wanted = json!({"name": "x"});
    let once = operator.with("idempotency-key", "make-x");
    let first = once.post("/api/v1/tenants", wanted.clone()).await.expect(201);
    let again = once.post("/api/v1/tenants", wanted.clone()).await.expect(201);
    assert_eq!(first.json, again.json, "the same tenant, with the same key");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(
        operator.get("/api/v1/tenants").await.json["tenants"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // The key that was answered is sealed.
    let mut owner = world.database.owner().await;
    let kept: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM api_writes")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let key = first.json["key"].as_str().unwrap().as_bytes();
    assert!(!kept.windows(key.len()).any(|window| window == key));
    // What was asked is nowhere beside it, which a guess could be held against.
    let in_clear: i64 = sqlx::query_scalar("SELECT count(*) FROM api_writes WHERE request_hash <> key_hash")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(in_clear, 0);
    let other = once.post("/api/v1/tenants", json!({"name": "y"})).await;
    assert_eq!(
        (other.status.as_u16(), &other.json["code"]),
        (422, &json!("idempotency_key_reused"))
    );
    assert_eq!(
        operator
            .with("idempotency-key", "a b")
            .post("/api/v1/tenants", wanted)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn an_answer_that_the_version_before_has_kept_is_given_again_for_what_it_answered() {
    let (world, agents, operator) = World::with_tenants().await;
    let mut owner = world.database.owner().await;
    for kept in include_str!("../fixtures/answer.v1.sql").split_inclusive(";\n") {
        sqlx::query(kept).execute(&mut owner).await.unwrap();
    }
    // It has read no key yet.
    let beside = world.beside(agents, &[]).await;
    let once = operator.asking(beside.router.clone()).with("idempotency-key", "k");
    let again = once
        .post("/api/v1/templates", json!({"name": "of-before"}))
        .await
        .expect(201);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json["name"], "of-before");
    let other = once.post("/api/v1/templates", json!({"name": "another"})).await;
    other.refused(422, "idempotency_key_reused");
}

#[tokio::test]
async fn what_failed_on_our_side_is_done_under_the_same_key_and_what_was_wrong_is_refused_again() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    let once = operator.with("idempotency-key", "k");
    let change = json!({"model": {"model": "other"}});
    agents.break_down();
    once.patch(&at, change.clone()).await.refused(503, "cell_unavailable");
    agents.repair();
    let done = once.patch(&at, change.clone()).await.expect(200);
    assert_eq!(done.headers.get("idempotency-replayed"), None, "it was not done before");
    let again = once.patch(&at, change).await.expect(200);
    assert_eq!(again.headers["idempotency-replayed"], "true");

    let wrong = operator.with("idempotency-key", "wrong");
    wrong
        .patch(&at, json!({"name": ""}))
        .await
        .refused(422, "invalid_field");
    let again = wrong.patch(&at, json!({"name": ""})).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    again.refused(422, "invalid_field");
}

#[tokio::test]
async fn of_two_servers_that_are_asked_for_the_same_write_one_does_it_and_both_answer_the_same() {
    let (world, agents, operator) = World::with_tenants().await;
    let other = world.beside(agents.clone(), &[]).await;
    let here = operator.with("idempotency-key", "make-x");
    let there = here.asking(other.router.clone());
    let wanted = json!({"name": "x", "model": model()});
    let ask = |program: &Developer| {
        let (program, wanted) = (program.clone(), wanted.clone());
        Box::pin(async move { program.post("/api/v1/tenants", wanted).await })
    };
    // Both have taken it up, and nobody knows yet who was first.
    let mut owner = world.database.owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE api_writes IN EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    agents.hold();
    let goes_on = async {
        world.database.until_wait_for_locks(2).await;
        lock.rollback().await.unwrap();
    };
    let both = select(ask(&here), ask(&there));
    let both = async { tokio::join!(both, goes_on).0.factor_first() };
    let both = tokio::time::timeout(Duration::from_secs(20), both).await;
    let (second, first) = both.expect("one of them is answered, since the other is at it");
    second.refused(409, "write_under_way");
    agents.until_somebody_waits().await;
    assert_eq!(agents.waiting(), 1);
    agents.go_on();
    let made = first.await.expect(201).json;
    for program in [&here, &there] {
        let again = ask(program).await.expect(201);
        assert_eq!(again.json, made);
        assert_eq!(again.headers["idempotency-replayed"], "true");
    }
    let listed = operator.get("/api/v1/tenants").await.expect(200).json;
    assert_eq!(listed["tenants"].as_array().unwrap().len(), 1);
}

/// Another server of this installation, for which whatever is under way has been so for too long.
async fn much_later(world: &World, agents: Agents) -> World {
    let other = world.beside(agents, &[]).await;
    other.clock.advance(limits::WRITE_PATIENCE + Duration::from_secs(1));
    other
}

/// Ends each transaction that waits to say something of a write, as the end of its server does.
async fn ends_who_answers(world: &World) {
    let mut owner = world.database.owner().await;
    loop {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%api_writes%'",
        )
        .execute(&mut owner)
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_write_makes_is_there_with_its_answer_or_not_at_all() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let later = much_later(&world, agents).await;
    let at = format!("/api/v1/tenants/{id}");
    let kinds = [
        ("api_tenant_keys", format!("{at}/keys"), json!({})),
        ("api_webhooks", format!("{at}/webhooks"), hook()),
        (
            "api_templates",
            "/api/v1/templates".to_owned(),
            json!({"name": "press-desk"}),
        ),
    ];
    let count = async |table: &str| -> i64 {
        let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let mut owner = world.database.owner().await;
        sqlx::query_scalar(count).fetch_one(&mut owner).await.unwrap()
    };
    for (table, path, body) in kinds {
        let before = count(table).await;
        let once = operator.with("idempotency-key", table);
        let answer = cut_off(&world, table, once.post(&path, body.clone())).await;
        assert!(answer.status.is_server_error(), "{table}: {}", answer.text);

        let there = once.asking(later.router.clone());
        let made = there.post(&path, body.clone()).await.expect(201).json;
        assert_eq!(count(table).await, before + 1, "{table}");
        let again = there.post(&path, body).await.expect(201);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.json, made);
    }
}

#[tokio::test]
async fn what_a_write_changes_or_takes_away_is_so_with_its_answer_or_not_at_all() {
    let (world, agents, operator) = World::with_tenants().await;
    let whole = Whole::new(&world, &operator).await;
    let later = much_later(&world, agents).await;
    for (path, change) in whole.changes() {
        let before = operator.get(path).await.expect(200).json;
        let once = operator.with("idempotency-key", format!("change-{path}"));
        // Its event is written down last before the answer.
        let answer = cut_off(&world, "operator_head", once.patch(path, change.clone())).await;
        assert!(answer.status.is_server_error(), "{path}: {}", answer.text);
        assert_eq!(operator.get(path).await.expect(200).json, before);
        let there = once.asking(later.router.clone());
        let changed = there.patch(path, change.clone()).await.expect(200).json;
        assert_ne!(changed, before);
        let again = there.patch(path, change).await.expect(200);
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.json, changed);
    }

    // What is gone without its answer would not be found when it is asked for again.
    for (program, path) in whole.removals(&operator) {
        let once = program.with("idempotency-key", format!("remove-{path}"));
        let answer = cut_off(&world, "operator_head", once.delete(path)).await;
        assert!(answer.status.is_server_error(), "{path}: {}", answer.text);
        let there = once.asking(later.router.clone());
        let removed = there.delete(path).await;
        assert!(removed.status.is_success(), "{path}: {}", removed.text);
        let again = there.delete(path).await.expect(removed.status.as_u16());
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(again.text, removed.text);
    }
}

/// Asks for a write whose server ends just before it says what it answers. It is about to go to this table, and has done everything before.
async fn cut_off(world: &World, table: &str, asked: impl Future<Output = Answer>) -> Answer {
    let (mut one, mut two) = (world.database.owner().await, world.database.owner().await);
    let mut not_yet = one.begin().await.unwrap();
    let lock = sqlx::AssertSqlSafe(format!("LOCK TABLE {table} IN EXCLUSIVE MODE"));
    sqlx::query(lock).execute(&mut *not_yet).await.unwrap();
    let ends = async {
        world.database.until_wait_for_locks(1).await;
        let mut no_answer = two.begin().await.unwrap();
        sqlx::query("SELECT FROM api_writes WHERE status IS NULL FOR UPDATE")
            .execute(&mut *no_answer)
            .await
            .unwrap();
        not_yet.rollback().await.unwrap();
        ends_who_answers(world).await;
    };
    match select(Box::pin(asked), Box::pin(ends)).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => panic!("it goes on without end"),
    }
}

#[tokio::test]
async fn half_of_a_tenant_and_of_an_agent_goes_before_the_write_is_done_again() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let later = much_later(&world, agents.clone()).await;
    for path in ["/api/v1/tenants".to_owned(), format!("/api/v1/tenants/{id}/agents")] {
        let once = operator.with("idempotency-key", path.clone());
        let asks = |router: &axum::Router| {
            let (program, path) = (once.asking(router.clone()), path.clone());
            async move {
                program
                    .post(&path, json!({"name": "press", "template": "writer"}))
                    .await
            }
        };
        let cells = agents.cells();
        agents.hold_at("template.set");
        let left = tokio::spawn(asks(&world.router));
        agents.until_somebody_waits().await;
        let taken_up = tokio::spawn(asks(&later.router));
        comes("another server does it", || agents.waiting() == 2).await;
        agents.go_on();
        let made = taken_up.await.unwrap().expect(201).json;
        left.await.unwrap().refused(404, "not_found");
        for router in [&world.router, &later.router] {
            let again = asks(router).await.expect(201);
            assert_eq!(again.headers["idempotency-replayed"], "true");
            assert_eq!(again.json, made);
        }
        comes("one cell is left", || agents.cells() == cells + 1).await;
    }
    for list in ["/api/v1/tenants".to_owned(), format!("/api/v1/tenants/{id}/agents")] {
        let listed = operator.get(&list).await.expect(200).json;
        let all = listed["tenants"].as_array().or(listed["agents"].as_array());
        assert_eq!(all.unwrap().len(), 2, "{}", listed);
    }
}

/// How many there are, of tenants or of agents.
async fn listed(operator: &Developer, path: &str) -> usize {
    let listed = operator.get(path).await.expect(200).json;
    let all = listed["tenants"].as_array().or(listed["agents"].as_array());
    all.unwrap().len()
}

#[tokio::test]
async fn half_of_what_could_not_be_undone_goes_after_that_or_before_the_write_is_done_again() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let later = much_later(&world, agents.clone()).await;
    for path in ["/api/v1/tenants".to_owned(), format!("/api/v1/tenants/{id}/agents")] {
        let wanted = |name: &str| json!({"name": name, "template": "writer"});
        // It cannot be told what it is, nor removed at the first try.
        let mut removals = 0;
        agents.break_where(move |_, method| {
            removals += usize::from(method == "spending.get");
            method == "template.set" || (method == "spending.get" && removals == 1)
        });
        let once = operator.with("idempotency-key", format!("{path}/press"));
        once.post(&path, wanted("press")).await.refused(503, "cell_unavailable");
        agents.repair();
        assert_eq!(listed(&operator, &path).await, 1, "nothing is left of it");
        once.post(&path, wanted("press")).await.expect(201);

        // It cannot be removed at all for now.
        agents.break_where(|_, method| matches!(method, "template.set" | "spending.get"));
        let once = operator.with("idempotency-key", format!("{path}/desk"));
        once.post(&path, wanted("desk")).await.refused(503, "cell_unavailable");
        agents.repair();
        assert_eq!(listed(&operator, &path).await, 3, "half of it is left");
        once.post(&path, wanted("desk")).await.refused(409, "write_under_way");
        let there = once.asking(later.router.clone());
        let made = there.post(&path, wanted("desk")).await.expect(201).json;
        assert_eq!(listed(&operator, &path).await, 3, "the half has gone");
        assert_eq!(once.post(&path, wanted("desk")).await.expect(201).json, made);
    }
}

/// Writes that are noted were begun so much longer ago; those under this key alone, where one is named.
async fn begun_earlier(world: &World, key: Option<&str>, earlier: Duration) {
    let statement = "UPDATE api_writes SET begun_at = begun_at - make_interval(secs => $1)
        WHERE $2::text IS NULL OR key_hash = sha256(convert_to($2, 'UTF8'))";
    sqlx::query(statement)
        .bind(earlier.as_secs_f64())
        .bind(key)
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
}

#[tokio::test]
async fn half_of_what_nobody_asks_for_again_goes_by_itself_also_where_it_has_no_key() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let noted = async || -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM api_writes");
        count.fetch_one(&mut world.database.owner().await).await.unwrap()
    };
    assert_eq!(
        noted().await,
        0,
        "of what was made whole without a key, nothing is kept"
    );
    let lists = ["/api/v1/tenants".to_owned(), format!("/api/v1/tenants/{id}/agents")];
    agents.break_where(|_, method| matches!(method, "template.set" | "spending.get"));
    let half = async |list: &str, name: &str, key: Option<&str>| {
        let key = key.map(|key| operator.with("idempotency-key", key));
        let wanted = json!({"name": name, "template": "writer"});
        let answer = key.as_ref().unwrap_or(&operator).post(list, wanted).await;
        answer.refused(503, "cell_unavailable");
    };
    for list in &lists {
        half(list, "keyless", None).await;
        half(list, "keyed", Some(list)).await;
    }
    begun_earlier(&world, None, limits::HALF_KEPT).await;
    for list in &lists {
        begun_earlier(&world, Some(list), limits::WRITE_KEPT).await;
    }
    half(&lists[0], "young", None).await;
    agents.repair();
    assert_eq!(noted().await, 5);
    for list in &lists {
        assert_eq!(listed(&operator, list).await, 3 + usize::from(*list == lists[0]));
    }
    // The next write forgets what is over, and a server looks for the rest when it starts.
    let change = operator.with("idempotency-key", "change");
    let at = format!("/api/v1/tenants/{id}");
    change.patch(&at, json!({"name": "y"})).await.expect(200);
    let _beside = world.beside(agents, &[]).await;
    let swept = async {
        while noted().await > 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let swept = tokio::time::timeout(Duration::from_secs(20), swept).await;
    swept.expect("all halves but one are removed, and their notes");
    assert_eq!(listed(&operator, &lists[0]).await, 2, "the young one is left");
    assert_eq!(listed(&operator, &lists[1]).await, 1);
}

#[tokio::test]
async fn whoever_is_slow_does_not_come_to_the_end_of_what_another_gives_up() {
    let (world, agents, operator) = World::with_tenants().await;
    let program = operator.clone();
    // For another server it has taken an hour so far.
    world.clock.set_back(limits::HALF_KEPT);
    agents.hold_at("template.set");
    let slow = tokio::spawn(async move {
        let wanted = json!({"name": "x", "template": "writer"});
        program.post("/api/v1/tenants", wanted).await
    });
    agents.until_somebody_waits().await;
    // That takes it up, and has not removed it yet.
    let mut owner = world.database.owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE api_tenant_keys IN EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let _beside = world.beside(agents.clone(), &[]).await;
    world.database.until_wait_for_locks(1).await;
    agents.go_on();
    // The slow one undoes it, too.
    world.database.until_wait_for_locks(2).await;
    lock.rollback().await.unwrap();
    slow.await.unwrap().refused(409, "write_under_way");
    assert_eq!(listed(&operator, "/api/v1/tenants").await, 0);
}

#[tokio::test]
async fn what_the_operator_went_on_with_is_no_half_that_goes() {
    let (world, agents, operator) = World::with_tenants().await;
    let later = much_later(&world, agents).await;
    // As a server leaves it that ends before it answers.
    let half = async |key: &str, tenant: &Value, cell: &Value| {
        let statement = "INSERT INTO api_writes (tenant_id, key_hash, request_hash, begun_at, about, making)
            SELECT '00000000-0000-0000-0000-000000000000', sha256($1), sha256($1), created_at, tenant_id, $3::uuid
            FROM api_tenants WHERE tenant_id = $2::uuid";
        sqlx::query(statement)
            .bind(key.as_bytes())
            .bind(tenant.as_str().unwrap())
            .bind(cell.as_str().unwrap())
            .execute(&mut world.database.owner().await)
            .await
            .unwrap();
    };
    let late = async |key: &str, path: &str| {
        let program = operator.asking(later.router.clone()).with("idempotency-key", key);
        program.post(path, json!({"name": "late"})).await.expect(201);
    };
    let tenants = "/api/v1/tenants";
    let make = async |path: &str| operator.post(path, json!({"name": "one"})).await.expect(201).json;
    let (changed, given_a_key) = (make(tenants).await, make(tenants).await);
    let at = |made: &Value| format!("{tenants}/{}", made["id"].as_str().unwrap());
    for (key, made) in [("changed", &changed), ("key", &given_a_key)] {
        half(key, &made["id"], &made["cell"]["id"]).await;
    }
    let changes = json!({"name": "another"});
    operator.patch(&at(&changed), changes).await.expect(200);
    let keys = format!("{}/keys", at(&given_a_key));
    operator.post(&keys, json!({})).await.expect(201);
    for (key, made) in [("changed", &changed), ("key", &given_a_key)] {
        late(key, tenants).await;
        operator.get(&at(made)).await.expect(200);
    }

    let others = format!("{}/agents", at(&changed));
    let agent = make(&others).await;
    half("agent", &changed["id"], &agent["cell"]["id"]).await;
    let changes = json!({"template": "writer"});
    operator.patch(&format!("{others}/one"), changes).await.expect(200);
    late("agent", &others).await;
    assert_eq!(listed(&operator, &others).await, 3);
}

/// How many answers are kept.
async fn answers(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM api_writes WHERE sealed IS NOT NULL")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_kept_answer_goes_with_the_tenant_that_it_is_about() {
    let (world, _, operator) = World::with_tenants().await;
    let making = operator.with("idempotency-key", "make-x");
    let changing = operator.with("idempotency-key", "change-x");
    let removing = operator.with("idempotency-key", "remove-x");
    let made = making.post("/api/v1/tenants", json!({"name": "x"})).await.expect(201);
    let at = format!("/api/v1/tenants/{}", made.json["id"].as_str().unwrap());
    changing.patch(&at, json!({"name": "y"})).await.expect(200);
    assert_eq!(answers(&world).await, 2);

    let removed = removing.delete(&at).await.expect(200).json;
    assert_eq!(answers(&world).await, 1, "that of the removal");
    for name in ["x", "another"] {
        let again = making.post("/api/v1/tenants", json!({"name": name})).await;
        again.refused(410, "answer_gone");
    }
    let again = changing.patch(&at, json!({"name": "y"})).await;
    again.refused(410, "answer_gone");
    assert_eq!(operator.get("/api/v1/tenants").await.json["tenants"], json!([]));
    let again = removing.delete(&at).await.expect(200);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json, removed);
}

#[tokio::test]
async fn of_a_tenant_that_is_removed_while_a_write_on_it_comes_to_its_end_no_answer_is_kept() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = receiver.local_addr().unwrap().to_string();
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&address)).await;
    let (id, _) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    let wanted = json!({"url": format!("http://{address}/"), "events": ["turn.failed"]});
    let hook = operator.post(&format!("{at}/webhooks"), wanted).await.expect(201).json;
    let test = format!("{at}/webhooks/{}/test", hook["id"].as_str().unwrap());
    let testing = operator.with("idempotency-key", "test-x");
    // It has told what it tells, and does not come to its answer before the tenant is removed.
    let removal = async {
        let (mut told, _) = receiver.accept().await.unwrap();
        operator.delete(&at).await.expect(200);
        told.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        told
    };
    let (tested, _told) = tokio::join!(testing.send(Method::POST, &test, None), removal);
    assert_eq!(tested.expect(200).json["delivered"], true);
    assert_eq!(answers(&world).await, 0);
    let again = testing.send(Method::POST, &test, None).await;
    again.refused(410, "answer_gone");
}

/// Another server, whose database lets nobody off that waits in a circle.
async fn without_a_way_out(world: &World, agents: Agents) -> World {
    let set = format!("ALTER DATABASE {} SET deadlock_timeout = '1h'", world.database.name());
    sqlx::query(sqlx::AssertSqlSafe(set))
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    world.beside(agents, &[]).await
}

/// The keys of the platform are held until so many wait. Then all come to their end.
async fn while_the_keys_are_held<T>(world: &World, many: i64, work: impl Future<Output = T>) -> T {
    let mut owner = world.database.owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('holdfast/wrapping-keys'))")
        .execute(&mut *lock)
        .await
        .unwrap();
    let goes_on = async {
        world.database.until_wait_for_locks(many).await;
        lock.rollback().await.unwrap();
    };
    let all = async { tokio::join!(work, goes_on).0 };
    let all = tokio::time::timeout(Duration::from_secs(20), all).await;
    all.expect("nobody waits for one who waits for them")
}

/// Once so many wait.
async fn behind<T>(world: &World, many: i64, work: impl Future<Output = T>) -> T {
    world.database.until_wait_for_locks(many).await;
    work.await
}

#[tokio::test]
async fn a_write_that_is_answered_one_that_seals_and_a_rotation_do_not_wait_for_each_other() {
    let (first, agents, operator) = World::with_tenants().await;
    let (id, _) = first.tenant("x").await;
    let world = without_a_way_out(&first, agents).await;
    let operator = operator.asking(world.router.clone());
    let at = format!("/api/v1/tenants/{id}");
    let hooks = format!("{at}/webhooks");
    let changing = operator.with("idempotency-key", "change-x");
    let all = async {
        tokio::join!(
            changing.patch(&at, json!({"name": "y"})),
            behind(&world, 1, operator.post(ROTATE, json!({}))),
            behind(&world, 2, operator.post(&hooks, hook())),
        )
    };
    let (changed, rotated, added) = while_the_keys_are_held(&world, 3, all).await;
    changed.expect(200);
    rotated.expect(200);
    added.expect(201);
}

#[tokio::test]
async fn nor_do_a_tenants_own_write_and_the_removal_of_the_tenant() {
    let (first, agents, operator) = World::with_tenants().await;
    let (id, tenant) = first.tenant("x").await;
    let said = json!({"session_id": "s", "message": "Hi"});
    tenant.post("/api/v1/chat", said).await.expect(200);
    let world = without_a_way_out(&first, agents.clone()).await;
    let operator = operator.asking(world.router.clone());
    let at = format!("/api/v1/tenants/{id}");
    let hooks = format!("{at}/webhooks");
    let naming = tenant.asking(world.router.clone()).with("idempotency-key", "name-s");
    // It has found its tenant before somebody has it who seals, and comes to its end after that.
    let removal = async {
        agents.hold_at("remove");
        operator.delete(&at).await
    };
    let adding = async {
        agents.until_somebody_waits().await;
        operator.post(&hooks, hook()).await
    };
    let goes_on = async { agents.go_on() };
    let all = async {
        tokio::join!(
            naming.patch("/api/v1/sessions/s", json!({"title": "t"})),
            behind(&world, 1, operator.post(ROTATE, json!({}))),
            behind(&world, 2, async { tokio::join!(removal, adding) }),
            behind(&world, 3, goes_on),
        )
    };
    let (named, rotated, (removed, added), ()) = while_the_keys_are_held(&world, 4, all).await;
    named.expect(200);
    rotated.expect(200);
    added.expect(201);
    removed.expect(200);
}

/// A tenant of which there is one of everything, and its program.
struct Whole {
    tenant: Developer,
    at: String,
    agent: String,
    template: String,
    webhook: String,
    key: String,
}

impl Whole {
    async fn new(world: &World, operator: &Developer) -> Self {
        let (id, tenant) = world.tenant("whole").await;
        let at = format!("/api/v1/tenants/{id}");
        let make = async |path: &str, wanted: Value| operator.post(path, wanted).await.expect(201).json;
        make(&format!("{at}/agents"), json!({"name": "press", "template": "writer"})).await;
        make("/api/v1/templates", json!({"name": "desk"})).await;
        let webhook = make(&format!("{at}/webhooks"), hook()).await;
        let key = make(&format!("{at}/keys"), json!({})).await;
        let said = json!({"session_id": "s", "message": "Hi"});
        tenant.post("/api/v1/chat", said).await.expect(200);
        let below = |path: &str, made: &Value| format!("{at}/{path}/{}", made["id"].as_str().unwrap());
        Self {
            tenant,
            agent: format!("{at}/agents/press"),
            template: "/api/v1/templates/desk".to_owned(),
            webhook: below("webhooks", &webhook),
            key: below("keys", &key),
            at,
        }
    }

    /// What changes something of it.
    fn changes(&self) -> [(&str, Value); 3] {
        [
            (&self.at, json!({"name": "y"})),
            (&self.agent, json!({"template": "butler"})),
            (&self.template, json!({"persona": "Another."})),
        ]
    }

    /// What takes something of it away, itself last; and who asks for that.
    fn removals<'a>(&'a self, operator: &'a Developer) -> [(&'a Developer, &'a str); 6] {
        [
            (&self.tenant, "/api/v1/sessions/s"),
            (operator, &self.key),
            (operator, &self.webhook),
            (operator, &self.agent),
            (operator, &self.template),
            (operator, &self.at),
        ]
    }
}

#[tokio::test]
async fn nor_do_two_writes_that_are_written_down_and_a_rotation() {
    let (first, agents, operator) = World::with_tenants().await;
    let whole = Whole::new(&first, &operator).await;
    let (told, _) = first.tenant("x").await;
    let world = without_a_way_out(&first, agents).await;
    let operator = operator.asking(world.router.clone());
    let hooks = format!("/api/v1/tenants/{told}/webhooks");
    let mut owner = world.database.owner().await;
    let keys = format!("{}/keys", whole.at);
    let mut writes = vec![(&operator, Method::POST, keys.as_str(), Some(json!({})))];
    for (path, change) in whole.changes() {
        writes.push((&operator, Method::PATCH, path, Some(change)));
    }
    for (program, path) in whole.removals(&operator) {
        writes.push((program, Method::DELETE, path, None));
    }
    for (program, method, path, body) in writes {
        let key = format!("{method}-{path}");
        let giving = program.asking(world.router.clone()).with("idempotency-key", key);
        let mut lock = owner.begin().await.unwrap();
        // One has sealed, and is not written down yet.
        sqlx::query("LOCK TABLE api_webhooks IN EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await
            .unwrap();
        let goes_on = async { lock.rollback().await.unwrap() };
        let all = async {
            tokio::join!(
                operator.post(&hooks, hook()),
                behind(&world, 1, operator.post(ROTATE, json!({}))),
                behind(&world, 2, giving.send(method.clone(), path, body.as_ref())),
                behind(&world, 3, goes_on),
            )
        };
        let all = tokio::time::timeout(Duration::from_secs(20), all).await;
        let (added, rotated, given, ()) =
            all.unwrap_or_else(|_| panic!("{method} {path}: one waits for who waits for it"));
        rotated.expect(200);
        assert!(given.status.is_success(), "{method} {path}: {}", given.text);
        let added = added.expect(201).json["id"].clone();
        let added = format!("{hooks}/{}", added.as_str().unwrap());
        operator.delete(&added).await.expect(204);
    }
}

#[tokio::test]
async fn answers_are_forgotten_after_a_day_also_where_nobody_writes() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    let change = async |key| {
        let once = operator.with("idempotency-key", key);
        once.patch(&at, json!({"name": key})).await.expect(200);
    };
    change("old").await;
    change("new").await;
    sqlx::query("UPDATE api_writes SET begun_at = begun_at - interval '1 day' WHERE key_hash = sha256('old')")
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    // The next write would sweep for its own tenant; for all of them does a server, first when it starts.
    let _beside = world.beside(agents, &[]).await;
    let swept = async {
        while answers(&world).await > 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let swept = tokio::time::timeout(Duration::from_secs(20), swept).await;
    swept.expect("what is a day old is forgotten");
    assert_eq!(answers(&world).await, 1, "the other one stays");
}
