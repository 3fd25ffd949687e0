//! Every route of the tenant API, for every caller: nobody, somebody signed in, a person's key, made-up keys, the operator, and a
//! tenant on what is its own, what is another's, and what does not exist. Made from the router's own list.

use std::collections::BTreeSet;

use axum::http::Method;
use management::Access;
use serde_json::{Value, json};

use crate::support::{Developer, HASH, OPERATOR, World};

/// What to send, and the status for those who may. `{id}` is a tenant's or a session's.
fn calls() -> Vec<(Method, &'static str, Option<Value>, u16)> {
    let said = json!([{"role": "user", "content": "Hi"}]);
    vec![
        (Method::GET, "/api/v1/tenants", None, 200),
        (Method::POST, "/api/v1/tenants", Some(json!({"name": "x"})), 201),
        (Method::GET, "/api/v1/tenants/{id}", None, 200),
        (Method::PATCH, "/api/v1/tenants/{id}", Some(json!({"name": "y"})), 200),
        (Method::GET, "/api/v1/tenants/{id}/agents", None, 200),
        (
            Method::POST,
            "/api/v1/tenants/{id}/agents",
            Some(json!({"name": "x"})),
            201,
        ),
        (Method::GET, "/api/v1/tenants/{id}/agents/{name}", None, 200),
        (
            Method::PATCH,
            "/api/v1/tenants/{id}/agents/{name}",
            Some(json!({"template": "writer"})),
            200,
        ),
        (Method::DELETE, "/api/v1/tenants/{id}/agents/{name}", None, 200),
        (Method::POST, "/api/v1/tenants/{id}/keys", Some(json!({})), 201),
        (Method::DELETE, "/api/v1/tenants/{id}/keys/{key}", None, 404),
        (Method::DELETE, "/api/v1/tenants/{id}", None, 200),
        (Method::GET, "/api/v1/tenants/{id}/webhooks", None, 200),
        (
            Method::POST,
            "/api/v1/tenants/{id}/webhooks",
            Some(json!({"url": "https://hooks.example/x", "events": ["turn.failed"]})),
            201,
        ),
        (Method::DELETE, "/api/v1/tenants/{id}/webhooks/{webhook}", None, 404),
        (Method::POST, "/api/v1/tenants/{id}/webhooks/{webhook}/test", None, 404),
        (Method::GET, "/api/v1/templates", None, 200),
        (Method::POST, "/api/v1/templates", Some(json!({"name": "x"})), 201),
        (Method::GET, "/api/v1/templates/{name}", None, 200),
        (
            Method::PATCH,
            "/api/v1/templates/{name}",
            Some(json!({"persona": "y"})),
            200,
        ),
        (Method::DELETE, "/api/v1/templates/{name}", None, 204),
        (Method::POST, "/api/v1/platform-keys/rotate", Some(json!({})), 200),
        (Method::POST, "/api/v1/chat", Some(json!({"message": "Hi"})), 200),
        (Method::GET, "/api/v1/sessions", None, 200),
        (Method::GET, "/api/v1/sessions/{id}", None, 200),
        (Method::PATCH, "/api/v1/sessions/{id}", Some(json!({"title": "x"})), 200),
        (Method::DELETE, "/api/v1/sessions/{id}", None, 204),
        (Method::GET, "/api/v1/approvals", None, 200),
        (
            Method::PATCH,
            "/api/v1/approvals",
            Some(json!({"ask_before_commands": true})),
            200,
        ),
        (
            Method::POST,
            "/api/v1/approvals/{id}",
            Some(json!({"hash": HASH, "answer": "allow"})),
            200,
        ),
        (Method::GET, "/api/v1/usage", None, 200),
        (
            Method::POST,
            "/v1/chat/completions",
            Some(json!({"model": "m", "messages": said})),
            200,
        ),
        (
            Method::POST,
            "/v1/responses",
            Some(json!({"model": "m", "input": "Hi"})),
            200,
        ),
        (Method::GET, "/v1/models", None, 200),
        (Method::GET, "/v1/models/{*id}", None, 200),
    ]
}

#[tokio::test]
async fn promise_03_every_route_of_the_tenant_api_refuses_every_caller_who_may_not() {
    let routes = management::tenant_routes();
    let known: BTreeSet<_> = calls().iter().map(|call| (call.0.to_string(), call.1)).collect();
    let real: BTreeSet<_> = routes.iter().map(|route| (route.0.to_string(), route.1)).collect();
    assert_eq!(known, real, "every route has a call here, and there is no other");

    let (world, _, operator) = World::with_tenants().await;
    let mut anna = world.set_up().await;
    let session = anna.cookie.clone().unwrap();
    let persons_key = anna
        .post("/keys", json!({"name": "x", "scopes": ["profile"], "days": 1}))
        .await;
    let persons_key = persons_key.expect(201).json["key"].as_str().unwrap().to_owned();
    let (mine, tenant) = world.tenant("mine").await;
    let (others, other) = world.tenant("others").await;
    // The clock stands still here, so what is left this minute does not grow.
    for id in [mine, others] {
        let limits = json!({"limits": {"requests_per_minute": i32::MAX}});
        operator
            .patch(&format!("/api/v1/tenants/{id}"), limits)
            .await
            .expect(200);
    }
    let made_up = format!("ocpk_{}", "A".repeat(47));
    let mut nobody = operator.clone();
    nobody.headers.clear();
    let mut signed_in = nobody.clone();
    signed_in.headers = vec![("cookie", session), ("sec-fetch-site", "same-origin".into())];

    let mut count = 0;
    for (method, path, body, allowed) in calls() {
        let access = routes
            .iter()
            .find(|route| route.0 == method && route.1 == path)
            .unwrap()
            .2;
        let callers: [(&str, Developer, Option<u16>); 7] = [
            ("nobody", nobody.clone(), Some(401)),
            ("signed in", signed_in.clone(), Some(401)),
            (
                "a person's key",
                Developer::new(world.router.clone(), &persons_key),
                Some(401),
            ),
            (
                "a made-up key",
                Developer::new(world.router.clone(), &made_up),
                Some(401),
            ),
            (
                "nearly the operator",
                Developer::new(world.router.clone(), &OPERATOR[1..]),
                Some(401),
            ),
            (
                "the operator",
                operator.clone(),
                (access == Access::Tenant).then_some(403),
            ),
            ("a tenant", tenant.clone(), (access == Access::Operator).then_some(403)),
        ];
        for (who, caller, refused) in callers {
            // These paths are also people's, and are the tenant API's only for who bears a key of its own.
            let is_ours = matches!(who, "a tenant" | "a made-up key" | "the operator");
            if path.starts_with("/api/v1/sessions") && !is_ours {
                continue;
            }
            for object in ["own", "others", "none", "no id"] {
                if !path.contains("{id}") && object != "own" {
                    continue;
                }
                let is_tenant = path.starts_with("/api/v1/tenants/");
                let is_request = path.starts_with("/api/v1/approvals/");
                let id = match (is_tenant, object) {
                    _ if !path.contains("{id}") => String::new(),
                    (true, "own" | "others") => tenant_of_the_operator(&operator, path).await,
                    (true, "none") => "00000000-0000-7000-8000-000000000007".to_owned(),
                    (true, _) => "x".to_owned(),
                    (false, "own") if is_request => asked(&tenant, "own").await,
                    (false, "others") if is_request => asked(&other, "others").await,
                    (false, "none") if is_request => "00000000-0000-7000-8000-000000000007".to_owned(),
                    (false, "own") => talk(&tenant, "own").await,
                    // The same name, in another tenant alone.
                    (false, "others") => talk(&other, "others").await,
                    (false, "none") => "none".to_owned(),
                    (false, _) => "no%20id".to_owned(),
                };
                let expected = match (refused, object) {
                    (Some(status), _) => status,
                    (None, "own") => allowed,
                    // All tenants are the operator's.
                    (None, "others") if is_tenant => allowed,
                    (None, "no id") if !is_tenant && !is_request => 400,
                    (None, _) => 404,
                };
                let uri = path
                    .replace("{id}", &id)
                    .replace("{key}", "00000000-0000-7000-8000-000000000007")
                    .replace("{webhook}", "00000000-0000-7000-8000-000000000007")
                    .replace("{*id}", "m")
                    .replace("{name}", "mine");
                if path.contains("{name}") {
                    // There already, or gone since the call before.
                    operator.post("/api/v1/templates", json!({"name": "mine"})).await;
                }
                let answer = caller.send(method.clone(), &uri, body.as_ref()).await;
                assert_eq!(
                    answer.status.as_u16(),
                    expected,
                    "{who}: {method} {path} on {object}: {}",
                    answer.text
                );
                if object == "others" && is_request {
                    let left = other.get("/api/v1/approvals").await.expect(200).json;
                    let left = left["approvals"].as_array().unwrap();
                    assert!(
                        left.iter().any(|each| each["id"] == id),
                        "{who} answered another tenant's"
                    );
                } else if object == "others" && !is_tenant {
                    let left = other.get(&format!("/api/v1/sessions/{id}")).await;
                    assert_eq!(left.status, 200, "{who} changed another tenant's by {method} {path}");
                }
                assert!(
                    !answer.text.contains("others said"),
                    "{who}: {method} {path}: {}",
                    answer.text
                );
                count += 1;
            }
        }
    }
    assert!(count > 150, "{count} calls");
    // What they were made for still stands.
    for id in [mine, others] {
        let stands = operator.get(&format!("/api/v1/tenants/{id}")).await;
        assert_eq!(stands.status, 200);
    }
}

/// With an agent beside its first.
async fn tenant_of_the_operator(operator: &Developer, path: &str) -> String {
    let made = operator.post("/api/v1/tenants", json!({"name": "z"})).await;
    let id = made.json["id"].as_str().unwrap().to_owned();
    if path.contains("/agents/") {
        let agents = format!("/api/v1/tenants/{id}/agents");
        operator.post(&agents, json!({"name": "mine"})).await.expect(201);
    }
    id
}

async fn talk(tenant: &Developer, session: &str) -> String {
    let said = json!({"session_id": session, "message": format!("{session} said something")});
    assert_eq!(tenant.post("/api/v1/chat", said).await.status, 200);
    session.to_owned()
}

/// A request of the tenant's agent.
async fn asked(tenant: &Developer, session: &str) -> String {
    let said = json!({"session_id": session, "message": format!("{session} said approve")});
    assert_eq!(tenant.post("/api/v1/chat", said).await.status, 200);
    let listed = tenant.get("/api/v1/approvals").await.expect(200).json;
    let last = listed["approvals"].as_array().unwrap().last().unwrap().clone();
    last["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn where_it_is_turned_off_there_is_nothing() {
    let world = World::new().await;
    let operator = Developer::new(world.router.clone(), OPERATOR);
    let key = Developer::new(world.router.clone(), &format!("ocpk_{}", "A".repeat(47)));
    for (method, path, body, _) in calls() {
        let uri = path
            .replace("{id}", "x")
            .replace("{key}", "x")
            .replace("{webhook}", "x")
            .replace("{*id}", "x")
            .replace("{name}", "writer");
        for caller in [&operator, &key] {
            let status = caller.send(method.clone(), &uri, body.as_ref()).await.status.as_u16();
            let expected = match (method.as_str(), path) {
                ("GET", "/api/v1/sessions") | ("DELETE", "/api/v1/sessions/{id}") => 401,
                // People end sessions at this address, and do nothing else there.
                (_, "/api/v1/sessions/{id}") => 405,
                _ => 404,
            };
            assert_eq!(status, expected, "{method} {uri}");
        }
    }
}

#[tokio::test]
async fn what_is_open_to_everybody_is_open_to_whoever_bears_a_key() {
    let (world, _, operator) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let made_up = Developer::new(world.router.clone(), &format!("ocpk_{}", "A".repeat(47)));
    for path in ["/api/v1/openapi.json", "/api/v1/docs", "/api/v1/docs.css"] {
        for caller in [&tenant, &made_up, &operator] {
            caller.get(path).await.expect(200);
        }
    }
}
