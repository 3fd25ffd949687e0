//! Joining without an invitation, by mail and with a provider: at once, or once somebody agrees.

use std::time::Duration;

use management::limits;
use serde_json::{Value, json};

use crate::support::provider::{CLIENT_ID, CLIENT_SECRET, Provider, somebody};
use crate::support::{Browser, World, token};

async fn allow(manager: &mut Browser, domain: &str, approval: bool) {
    let wanted = json!({"domain": domain, "approval": approval});
    manager.put("/join-domains", wanted).await.expect(200);
}

/// Asks for a link: the browser, and the token of the link to join.
async fn ask(world: &World, email: &str) -> (Browser, String) {
    let mut browser = world.browser();
    browser.post("/sign-in", json!({"email": email})).await.expect(202);
    let link = token(&world.mails.next().await, "join");
    let token = link.strip_prefix("new:").unwrap().to_owned();
    (browser, token)
}

async fn waiting(manager: &mut Browser) -> Vec<Value> {
    let listed = manager.get("/join-requests").await.expect(200).json;
    listed["waiting"].as_array().unwrap().clone()
}

async fn count(world: &World, what: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}")))
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_address_of_a_listed_domain_joins_at_once() {
    let (world, mut anna) = World::owned().await;
    allow(&mut anna, "@Acme.Example", false).await;
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    let offer = bob
        .post("/joining/preview", json!({"token": link}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        offer,
        json!({"organisation": "Acme", "email": "bob@acme.example", "approval": false})
    );
    let joined = bob
        .post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (&joined["user"]["role"], &joined["user"]["name"]),
        (&json!("member"), &json!("Bob"))
    );
    bob.get("/me").await.expect(200);
    bob.post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .refused(410, "link_invalid");
    let joined = anna.get("/audit?action=join.done").await.expect(200).json;
    assert_eq!(joined["events"][0]["details"]["domain"], "acme.example");
    // From now on it is an address like any other.
    world.sign_in("bob@acme.example").await.get("/me").await.expect(200);
}

#[tokio::test]
async fn who_waits_for_approval_is_nobody_until_somebody_agrees() {
    let (world, mut anna) = World::owned().await;
    allow(&mut anna, "acme.example", true).await;
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    let answer = bob
        .post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .expect(202);
    assert_eq!(answer.json, json!({"waiting": true}));
    assert!(bob.cookie.is_none());
    assert_eq!(count(&world, "users").await, 1);
    let told = world.mails.next().await;
    assert!(
        told.contains("To: anna@acme.example") && told.contains("Bob wants to join Acme"),
        "{told}"
    );
    let asked = waiting(&mut anna).await;
    assert_eq!(
        (&asked[0]["name"], &asked[0]["email"]),
        (&json!("Bob"), &json!("bob@acme.example"))
    );

    // Asking again brings no second place in the queue and no second mail.
    let (mut again, link) = ask(&world, "bob@acme.example").await;
    again
        .post("/joining/accept", json!({"token": link, "name": "Bobby"}))
        .await
        .expect(202);
    assert_eq!(waiting(&mut anna).await, asked);

    let at = format!("/join-requests/{}/approve", asked[0]["id"].as_str().unwrap());
    anna.post(&at, json!({})).await.expect(204);
    anna.post(&at, json!({})).await.refused(404, "not_found");
    let told = world.mails.next().await;
    assert!(
        told.contains("To: bob@acme.example") && told.contains("Welcome to Acme"),
        "{told}"
    );
    // The page has the buttons of this organisation.
    let tenant = world.cell_of(&mut anna).await.tenant;
    let page = format!("http://localhost:8080/sign-in?organisation={tenant}\n");
    let told = told.replace("=\r\n", "").replace("=3D", "=").replace('\r', "");
    assert!(told.contains(&page), "{told}");
    let mut bob = world.sign_in("bob@acme.example").await;
    assert_eq!(bob.get("/me").await.expect(200).json["user"]["role"], "member");
    assert!(waiting(&mut anna).await.is_empty());
}

#[tokio::test]
async fn who_asks_to_join_waits_for_no_mail_and_one_that_hangs_holds_no_other_up() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "admin").await;
    allow(&mut anna, "acme.example", true).await;
    let (mut carol, link) = ask(&world, "carol@acme.example").await;
    world.mails.hang_next();
    let asked = carol.post("/joining/accept", json!({"token": link, "name": "Carol"}));
    let answer = tokio::time::timeout(limits::MAIL_TIME / 3, asked).await;
    answer.expect("it is answered").expect(202);
    assert!(world.mails.next().await.contains("Carol wants to join Acme"));
    assert_eq!(waiting(&mut anna).await.len(), 1);
}

#[tokio::test]
async fn who_was_refused_is_told_once_and_troubles_nobody_for_a_while() {
    let (world, mut anna) = World::owned().await;
    allow(&mut anna, "acme.example", true).await;
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    bob.post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .expect(202);
    world.mails.next().await;
    let id = waiting(&mut anna).await[0]["id"].as_str().unwrap().to_owned();
    anna.post(&format!("/join-requests/{id}/refuse"), json!({}))
        .await
        .expect(204);
    assert!(world.mails.next().await.contains("To: bob@acme.example"));
    anna.post(&format!("/join-requests/{id}/approve"), json!({}))
        .await
        .refused(404, "not_found");

    let mails = world.mails.files().len();
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    let answer = bob
        .post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .expect(202);
    assert_eq!(answer.json, json!({"waiting": true}));
    assert!(waiting(&mut anna).await.is_empty());
    assert_eq!(world.mails.files().len(), mails + 1, "the link alone");
    // Somebody may still invite them.
    world.clock.advance(limits::JOIN_REFUSAL_KEPT);
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    bob.post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .expect(202);
    assert_eq!(waiting(&mut anna).await.len(), 1);
}

#[tokio::test]
async fn an_address_that_may_not_join_gets_the_same_answer_and_no_mail() {
    let (world, mut anna) = World::owned().await;
    allow(&mut anna, "acme.example", false).await;
    let mut answers = Vec::new();
    for email in ["bob@sub.acme.example", "bob@evil-acme.example", "bob@acme.example"] {
        let answer = world
            .browser()
            .post("/sign-in", json!({"email": email}))
            .await
            .expect(202);
        answers.push(answer.text);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    world.mails.next().await;
    assert_eq!(world.mails.files().len(), 1);
}

#[tokio::test]
async fn a_link_to_join_works_in_the_browser_that_asked_while_the_domain_is_listed() {
    let (world, mut anna) = World::owned().await;
    allow(&mut anna, "acme.example", false).await;
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    let body = json!({"token": link, "name": "Eve"});
    world
        .browser()
        .post("/joining/preview", body.clone())
        .await
        .refused(409, "other_browser");
    world
        .browser()
        .post("/joining/accept", body.clone())
        .await
        .refused(409, "other_browser");
    bob.post("/joining/accept", json!({"token": link, "name": " "}))
        .await
        .refused(422, "invalid_field");
    let domain = anna.get("/join-domains").await.expect(200).json["domains"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    anna.delete(&format!("/join-domains/{domain}")).await.expect(204);
    bob.post("/joining/accept", body.clone())
        .await
        .refused(410, "link_invalid");
    allow(&mut anna, "acme.example", false).await;
    world.clock.advance(limits::JOIN_LINK_LIFE - Duration::from_secs(1));
    bob.post("/joining/preview", body.clone()).await.expect(200);
    world.clock.advance(Duration::from_secs(1));
    bob.post("/joining/accept", body).await.refused(410, "link_invalid");
}

#[tokio::test]
async fn who_is_suspended_does_not_join_anew() {
    let (world, mut anna) = World::owned().await;
    allow(&mut anna, "acme.example", false).await;
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    bob.post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .expect(200);
    let who = world.cell_of(&mut bob).await.user;
    anna.post(&format!("/people/{who}/suspend"), json!({}))
        .await
        .expect(200);
    for email in ["bob@acme.example", "carol@acme.example"] {
        world
            .browser()
            .post("/sign-in", json!({"email": email}))
            .await
            .expect(202);
    }
    assert!(world.mails.next().await.contains("To: carol@acme.example"));
}

/// An installation beside a provider, whose people of `acme.example` may join.
async fn with_provider(approval: bool) -> (World, Browser, Provider, String) {
    let provider = Provider::start().await;
    let (world, mut anna) = World::owned_beside(std::slice::from_ref(&provider.address)).await;
    provider.keep_time(&world);
    let wanted = json!({"kind": "oidc", "name": "Work", "issuer": provider.issuer});
    let made = anna.post("/providers", wanted).await.expect(201).json;
    let id = made["id"].as_str().unwrap().to_owned();
    let given = json!({"name": "Work", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "on": true});
    anna.put(&format!("/providers/{id}"), given).await.expect(200);
    allow(&mut anna, "acme.example", approval).await;
    (world, anna, provider, id)
}

async fn come(world: &World, provider: &Provider, id: &str) -> (Browser, String) {
    let mut browser = world.browser();
    let begun = browser
        .post("/sign-in/provider", json!({"provider": id}))
        .await
        .expect(200)
        .json;
    let back = provider.visit(begun["url"].as_str().unwrap()).await;
    let answer = browser.get(&back).await.expect(303);
    let at = answer.headers["location"].to_str().unwrap().to_owned();
    (browser, at)
}

#[tokio::test]
async fn an_address_that_a_provider_has_checked_joins_and_one_that_it_has_not_does_not() {
    let (world, _anna, provider, id) = with_provider(false).await;
    let mut unchecked = somebody("7", "bob@acme.example");
    unchecked.verified = false;
    for stranger in [
        unchecked,
        somebody("7", "bob@elsewhere.example"),
        somebody("7", "no address"),
    ] {
        provider.signed_in(stranger);
        let (browser, at) = come(&world, &provider, &id).await;
        assert!(
            at.starts_with("/sign-in?") && at.ends_with("#refused:account_unknown"),
            "{at}"
        );
        assert!(browser.cookie.is_none());
    }
    assert_eq!(count(&world, "users").await, 1);
    provider.signed_in(somebody("7", "Bob@acme.example"));
    for _ in 0..2 {
        let (mut browser, at) = come(&world, &provider, &id).await;
        assert_eq!(at, "/");
        let me = browser.get("/me").await.expect(200).json;
        assert_eq!(
            (&me["user"]["email"], &me["user"]["role"]),
            (&json!("bob@acme.example"), &json!("member"))
        );
    }
    assert_eq!(count(&world, "users").await, 2);
}

#[tokio::test]
async fn who_asked_with_a_provider_comes_in_with_it_once_somebody_agreed() {
    let (world, mut anna, provider, id) = with_provider(true).await;
    provider.signed_in(somebody("7", "bob@acme.example"));
    for _ in 0..2 {
        let (browser, at) = come(&world, &provider, &id).await;
        assert!(at.starts_with("/sign-in?") && at.ends_with("#refused:waiting"), "{at}");
        assert!(browser.cookie.is_none());
    }
    assert_eq!(
        (count(&world, "users").await, count(&world, "linked_accounts").await),
        (1, 0)
    );
    let asked = waiting(&mut anna).await;
    assert_eq!(asked[0]["issuer"], json!(provider.issuer));
    let at = format!("/join-requests/{}/approve", asked[0]["id"].as_str().unwrap());
    anna.post(&at, json!({})).await.expect(204);
    let (mut bob, at) = come(&world, &provider, &id).await;
    assert_eq!(at, "/");
    bob.get("/me").await.expect(200);
}

#[tokio::test]
async fn the_queue_and_the_list_of_domains_have_an_end() {
    let (world, mut anna) = World::owned().await;
    allow(&mut anna, "acme.example", true).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "INSERT INTO join_requests (id, tenant_id, email, name, created_at)
         SELECT gen_random_uuid(), t.id, n || '@acme.example', 'x', now() FROM tenants t, generate_series(1, {}) n",
        limits::JOIN_REQUESTS
    )))
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
    let (mut bob, link) = ask(&world, "bob@acme.example").await;
    bob.post("/joining/accept", json!({"token": link, "name": "Bob"}))
        .await
        .refused(409, "too_many_waiting");
    for n in 1..limits::JOIN_DOMAINS {
        allow(&mut anna, &format!("d{n}.example"), false).await;
    }
    let one_more = json!({"domain": "more.example", "approval": false});
    anna.put("/join-domains", one_more).await.refused(409, "limit_reached");
    // One that is there can still be changed.
    allow(&mut anna, "acme.example", false).await;
    let bad = json!({"domain": "not a domain", "approval": false});
    anna.put("/join-domains", bad).await.refused(422, "invalid_field");
}

#[tokio::test]
async fn the_operator_is_told_that_more_wait_where_more_do() {
    let (world, _) = World::owned().await;
    let wait = async |many: i64| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "INSERT INTO join_requests (id, tenant_id, email, name, created_at)
             SELECT gen_random_uuid(), t.id, gen_random_uuid() || '@acme.example', 'x', now()
             FROM tenants t, generate_series(1, {many})"
        )))
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    };
    let mut operator = world.operator(false).await;
    for (many, more) in [(limits::OPERATOR_LISTED, false), (1, true)] {
        wait(many).await;
        let listed = operator.get("/operator/join-requests").await.expect(200).json;
        assert_eq!(listed["more"], more);
        assert_eq!(listed["waiting"].as_array().unwrap().len(), 10_000);
    }
}

#[tokio::test]
async fn the_operator_sees_who_waits_in_every_organisation_and_answers_with_the_token_at_hand() {
    let (world, mut anna) = World::owned().await;
    let mut olga = world.second_tenant().await;
    allow(&mut anna, "acme.example", true).await;
    allow(&mut olga, "globex.example", true).await;
    for (name, email) in [
        ("Bob", "bob@acme.example"),
        ("Carol", "carol@acme.example"),
        ("Gus", "gus@globex.example"),
    ] {
        let (mut browser, link) = ask(&world, email).await;
        browser
            .post("/joining/accept", json!({"token": link, "name": name}))
            .await
            .expect(202);
        world.mails.next().await;
    }
    let mut operator = world.operator(true).await;
    let listed = operator.get("/operator/join-requests").await.expect(200).json;
    assert_eq!(listed["more"], false);
    let waiting = |listed: &Value| -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let each = |who: &Value| (text(&who["tenant"]["name"]), text(&who["email"]), text(&who["id"]));
        listed["waiting"].as_array().unwrap().iter().map(each).collect()
    };
    let mut who = waiting(&listed);
    who.sort();
    let names: Vec<_> = who
        .iter()
        .map(|(tenant, email, _)| (tenant.as_str(), email.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("Acme", "bob@acme.example"),
            ("Acme", "carol@acme.example"),
            ("Globex", "gus@globex.example")
        ]
    );
    let answer = |place: usize, answer: &str| format!("/operator/join-requests/{}/{answer}", who[place].2);
    let mut stale = world.operator(false).await;
    stale
        .post(&answer(0, "approve"), json!({}))
        .await
        .refused(403, "step_up_needed");

    operator.post(&answer(0, "approve"), json!({})).await.expect(204);
    operator
        .post(&answer(0, "approve"), json!({}))
        .await
        .refused(404, "not_found");
    assert!(world.mails.next().await.contains("Welcome to Acme"));
    let mut bob = world.sign_in("bob@acme.example").await;
    let me = bob.get("/me").await.expect(200).json;
    assert_eq!(
        (&me["user"]["role"], &me["tenant"]["name"]),
        (&json!("member"), &json!("Acme"))
    );
    operator.post(&answer(1, "refuse"), json!({})).await.expect(204);
    assert!(world.mails.next().await.contains("To: carol@acme.example"));
    assert!(self::waiting(&mut anna).await.is_empty());

    // It stands in the organisation's log, and in the operator's.
    let log = anna.get("/audit?action=join.").await.expect(200).json;
    let acts: Vec<_> = log["events"].as_array().unwrap().iter().take(2).collect();
    assert_eq!(
        (&acts[0]["action"], &acts[1]["action"]),
        (&json!("join.refused"), &json!("join.approved"))
    );
    assert!(acts.iter().all(|act| act["actor"]["kind"] == "operator"), "{acts:?}");
    let log = operator.get("/operator/audit?action=join.").await.expect(200).json;
    assert_eq!(log["events"].as_array().unwrap().len(), 2);
    assert_eq!(log["events"][1]["tenant"], me["tenant"]["id"]);

    // Nobody comes into an organisation that is suspended.
    let globex = listed["waiting"].as_array().unwrap().iter();
    let globex = globex
        .map(|who| &who["tenant"])
        .find(|tenant| tenant["name"] == "Globex");
    let globex = globex.unwrap()["id"].as_str().unwrap();
    operator
        .post(&format!("/operator/tenants/{globex}/suspend"), json!({}))
        .await
        .expect(200);
    let left = operator.get("/operator/join-requests").await.expect(200).json;
    assert!(waiting(&left).is_empty());
    operator
        .post(&answer(2, "approve"), json!({}))
        .await
        .refused(404, "not_found");
}
