//! Requests that stay open: how many a tenant may have, how long one waits for a cell, and that they end with their key.

use std::time::Duration;

use axum::http::{Method, header};
use management::limits;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Agents, Developer, World, comes};

/// Somebody waits for a keeper, and it says nothing for as long as it may.
async fn stays_silent(agents: &Agents) {
    agents.until_somebody_waits().await;
    tokio::time::pause();
    tokio::time::advance(limits::CELL_ANSWER + Duration::from_secs(1)).await;
    tokio::time::resume();
    // Whoever has waited goes on.
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn a_tenant_has_so_many_requests_open_and_another_that_ends_makes_room() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let (_, other) = world.tenant("y").await;
    let wanted = json!({"limits": {"requests_per_minute": 1000}});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), wanted)
        .await
        .expect(200);
    let wanted = json!({"session_id": "s", "message": "hold", "stream": true});
    let mut first = tenant.stream("/api/v1/chat", wanted.clone()).await;
    let begun = first.until("delta").await;
    let back = tenant.with("last-event-id", begun.id);
    let mut open = Vec::new();
    for _ in 1..limits::TENANT_OPEN {
        open.push(back.stream("/api/v1/chat", json!({})).await);
    }
    let refused = tenant.get("/api/v1/sessions").await.expect(429);
    assert_eq!(refused.json["code"], "too_many_open");
    assert!(refused.text.contains("TENANT_OPEN"), "{}", refused.text);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    other.get("/api/v1/sessions").await.expect(200);

    // One that is closed, and one that was answered whole, is not read, and then is let go.
    open.pop();
    let unread = tenant.raw(Method::GET, "/api/v1/sessions", None).await;
    assert_eq!(unread.status(), 200);
    tenant.get("/api/v1/sessions").await.expect(429);
    drop(unread);
    tenant.get("/api/v1/sessions").await.expect(200);
    tenant.get("/api/v1/sessions").await.expect(200);
    agents.release();
    first.until("final").await;
}

#[tokio::test]
async fn what_a_cell_does_not_answer_is_not_waited_for_without_end() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let wanted = json!({"session_id": "s", "message": "Hello"});
    tenant.post("/api/v1/chat", wanted).await.expect(200);
    for path in ["sessions", "sessions/s", "approvals", "usage"] {
        agents.hold();
        let waiting = tokio::spawn({
            let tenant = tenant.clone();
            async move { tenant.get(&format!("/api/v1/{path}")).await }
        });
        stays_silent(&agents).await;
        let late = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        let late = late.expect("it waits without end").unwrap().expect(503);
        assert!(late.text.contains("CELL_ANSWER"), "{path}: {}", late.text);
        assert!(late.headers.contains_key(header::RETRY_AFTER));
        agents.go_on();
        tenant.get(&format!("/api/v1/{path}")).await.expect(200);
    }
}

#[tokio::test]
async fn a_keeper_that_stays_silent_does_not_hold_its_tenant() {
    let (world, agents, operator) = World::with_tenants().await;
    let price = json!({"model": {"price": {"input": 1, "output": 2}}});
    let fallback = json!({"kind": "openai", "base_url": "https://llm.example/v1", "model": "n"});
    let agent = json!({"name": "press", "limits": {"spend_day": 1}});
    // What the keeper does not answer, and how often it is asked that; and who asks.
    for (method, times, to, wanted) in [
        ("provider.list", 1, Method::PATCH, price),
        ("template.set", 1, Method::PATCH, json!({"template": "writer"})),
        ("provider.set", 1, Method::PATCH, json!({"model": {"model": "n"}})),
        ("provider.set", 1, Method::PATCH, json!({"fallbacks": [fallback]})),
        ("spending.set", 2, Method::PATCH, json!({"limits": {"spend_day": 2}})),
        ("spending.set", 2, Method::POST, agent.clone()),
        ("spending.get", 1, Method::POST, agent),
    ] {
        let (id, tenant) = world.tenant("x").await;
        let at = format!("/api/v1/tenants/{id}");
        operator
            .patch(&at, json!({"limits": {"spend_day": 5}}))
            .await
            .expect(200);
        let path = match to {
            Method::POST => format!("{at}/agents"),
            _ => at.clone(),
        };
        agents.hold_at(method);
        let writing = tokio::spawn({
            let operator = operator.clone();
            async move { operator.send(to, &path, Some(&wanted)).await }
        });
        agents.until_somebody_waits().await;
        let removing = tokio::spawn({
            let operator = operator.clone();
            async move { operator.delete(&at).await }
        });
        // It has ended the keys, and waits for the write.
        while tenant.get("/v1/models").await.status != 401 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for _ in 0..times {
            stays_silent(&agents).await;
        }
        let both = async { (writing.await.unwrap(), removing.await.unwrap()) };
        let both = tokio::time::timeout(Duration::from_secs(20), both).await;
        let (written, removed) = both.unwrap_or_else(|_| panic!("{method}: it waits without end"));
        let late = written.expect(503);
        assert!(late.text.contains("CELL_ANSWER"), "{method}: {}", late.text);
        removed.expect(200);
        agents.go_on();
    }
}

/// Another key of a tenant: its address, and the program with it.
async fn another_key(operator: &Developer, id: Uuid, tenant: &Developer, wanted: Value) -> (String, Developer) {
    let keys = format!("/api/v1/tenants/{id}/keys");
    let made = operator.post(&keys, wanted).await.expect(201).json;
    let mut other = tenant.clone();
    other.headers[0].1 = format!("Bearer {}", made["key"].as_str().unwrap());
    (format!("{keys}/{}", made["id"].as_str().unwrap()), other)
}

/// A turn that waits, asked for as events.
fn held(session: &str, detach: bool) -> Value {
    json!({"session_id": session, "message": "hold", "stream": true, "detach": detach})
}

/// A second on a machine that does nothing else; far less than until a key is looked up again by itself.
const SOON: Duration = Duration::from_secs(10);

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn what_is_read_with_a_key_ends_at_once_with_it_at_any_server() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let other = world.beside(agents.clone(), &[]).await;
    let (address, revoked) = another_key(&operator, id, &tenant, json!({})).await;

    let mut stays = tenant.stream("/api/v1/chat", held("stays", false)).await;
    let mut stopped = revoked.stream("/api/v1/chat", held("stopped", false)).await;
    let mut detached = revoked.stream("/api/v1/chat", held("detached", true)).await;
    for stream in [&mut stays, &mut stopped, &mut detached] {
        stream.until("delta").await;
    }
    let words = json!([{"role": "user", "content": "hold"}]);
    let chunks = json!({"model": "m", "user": "chunks", "messages": words, "stream": true});
    let mut chunks = revoked.stream("/v1/chat/completions", chunks).await;
    chunks.next().await.unwrap();
    let events = json!({"model": "m", "user": "events", "input": "hold", "stream": true});
    let mut events = revoked.stream("/v1/responses", events).await;
    events.until("response.output_text.delta").await;
    let whole = tokio::spawn({
        let revoked = revoked.clone();
        async move {
            revoked
                .post("/api/v1/chat", json!({"session_id": "whole", "message": "hold"}))
                .await
        }
    });
    comes("all six run", || agents.running() == 6).await;

    operator.asking(other.router.clone()).delete(&address).await.expect(204);
    let ends = async {
        for stream in [stopped, detached] {
            let rest = stream.rest().await;
            let last = rest.last().unwrap();
            assert_eq!(
                (last.event.as_str(), &last.json()["code"]),
                ("error", &json!("key_ended"))
            );
            assert!(last.json()["message"].as_str().unwrap().contains("revoked"), "{last:?}");
        }
        let rest = chunks.rest().await;
        let error = rest.last().unwrap().json()["error"].clone();
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!("key_ended"), &json!("authentication_error"))
        );
        let rest = events.rest().await;
        let last = rest.last().unwrap();
        assert_eq!(last.event, "response.failed");
        assert_eq!(last.json()["response"]["error"]["code"], "key_ended");
        whole.await.unwrap().refused(401, "key_ended");
    };
    tokio::time::timeout(SOON, ends).await.expect("they go on");
    // As if their client had left: what was detached goes on, and whoever has another key.
    comes("the others are stopped", || agents.running() == 2).await;
    agents.release();
    stays.until("final").await;
    let session = tenant.get("/api/v1/sessions/detached").await.expect(200).json;
    assert_eq!(session["messages"][1]["text"], "at last");

    // Nor is there a stream where none has begun yet.
    let (address, revoked) = another_key(&operator, id, &tenant, json!({})).await;
    agents.hold();
    let early = tokio::spawn(async move { revoked.post("/api/v1/chat", held("early", false)).await });
    agents.until_somebody_waits().await;
    operator.delete(&address).await.expect(204);
    let early = tokio::time::timeout(SOON, early).await.expect("it waits");
    early.unwrap().refused(401, "key_ended");
    agents.go_on();
}

#[tokio::test]
async fn a_stream_ends_when_the_time_of_its_key_is_over() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let mut stream = tenant.stream("/api/v1/chat", held("s", false)).await;
    stream.until("delta").await;
    let (_, second) = another_key(&operator, id, &tenant, json!({"overlap_hours": 1})).await;
    // It is heard of by then, and the key was looked up: with the clock as it is now.
    tokio::time::sleep(3 * SECOND).await;
    world.clock.advance(Duration::from_secs(60 * 60 - 1));
    tokio::time::pause();
    tokio::time::advance(limits::SESSION_CHECK + SECOND).await;
    tokio::time::resume();
    let early = tokio::time::timeout(Duration::from_millis(300), stream.next()).await;
    assert!(early.is_err(), "its key works still: {early:?}");
    world.clock.advance(SECOND);
    let told = tokio::time::timeout(SOON, stream.until("error")).await;
    assert_eq!(told.expect("it goes on").json()["code"], "key_ended");
    assert!(stream.next().await.is_none());

    // Replaced at once.
    let mut stream = second.stream("/api/v1/chat", held("t", false)).await;
    stream.until("delta").await;
    another_key(&operator, id, &tenant, json!({"overlap_hours": 0})).await;
    let told = tokio::time::timeout(SOON, stream.until("error")).await;
    assert_eq!(told.expect("it goes on").json()["code"], "key_ended");
}
