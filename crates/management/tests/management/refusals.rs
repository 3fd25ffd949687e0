//! What was refused is in an audit log, counted, whoever is refused how often.

use management::{RequestLimits, Scope, SecretToken, SessionTimes, limits};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{Browser, Developer, World};

/// What the operator's log says of refusals, the newest first.
async fn of_the_operator(world: &World) -> Vec<Value> {
    world.management.write_refusals().await;
    let log = world.operator(true).await.get("/operator/audit").await.expect(200).json;
    log["events"].as_array().unwrap().clone()
}

fn told(event: &Value) -> (&str, &str, &str, &str) {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    assert_eq!(text("/outcome"), "refused");
    (
        text("/action"),
        text("/target/id"),
        text("/target/name"),
        text("/details/times"),
    )
}

#[tokio::test]
async fn what_a_person_or_their_program_may_not_do_is_in_their_organisations_log_with_how_often() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    for _ in 0..3 {
        bob.post("/invitations", json!({"email": "x@acme.example", "role": "member"}))
            .await
            .refused(403, "not_allowed");
    }
    let mut program = world.program("anna@acme.example", &[Scope::Profile]).await;
    program.get("/people").await.refused(403, "scope_missing");
    // What people meet every day is not written down.
    bob.post("/keys", json!({"name": "x"})).await;
    world.browser().get("/me").await.refused(401, "not_signed_in");
    world.management.write_refusals().await;

    let log = anna.get("/audit?outcome=refused").await.expect(200).json;
    let mut events = log["events"].as_array().unwrap().clone();
    events.sort_by_key(|event| event["target"]["id"].to_string());
    let all: Vec<_> = events.iter().map(told).collect();
    assert_eq!(
        all,
        [
            ("access.refused", "not_allowed", "POST /api/v1/invitations", "3"),
            ("access.refused", "scope_missing", "GET /api/v1/people", "1"),
        ]
    );
    assert_eq!(events[0]["actor"]["name"], "member");
    assert_eq!(events[1]["device"], "API key laptop");
    // They are told of once.
    world.management.write_refusals().await;
    let again = anna.get("/audit?outcome=refused").await.expect(200).json;
    assert_eq!(again["events"].as_array().unwrap().len(), 2);
    // Bob sees what concerns him.
    let own = bob.get("/audit?outcome=refused").await.expect(200).json;
    assert_eq!(own["events"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn keys_and_links_that_do_not_work_are_in_the_operators_log_and_their_text_is_not() {
    let (world, _anna) = World::owned().await;
    // Right in its form, and nobody's.
    let key = "hf_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc9waE";
    let token = SecretToken::generate(&management::OsEntropy).unwrap();
    let link = json!({"token": token.text().as_str()});
    let mut stranger = world.browser_at("192.0.2.7");
    for _ in 0..2 {
        stranger
            .post("/sign-in/complete", link.clone())
            .await
            .refused(410, "link_invalid");
    }
    stranger.headers.push(("authorization", format!("Bearer {key}")));
    stranger.get("/me").await.refused(401, "not_signed_in");

    let events = of_the_operator(&world).await;
    let mut all: Vec<_> = events.iter().map(told).collect();
    all.sort_unstable();
    assert_eq!(
        all,
        [
            ("key.refused", "not_signed_in", "GET /api/v1/me", "1"),
            ("link.refused", "link_invalid", "POST /api/v1/sign-in/complete", "2"),
        ]
    );
    for event in &events {
        assert_eq!(
            (&event["address"], &event["actor"]["kind"]),
            (&json!("192.0.2.7"), &json!("nobody"))
        );
        assert!(!event.to_string().contains(key) && !event.to_string().contains(token.text().as_str()));
    }
}

#[tokio::test]
async fn a_key_that_works_no_more_is_in_the_log_of_the_organisation_whose_it_was() {
    let (world, mut anna) = World::owned().await;
    let make = async |browser: &mut Browser, name: &str| {
        let wanted = json!({"name": name, "scopes": [Scope::Profile], "days": 30});
        let made = browser.post("/keys", wanted).await.expect(201).json;
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        (text("key"), format!("/keys/{}", text("id")))
    };
    let (revoked, path) = make(&mut anna, "revoked").await;
    anna.delete(&path).await.expect(204);
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let (suspended, _) = make(&mut bob, "suspended").await;
    let me = bob.get("/me").await.expect(200).json;
    let suspend = format!("/people/{}/suspend", me["user"]["id"].as_str().unwrap());
    anna.post(&suspend, json!({})).await.expect(200);
    let (over, _) = make(&mut anna, "over").await;
    world.clock.advance(std::time::Duration::from_secs(30 * 24 * 60 * 60));
    let mut anna = world.sign_in("anna@acme.example").await;
    let refused = async |key: &str, times: i64| {
        let mut stranger = world.browser_at("192.0.2.7");
        stranger.headers.push(("authorization", format!("Bearer {key}")));
        for _ in 0..times {
            stranger.get("/me").await.refused(401, "not_signed_in");
        }
        world.management.write_refusals().await;
    };
    let told = async |browser: &mut Browser| {
        let log = browser.get("/audit?action=key.refused").await.expect(200).json;
        let newest = log["events"][0].clone();
        (
            newest["actor"]["kind"].clone(),
            newest["device"].clone(),
            newest["address"].clone(),
            newest["details"]["times"].clone(),
        )
    };
    let nobody = |name: &str, times: &str| {
        (
            json!("nobody"),
            json!(format!("API key {name}")),
            json!("192.0.2.7"),
            json!(times),
        )
    };
    for (key, name) in [(&revoked, "revoked"), (&suspended, "suspended"), (&over, "over")] {
        refused(key, 2).await;
        assert_eq!(told(&mut anna).await, nobody(name, "2"));
    }
    // Also when it was cleared away since another one was made.
    make(&mut anna, "next").await;
    refused(&over, 3).await;
    assert_eq!(told(&mut anna).await, nobody("over", "3"));
    // Nothing of it is another organisation's, or the operator's.
    let mut olga = world.second_tenant().await;
    let others = olga.get("/audit?action=key.refused").await.expect(200).json;
    assert_eq!(others["events"], json!([]));
    assert!(of_the_operator(&world).await.is_empty());
}

#[tokio::test]
async fn as_many_keys_that_ended_are_known_as_there_is_room_for() {
    let (world, mut anna) = World::owned().await;
    let most = limits::ENDED_KEYS_KNOWN;
    sqlx::query("INSERT INTO ended_api_keys (key_hash, tenant_id, name) SELECT sha256(n::text::bytea), id, 'x' FROM tenants, generate_series(1, $1) n ORDER BY n")
        .bind(most + 5)
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    let wanted = json!({"name": "laptop", "scopes": [Scope::Profile], "days": 30});
    anna.post("/keys", wanted).await.expect(201);
    let (count, oldest): (i64, bool) =
        sqlx::query_as("SELECT count(*), bool_or(key_hash = sha256('5')) FROM ended_api_keys")
            .fetch_one(&mut world.database.owner().await)
            .await
            .unwrap();
    assert_eq!((count, oldest), (most, false));
}

#[tokio::test]
async fn a_flood_from_anywhere_grows_the_log_by_so_many_entries_a_minute_and_hides_nobody_who_is_known() {
    let (world, mut anna) = World::owned().await;
    let many = limits::REFUSALS_OF_UNKNOWN + 40;
    for number in 0..many {
        let mut stranger = world.browser_at(&format!("10.1.{}.{}", number / 256, number % 256));
        stranger.headers.push(("authorization", "Bearer hf_x".to_owned()));
        stranger.get("/me").await.refused(401, "not_signed_in");
    }
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    bob.get("/alerts").await.refused(403, "not_allowed");
    world.management.write_refusals().await;

    let mut owner = world.database.owner().await;
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM operator_events WHERE action = 'key.refused'")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert_eq!(bodies.len(), limits::REFUSALS_OF_UNKNOWN + 1);
    let times: Vec<usize> = bodies
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap())
        .map(|event| event["details"]["times"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(times.iter().sum::<usize>(), many);
    let log = anna.get("/audit?action=access.refused").await.expect(200).json;
    assert_eq!(log["events"][0]["actor"]["name"], "member");
}

#[tokio::test]
async fn a_person_and_a_key_that_ask_too_often_are_told_which_limit_and_when_to_come_back() {
    let requests = RequestLimits::new(60, 30).unwrap();
    let (world, mut anna) = World::owned_choosing(SessionTimes::default(), requests).await;
    let mut program = world.program("anna@acme.example", &[Scope::Profile]).await;
    for _ in 0..30 {
        program.get("/me").await.expect(200);
    }
    let answer = program.get("/me").await.refused(429, "request_limit");
    let detail = answer.json["detail"].as_str().unwrap();
    assert!(
        detail.contains("30 requests") && detail.contains("requests_per_key"),
        "{detail}"
    );
    assert_eq!(answer.headers["retry-after"], "3");
    // A key's requests are its own; a person's are those of all their browsers.
    let mut elsewhere = world.sign_in("anna@acme.example").await;
    let mut refused = None;
    for _ in 0..60 {
        let browser = if refused.is_none() { &mut elsewhere } else { &mut anna };
        let answer = browser.get("/me").await;
        if answer.status == 429 {
            refused = Some(answer.refused(429, "request_limit"));
        }
    }
    let refused = refused.expect("60 a minute").json;
    assert!(refused["detail"].as_str().unwrap().contains("requests_per_person"));
    anna.get("/me").await.refused(429, "request_limit");
    // It fills evenly.
    world.clock.advance(std::time::Duration::from_secs(2));
    anna.get("/me").await.expect(200);
    program.get("/me").await.expect(200);
    world.clock.advance(limits::REQUEST_PERIOD);
    world.management.write_refusals().await;
    let log = anna.get("/audit?action=limit.reached").await.expect(200).json;
    let codes: Vec<_> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(told)
        .map(|told| told.1)
        .collect();
    assert!(
        codes.len() >= 2 && codes.iter().all(|code| *code == "request_limit"),
        "{codes:?}"
    );
}

#[tokio::test]
async fn who_fails_to_come_in_again_and_again_waits_longer_and_longer_whichever_way_they_try() {
    let (world, _anna) = World::owned().await;
    let mut guesser = world.browser_at("192.0.2.9");
    let token = SecretToken::generate(&management::OsEntropy).unwrap();
    let link = json!({"token": token.text().as_str()});
    for _ in 0..limits::CLIENT_FAILURES_FREE {
        guesser
            .post("/sign-in/complete", link.clone())
            .await
            .refused(410, "link_invalid");
    }
    // The next one costs a second, the one after it two, by another way in, too.
    guesser
        .post("/operator/sign-in", json!({"token": "x"}))
        .await
        .refused(403, "operator_token_wrong");
    guesser
        .post(
            "/setup",
            json!({"token": token.text().as_str(), "organisation": "x", "name": "x", "email": "x@x.example"}),
        )
        .await
        .refused(429, "too_many_requests");
    world.clock.advance(std::time::Duration::from_secs(1));
    guesser
        .post(
            "/invitations/accept",
            json!({"token": token.text().as_str(), "name": "x"}),
        )
        .await
        .refused(410, "link_invalid");
    world.clock.advance(std::time::Duration::from_secs(1));
    guesser
        .post("/sign-in/complete", link.clone())
        .await
        .refused(429, "too_many_requests");
    // Others are not kept out by it.
    world
        .browser_at("192.0.2.10")
        .post("/sign-in/complete", link)
        .await
        .refused(410, "link_invalid");
}

#[tokio::test]
async fn what_a_tenant_of_the_api_is_refused_names_it_in_the_operators_log() {
    let (world, _agents, _operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("Ben").await;
    tenant.get("/api/v1/tenants").await.refused(403, "not_allowed");
    Developer::new(world.router.clone(), "ocpk_x").get("/v1/models").await;
    let events = of_the_operator(&world).await;
    let refused: Vec<_> = events.iter().filter(|event| event["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 2);
    let access = refused
        .iter()
        .find(|event| event["action"] == "access.refused")
        .unwrap();
    assert_eq!(access["actor"], json!({"id": id, "kind": "api_tenant", "name": "Ben"}));
    assert_eq!(access["tenant"], json!(id));
    assert!(refused.iter().any(|event| event["action"] == "key.refused"));
}

#[tokio::test]
async fn who_comes_with_session_after_session_that_is_none_waits_and_who_has_one_does_not() {
    let (world, _anna) = World::owned().await;
    let mut guesser = world.browser_at("192.0.2.9");
    for number in 0..limits::UNKNOWN_SESSIONS_PER_CLIENT {
        let token = SecretToken::generate(&management::OsEntropy).unwrap();
        let session = Some(format!(
            "{}={}",
            if number % 2 == 0 {
                "holdfast_session"
            } else {
                "holdfast_operator"
            },
            token.text().as_str()
        ));
        let path = match number % 2 {
            0 => {
                guesser.cookie = session;
                "/me"
            }
            _ => {
                guesser.operator = session;
                "/operator/session"
            }
        };
        guesser.get(path).await.refused(401, "not_signed_in");
    }
    for path in ["/me", "/operator/session"] {
        let refused = guesser.get(path).await.refused(429, "too_many_requests");
        assert!(refused.headers.contains_key("retry-after"));
    }
    // What is over the limit costs the database nothing.
    let mut owner = world.database.owner().await;
    let mut locked = owner.begin().await.unwrap();
    let lock = "LOCK TABLE sessions, operator_sessions IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut *locked).await.unwrap();
    for path in ["/me", "/operator/session"] {
        guesser.get(path).await.refused(429, "too_many_requests");
    }
    locked.rollback().await.unwrap();
    // Without one, and with one that there is, from the same place: as before.
    let mut neighbour = world.browser_at("192.0.2.9");
    neighbour.get("/me").await.refused(401, "not_signed_in");
    neighbour.cookie = world.sign_in("anna@acme.example").await.cookie;
    neighbour.get("/me").await.expect(200);
    world
        .browser_at("192.0.2.10")
        .get("/me")
        .await
        .refused(401, "not_signed_in");
}
