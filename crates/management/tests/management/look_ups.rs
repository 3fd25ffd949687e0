//! Whose session or key many requests bear is looked up for them together: each gets its own answer, and no other's trouble.

use std::time::Duration;

use futures::future::join_all;
use management::{Scope, limits};
use serde_json::{Value, json};

use crate::support::{Browser, World};

/// Each asks several times, in turns, all at once.
async fn all_at_once(browsers: &[(Browser, u16, Option<&str>)]) {
    let asked = (0..40).map(|turn| {
        let (browser, status, email) = &browsers[turn % browsers.len()];
        let mut browser = browser.clone();
        async move {
            let answer = browser.get("/me").await;
            assert_eq!(answer.status.as_u16(), *status, "{email:?}: {:?}", answer.json);
            assert_eq!(answer.json["user"]["email"].as_str(), *email);
        }
    });
    join_all(asked).await;
}

#[tokio::test]
async fn promise_03_those_who_ask_at_once_each_get_their_own() {
    let (world, mut anna) = World::owned().await;
    let bob = world.join(&mut anna, "bob@acme.example", "member").await;
    world.join(&mut anna, "carl@acme.example", "member").await;
    let mut stranger = world.browser();
    stranger.cookie = Some(format!("holdfast_session={}", "A".repeat(43)));
    let mut over = world.sign_in("bob@acme.example").await;
    let ended = over.clone();
    over.send(axum::http::Method::POST, "/sign-out", axum::body::Body::empty(), None)
        .await
        .expect(204);
    let scope = [Scope::Profile];
    let key = world.program("carl@acme.example", &scope).await;
    let other_key = world.program("bob@acme.example", &scope).await;
    all_at_once(&[
        (anna, 200, Some("anna@acme.example")),
        (ended, 401, None),
        (world.second_tenant().await, 200, Some("olga@globex.example")),
        (key, 200, Some("carl@acme.example")),
        (stranger, 401, None),
        (bob, 200, Some("bob@acme.example")),
        (other_key, 200, Some("bob@acme.example")),
    ])
    .await;
}

#[tokio::test]
async fn promise_03_tenants_who_ask_at_once_each_get_their_own() {
    let (world, _agents, operator) = World::with_tenants().await;
    let (removed, gone) = world.tenant("gone").await;
    operator.delete(&format!("/api/v1/tenants/{removed}")).await.expect(200);
    let mut tenants = vec![(None, gone)];
    for name in ["one", "two"] {
        let (_, tenant) = world.tenant(name).await;
        let session = json!({"session_id": name, "message": "Hello"});
        tenant.post("/api/v1/chat", session).await.expect(200);
        tenants.push((Some(name), tenant));
    }
    join_all((0..40).map(|turn| {
        let (name, tenant) = &tenants[turn % tenants.len()];
        async move {
            let answer = tenant.get("/api/v1/sessions").await;
            assert_eq!(answer.status.is_success(), name.is_some(), "{:?}", answer.json);
            assert_eq!(answer.json["sessions"][0]["id"].as_str(), *name);
        }
    }))
    .await;
}

#[tokio::test]
async fn promise_03_who_lists_groups_at_once_with_others_gets_their_own() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let carl = world.join(&mut anna, "carl@acme.example", "member").await;
    let mut olga = world.second_tenant().await;
    for (browser, name) in [(&mut anna, "Choir"), (&mut bob, "Band"), (&mut olga, "Chess")] {
        browser.post("/groups", json!({ "name": name })).await.expect(201);
    }
    let sees: [(Browser, Value); 4] = [
        (anna, json!([["Band", null, 1, true], ["Choir", "admin", 1, true]])),
        (bob, json!([["Band", "admin", 1, true]])),
        (carl, json!([])),
        (olga, json!([["Chess", "admin", 1, true]])),
    ];
    join_all((0..40).map(|turn| {
        let (browser, seen) = &sees[turn % sees.len()];
        let mut browser = browser.clone();
        async move {
            let listed = browser.get("/groups").await.expect(200).json;
            let groups = listed["groups"].as_array().expect("a list").iter();
            let groups: Value = groups
                .map(|group| json!([group["name"], group["role"], group["members"], group["manages"]]))
                .collect();
            assert_eq!(groups, *seen);
        }
    }))
    .await;
}

#[tokio::test]
async fn a_session_that_is_locked_keeps_nobody_waiting() {
    let (world, mut anna) = World::owned().await;
    let mut owner = world.database.owner().await;
    sqlx::raw_sql("BEGIN; SELECT FROM sessions FOR UPDATE")
        .execute(&mut owner)
        .await
        .unwrap();
    world.clock.advance(limits::SESSION_TOUCH * 2);
    let asked = tokio::time::timeout(Duration::from_secs(5), anna.get("/me"));
    asked.await.expect("it waits for the lock").expect(200);

    // What could not be noted then is noted the next time.
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    anna.get("/me").await.expect(200);
    let seen: time::OffsetDateTime = sqlx::query_scalar("SELECT last_seen_at FROM sessions")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(seen.unix_timestamp(), world.clock.seconds());
}

#[tokio::test]
async fn a_statement_that_hangs_keeps_nobody_out_for_good() {
    let (world, anna) = World::owned().await;
    let mut owner = world.database.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut owner)
        .await
        .unwrap();
    // More than there are places at the database.
    join_all((0..4).map(|_| {
        let mut anna = anna.clone();
        async move { anna.get("/me").await.refused(503, "database_unavailable") }
    }))
    .await;
    sqlx::raw_sql("ROLLBACK").execute(&mut owner).await.unwrap();
    anna.clone().get("/me").await.expect(200);
}

#[tokio::test]
async fn what_one_session_makes_fail_fails_for_nobody_else() {
    let (world, mut anna) = World::owned().await;
    let bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let me = anna.get("/me").await.expect(200).json;
    let broken = format!(
        "CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
        CREATE TRIGGER break BEFORE UPDATE ON sessions FOR EACH ROW WHEN (OLD.user_id = '{}') EXECUTE FUNCTION break()",
        me["user"]["id"].as_str().unwrap()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(broken))
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    world.clock.advance(limits::SESSION_TOUCH * 2);
    // While one statement fails at her session, another passes it over: not every one of her requests fails.
    let asked = join_all((0..40).map(|turn| {
        let mut browser = [&anna, &bob][turn % 2].clone();
        async move { browser.get("/me").await.status.as_u16() }
    }))
    .await;
    let of = |who: usize| asked.iter().skip(who).step_by(2);
    assert!(of(0).any(|status| *status == 500), "{asked:?}");
    assert!(of(1).all(|status| *status == 200), "{asked:?}");
}
