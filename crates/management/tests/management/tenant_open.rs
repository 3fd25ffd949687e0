//! Requests that stay open: how many a tenant may have, and how long one waits for a cell.

use std::time::Duration;

use axum::http::{Method, header};
use management::limits;
use serde_json::json;

use crate::support::{Agents, World};

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
