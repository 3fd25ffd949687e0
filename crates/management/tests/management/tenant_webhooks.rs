//! What webhooks of the tenant API are told: signed, at least once, and never a word of what was said.

use std::time::Duration;

use axum::http::{Method, header};
use management::limits;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::destinations::assert_signed;
use crate::support::{Developer, Receiver, World};

fn at(tenant: Uuid) -> String {
    format!("/api/v1/tenants/{tenant}/webhooks")
}

/// Adds one for everything.
async fn add(operator: &Developer, tenant: Uuid, receiver: &Receiver) -> Value {
    let wanted = json!({"url": receiver.url("/hook/s3cret-path"), "events": ["turn.finished", "turn.failed"]});
    operator.post(&at(tenant), wanted).await.expect(201).json
}

/// The tenant's only webhook, once it is as asked for.
async fn once(operator: &Developer, tenant: Uuid, is: impl Fn(&Value) -> bool) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let webhook = operator.get(&at(tenant)).await.expect(200).json["webhooks"][0].clone();
            if is(&webhook) {
                return webhook;
            }
        }
    });
    told.await.expect("it comes to that")
}

async fn say(tenant: &Developer, message: &str) -> Value {
    let said = json!({"session_id": "s_1", "message": message});
    tenant.post("/api/v1/chat", said).await.json
}

/// All that these tables hold, as PostgreSQL writes it.
async fn rows(world: &World, tables: &[&str]) -> String {
    let mut owner = world.database.owner().await;
    let mut all = String::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
            .fetch_all(&mut owner)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table}");
        all.push_str(&rows.concat());
    }
    all
}

#[tokio::test]
async fn a_finished_turn_is_told_signed_and_without_a_word_of_it() {
    let receiver = Receiver::start().await;
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    let made = add(&operator, id, &receiver).await;
    assert_eq!(made["host"], receiver.address);
    // While it waits, it is in the database.
    receiver.answers(503);
    let answer = say(&tenant, "canary").await;
    let got = receiver.next().await;
    once(&operator, id, |each| {
        each["waiting"] == 1 && !each["last_problem"].is_null()
    })
    .await;
    let kept = rows(&world, &["deliveries", "api_webhooks"]).await;
    assert!(kept.contains("turn.finished") && !kept.contains("canary"), "{kept}");

    assert_eq!(got.path, "/hook/s3cret-path");
    assert_signed(&got, &made["secret"]);
    assert_eq!(got.header("webhook-timestamp"), world.clock.seconds().to_string());
    let told = got.json();
    let now = world.clock.seconds() * 1000;
    assert_eq!(told["type"], "turn.finished");
    assert_eq!(
        told["data"],
        json!({
            "tenant_id": id, "agent": "main", "session_id": "s_1", "turn_id": answer["turn_id"], "outcome": "finished", "usage": answer["usage"],
            "begun_at": now, "ended_at": now,
        })
    );
}

#[tokio::test]
async fn a_turn_of_another_agent_names_it() {
    let receiver = Receiver::start().await;
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    let press = json!({"name": "press", "model": {"key": "sk-of-press"}});
    operator
        .post(&format!("/api/v1/tenants/{id}/agents"), press)
        .await
        .expect(201);
    add(&operator, id, &receiver).await;
    for (message, kind) in [("Hello", "turn.finished"), ("fail", "turn.failed")] {
        let said = json!({"session_id": "s_1", "message": message, "agent": "press"});
        tenant.post("/api/v1/chat", said).await;
        let told = receiver.next().await.json();
        assert_eq!(told["type"], kind);
        assert_eq!(
            (&told["data"]["agent"], &told["data"]["session_id"]),
            (&json!("press"), &json!("s_1"))
        );
    }
    // The same words to the first agent are of the first agent.
    say(&tenant, "Hello").await;
    assert_eq!(receiver.next().await.json()["data"]["agent"], "main");
}

#[tokio::test]
async fn a_failed_turn_is_told_with_its_code_and_only_to_who_wants_it() {
    let (all, finished) = (Receiver::start().await, Receiver::start().await);
    let named = [all.address.clone(), finished.address.clone()];
    let (world, _, operator) = World::with_tenants_telling(&named).await;
    let (id, tenant) = world.tenant("x").await;
    let (other, _) = world.tenant("other").await;
    add(&operator, id, &all).await;
    add(&operator, other, &finished).await;
    let wanted = json!({"url": finished.url("/only"), "events": ["turn.finished", "turn.finished"]});
    let made = operator.post(&at(id), wanted).await.expect(201).json;
    assert_eq!(made["events"], json!(["turn.finished"]));
    say(&tenant, "fail").await;
    say(&tenant, "Hello").await;
    let mut told = [all.next().await.json(), all.next().await.json()];
    told.sort_by_key(|each| each["type"].to_string());
    assert_eq!(told[0]["type"], "turn.failed");
    assert_eq!(told[0]["data"]["outcome"], "model_refused_key");
    assert!(told[0]["data"]["usage"].is_null());
    assert!(!told[0].to_string().contains("refused."), "{}", told[0]);
    let only = finished.next().await;
    assert_eq!((only.path.as_str(), &only.json()), ("/only", &told[1]));
    assert!(finished.rest().await.is_empty() && all.rest().await.is_empty());
}

#[tokio::test]
async fn a_receiver_that_was_down_is_told_when_it_is_back_also_by_another_server() {
    let receiver = Receiver::start().await;
    let named = [receiver.address.clone()];
    let (world, agents, operator) = World::with_tenants_telling(&named).await;
    let (id, tenant) = world.tenant("x").await;
    let made = add(&operator, id, &receiver).await;
    receiver.answers(503);
    let key = tenant.with("idempotency-key", "k");
    say(&key, "Hello").await;
    let first = receiver.next().await;
    let failed = once(&operator, id, |each| !each["last_problem"].is_null()).await;
    assert_eq!(failed["last_problem"], "it answered 503: it has trouble of its own");
    assert_eq!((&failed["waiting"], &failed["given_up"]), (&json!(1), &json!(0)));

    let (world, _, operator) = world.restarted_with_tenants(agents, &named).await;
    receiver.answers(204);
    world.clock.advance(limits::DELIVERY_RETRY);
    let again = receiver.next().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);
    assert_signed(&again, &made["secret"]);
    let taken = once(&operator, id, |each| each["waiting"] == 0).await;
    assert!(
        taken["last_problem"].is_null() && !taken["last_sent_at"].is_null(),
        "{taken}"
    );
    assert!(receiver.rest().await.is_empty());
}

/// Turns that a server is to go on with, should theirs end.
async fn looked_after(world: &World) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM api_turns");
    count.fetch_one(&mut world.database.owner().await).await.unwrap()
}

/// A turn that goes on when nobody reads it, in this session, and that is not answered yet.
async fn held(tenant: &Developer, session: &str) -> String {
    let wanted = json!({"session_id": session, "message": "hold", "stream": true, "detach": true});
    let mut stream = tenant.stream("/api/v1/chat", wanted).await;
    let begun = stream.next().await.unwrap();
    loop {
        if stream.next().await.unwrap().data.contains("accepted") {
            return begun.id.split_once(':').unwrap().0.to_owned();
        }
    }
}

#[tokio::test]
async fn a_turn_whose_server_has_gone_is_told_by_another_though_nobody_asks_for_it_again() {
    let receiver = Receiver::start().await;
    let named = [receiver.address.clone()];
    let (world, agents, operator) = World::with_tenants_telling(&named).await;
    let (id, tenant) = world.tenant("x").await;
    // Nobody wants to be told of this one.
    held(&tenant, "before").await;
    assert_eq!(looked_after(&world).await, 0);
    add(&operator, id, &receiver).await;
    let turn = held(&tenant, "s_1").await;
    assert_eq!(looked_after(&world).await, 1);
    let kept = rows(&world, &["api_turns"]).await;
    assert!(kept.contains(&turn) && !kept.contains("hold"), "{kept}");

    let (world, agents, _) = world.restarted_with_tenants(agents, &named).await;
    // Its keeper goes on meanwhile, and nobody listens.
    agents.release_with("at last");
    tokio::time::sleep(limits::ORPHANS_LOOK + Duration::from_secs(1)).await;
    assert_eq!(looked_after(&world).await, 1, "it is still the other server's");
    assert!(receiver.rest().await.is_empty());
    world.clock.advance(limits::TURN_LEASE);
    let told = receiver.next().await.json();
    assert_eq!(told["type"], "turn.finished");
    assert_eq!(
        (&told["data"]["turn_id"], &told["data"]["session_id"]),
        (&json!(turn), &json!("s_1"))
    );
    assert_eq!(looked_after(&world).await, 0);
    world.clock.advance(limits::TURN_LEASE);
    tokio::time::sleep(limits::ORPHANS_LOOK + Duration::from_secs(1)).await;
    assert!(receiver.rest().await.is_empty());
}

#[tokio::test]
async fn a_turn_whose_server_has_gone_and_that_its_cell_does_not_know_has_failed_once_the_cell_can_be_asked() {
    let receiver = Receiver::start().await;
    let (world, agents, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    add(&operator, id, &receiver).await;
    say(&tenant, "Hello").await;
    receiver.next().await;
    let leave = "INSERT INTO api_turns (tenant_id, id, agent, session, told, offers, required, begun_at, held_until)
        VALUES ($1, $2, 'main', $3, sha256('x'), false, false, $4, $4)";
    let leave_in = async |session: &str| {
        let turn = Uuid::now_v7();
        let left = sqlx::query(leave)
            .bind(id)
            .bind(turn)
            .bind(session)
            .bind(management::Clock::now(&*world.clock));
        left.execute(&mut world.database.owner().await).await.unwrap();
        turn
    };
    agents.break_down();
    let turn = leave_in("s_1").await;
    tokio::time::sleep(limits::ORPHANS_LOOK + Duration::from_secs(1)).await;
    assert!(receiver.rest().await.is_empty());
    agents.repair();
    world.clock.advance(limits::TURN_LEASE);
    let told = receiver.next().await.json();
    let outcome = |told: &Value| (told["type"].clone(), told["data"]["outcome"].clone());
    assert_eq!(told["data"]["turn_id"], json!(turn));
    assert_eq!(outcome(&told), (json!("turn.failed"), json!("interrupted")));
    // Nor is there one in a session that is deleted.
    leave_in("gone").await;
    assert_eq!(
        outcome(&receiver.next().await.json()),
        (json!("turn.failed"), json!("not_found"))
    );
    // And a cell that cannot be asked for too long has failed it.
    agents.break_down();
    leave_in("s_1").await;
    world.clock.advance(limits::ORPHAN_PATIENCE + limits::TURN_LEASE);
    assert_eq!(
        outcome(&receiver.next().await.json()),
        (json!("turn.failed"), json!("cell_unavailable"))
    );
    assert_eq!(looked_after(&world).await, 0);
}

#[tokio::test]
async fn what_is_never_taken_is_given_up_and_counted() {
    let receiver = Receiver::start().await;
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    add(&operator, id, &receiver).await;
    receiver.answers(500);
    say(&tenant, "Hello").await;
    for tries in 1..=limits::DELIVERY_TRIES {
        receiver.next().await;
        once(&operator, id, |each| {
            each["last_failed_at"] == world.clock.seconds() * 1000
        })
        .await;
        if tries < limits::DELIVERY_TRIES {
            let wait = limits::DELIVERY_RETRY * 2_u32.pow(u32::try_from(tries - 1).unwrap());
            world.clock.advance(wait);
        }
    }
    let given_up = once(&operator, id, |each| each["given_up"] == 1).await;
    assert_eq!(given_up["waiting"], 0);
    // Who says that there is nothing any more is believed at once.
    receiver.answers(410);
    say(&tenant, "Hello").await;
    receiver.next().await;
    once(&operator, id, |each| each["given_up"] == 2 && each["waiting"] == 0).await;
}

#[tokio::test]
async fn a_private_address_is_refused_with_the_setting_that_would_allow_it() {
    let (named, other) = (Receiver::start().await, Receiver::start().await);
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&named.address)).await;
    let (id, _) = world.tenant("x").await;
    for (wanted, field, words) in [
        (
            json!({"url": other.url("/x"), "events": ["turn.failed"]}),
            "url",
            "`private_addresses` of `[alerts]`",
        ),
        (
            json!({"url": "https://169.254.169.254/s3cret", "events": ["turn.failed"]}),
            "url",
            "keep their metadata",
        ),
        (
            json!({"url": "http://hooks.example.org/x", "events": ["turn.failed"]}),
            "url",
            "must start with https://",
        ),
        (
            json!({"url": "s3cret", "events": ["turn.failed"]}),
            "url",
            "not an address of the web",
        ),
        (json!({"url": named.url("/x"), "events": []}), "events", "at least one"),
    ] {
        let refused = operator.post(&at(id), wanted).await;
        assert_eq!((refused.status.as_u16(), &refused.json["field"]), (422, &json!(field)));
        let detail = refused.json["detail"].as_str().unwrap();
        assert!(detail.contains(words) && !detail.contains("s3cret"), "{detail}");
    }
    for unreadable in [
        json!({}),
        json!({"url": named.url("/x"), "events": ["approval.requested"]}),
    ] {
        assert_eq!(operator.post(&at(id), unreadable).await.status, 400);
    }
    assert_eq!(operator.get(&at(id)).await.json["webhooks"], json!([]));

    // A name is judged by what it stands for when it is called.
    let port = other.address.rsplit_once(':').unwrap().1;
    let hidden = json!({"url": format!("https://localhost:{port}/x"), "events": ["turn.failed"]});
    let made = operator.post(&at(id), hidden).await.expect(201).json;
    let test = format!("{}/{}/test", at(id), made["id"].as_str().unwrap());
    let tested = operator.send(Method::POST, &test, None).await.expect(200).json;
    assert_eq!(tested["delivered"], false);
    assert!(
        tested["problem"].as_str().unwrap().contains("a loopback address"),
        "{tested}"
    );
    // Nor does one that is allowed lead there.
    named.answers_with(302, header::LOCATION, &other.url("/x"));
    let made = add(&operator, id, &named).await;
    let test = format!("{}/{}/test", at(id), made["id"].as_str().unwrap());
    let tested = operator.send(Method::POST, &test, None).await.expect(200).json;
    assert!(
        tested["problem"].as_str().unwrap().contains("it sends elsewhere"),
        "{tested}"
    );
    named.next().await;
    named.answers(200);
    let tested = operator.send(Method::POST, &test, None).await.expect(200).json;
    assert_eq!(tested, json!({"delivered": true, "problem": null}));
    let got = named.next().await;
    assert_eq!(got.json()["type"], "test");
    assert_signed(&got, &made["secret"]);
    assert!(other.rest().await.is_empty());
}

#[tokio::test]
async fn the_secret_is_told_once_kept_sealed_and_signs_after_the_keys_were_rotated() {
    let receiver = Receiver::start().await;
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    let again = operator.with("idempotency-key", "k");
    let made = add(&again, id, &receiver).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_eq!(
        add(&again, id, &receiver).await,
        made,
        "the same write is answered again"
    );
    let listed = operator.get(&at(id)).await.expect(200);
    assert_eq!(listed.json["webhooks"].as_array().unwrap().len(), 1);
    let kept = rows(&world, &["api_webhooks", "api_writes"]).await + &listed.text;
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for secret in ["s3cret-path", secret, secret.trim_start_matches("whsec_")] {
        assert!(!kept.contains(secret) && !kept.contains(&hex(secret)), "{secret}");
    }

    operator
        .post("/api/v1/platform-keys/rotate", json!({}))
        .await
        .expect(200);
    let keys: Vec<i32> = sqlx::query_scalar("SELECT key_id FROM api_webhooks")
        .fetch_all(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(keys, [2]);
    say(&tenant, "Hello").await;
    assert_signed(&receiver.next().await, &made["secret"]);
}

#[tokio::test]
async fn webhooks_are_bounded_and_go_with_what_waits_for_them() {
    let receiver = Receiver::start().await;
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    let (other, _) = world.tenant("other").await;
    let mut made = Vec::new();
    for _ in 0..limits::TENANT_WEBHOOKS {
        made.push(add(&operator, id, &receiver).await["id"].as_str().unwrap().to_owned());
    }
    let more = json!({"url": receiver.url("/x"), "events": ["turn.failed"]});
    let refused = operator.post(&at(id), more.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["code"]),
        (409, &json!("limit_reached"))
    );
    // Under another tenant's address, it is nothing.
    for path in ["", "/test"] {
        let method = if path.is_empty() { Method::DELETE } else { Method::POST };
        let answer = operator
            .send(method, &format!("{}/{}{path}", at(other), made[0]), None)
            .await;
        assert_eq!(answer.status, 404);
    }
    receiver.answers(503);
    say(&tenant, "Hello").await;
    operator.delete(&format!("{}/{}", at(id), made[0])).await.expect(204);
    let waits = "SELECT count(*) FROM deliveries";
    let mut owner = world.database.owner().await;
    let left: i64 = sqlx::query_scalar(waits).fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, limits::TENANT_WEBHOOKS - 1);
    let gone = operator.delete(&format!("/api/v1/tenants/{id}")).await.expect(200).json;
    assert_eq!(gone["removed"]["webhooks"], limits::TENANT_WEBHOOKS - 1);
    let left: i64 = sqlx::query_scalar(waits).fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, 0);
    assert_eq!(operator.get(&at(id)).await.status, 404);
    assert_eq!(operator.post(&at(id), more).await.status, 404);
}
