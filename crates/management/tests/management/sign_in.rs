use std::time::Duration;

use axum::extract::ConnectInfo;
use management::limits;
use serde_json::json;
use sqlx::Connection as _;

use crate::support::{World, token};

#[tokio::test]
async fn a_mailed_link_signs_in_once() {
    let (world, _) = World::owned().await;
    let mut browser = world.browser();
    browser
        .post("/sign-in", json!({"email": " ANNA@acme.example"}))
        .await
        .expect(202);
    let mail = world.mails.next().await;
    assert!(mail.contains("Subject: Sign in to Acme"), "{mail}");
    let link = token(&mail, "sign-in");
    let me = browser
        .post("/sign-in/complete", json!({"token": link}))
        .await
        .expect(200)
        .json;
    assert_eq!(me["user"]["name"], "Anna");
    browser.get("/me").await.expect(200);
    world
        .browser()
        .post("/sign-in/complete", json!({"token": link}))
        .await
        .refused(410, "link_invalid");
}

#[tokio::test]
async fn two_who_open_the_same_link_at_once_get_one_session() {
    let (world, _) = World::owned().await;
    let mut one = world.browser();
    one.post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    let body = json!({"token": token(&world.mails.next().await, "sign-in")});
    let mut two = one.clone();
    let (first, second) = tokio::join!(
        one.post("/sign-in/complete", body.clone()),
        two.post("/sign-in/complete", body.clone())
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
}

#[tokio::test]
async fn a_link_ends_after_its_time() {
    let (world, _) = World::owned().await;
    for (wait, status) in [
        (limits::SIGN_IN_LINK_LIFE - Duration::from_secs(1), 200),
        (limits::SIGN_IN_LINK_LIFE, 410),
    ] {
        let mut browser = world.browser();
        browser
            .post("/sign-in", json!({"email": "anna@acme.example"}))
            .await
            .expect(202);
        let link = token(&world.mails.next().await, "sign-in");
        world.clock.advance(wait);
        browser
            .post("/sign-in/complete", json!({"token": link}))
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn an_unknown_address_gets_the_same_answer_and_no_mail() {
    let (world, _) = World::owned().await;
    let known = world
        .browser()
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    world.mails.next().await;
    let unknown = world
        .browser()
        .post("/sign-in", json!({"email": "nobody@acme.example"}))
        .await
        .expect(202);
    assert_eq!(known.json, unknown.json);
    let names = |answer: &crate::support::Answer| {
        let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&known), names(&unknown));
    // Mails are sent in the order of the requests, so a third one tells that the second wrote none.
    world
        .browser()
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    world.mails.next().await;
    assert_eq!(world.mails.files().len(), 2);
}

#[tokio::test]
async fn nothing_is_looked_up_before_a_request_for_a_link_is_answered() {
    let (world, _) = World::owned().await;
    // A lock that lets nobody read who has an address: the answer comes all the same, so it cannot depend on that, and
    // neither can its time.
    let mut owner = world.database.owner().await;
    let mut locked = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE users").execute(&mut *locked).await.unwrap();
    for email in ["anna@acme.example", "nobody@acme.example"] {
        world
            .browser()
            .post("/sign-in", json!({"email": email}))
            .await
            .expect(202);
    }
    assert!(world.mails.files().is_empty());
    locked.rollback().await.unwrap();
    world.mails.next().await;
}

#[tokio::test]
async fn links_that_were_asked_for_are_sent_before_the_server_stops() {
    let (world, _) = World::owned().await;
    for _ in 0..3 {
        world
            .browser()
            .post("/sign-in", json!({"email": "anna@acme.example"}))
            .await
            .expect(202);
    }
    world.management.shutdown().await;
    assert_eq!(world.mails.files().len(), 3);
    let refused = world
        .browser()
        .post("/sign-in", json!({"email": "bob@acme.example"}))
        .await;
    refused.refused(503, "mail_queue_full");
}

#[tokio::test]
async fn one_address_is_not_flooded_with_links() {
    let (world, _) = World::owned().await;
    for email in ["anna@acme.example", "nobody@acme.example"] {
        for _ in 0..limits::SIGN_INS_PER_ADDRESS {
            world
                .browser()
                .post("/sign-in", json!({"email": email}))
                .await
                .expect(202);
        }
        let refused = world.browser().post("/sign-in", json!({"email": email})).await;
        let refused = refused.refused(429, "too_many_requests");
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        world.clock.advance(Duration::from_secs(wait));
        world
            .browser()
            .post("/sign-in", json!({"email": email}))
            .await
            .expect(202);
    }
}

#[tokio::test]
async fn one_client_cannot_try_tokens_without_end() {
    let (world, _) = World::owned().await;
    let from = |client: &str| {
        let address: std::net::SocketAddr = client.parse().unwrap();
        let router = world.router.clone().layer(axum::Extension(ConnectInfo(address)));
        crate::support::Browser::new(router)
    };
    let guess = json!({"token": "A".repeat(43)});
    // None of these fails: who fails has to wait before this limit is reached.
    for _ in 0..limits::ATTEMPTS_PER_CLIENT {
        let mut client = from("[2001:db8::1]:1000");
        client.post("/passkeys/challenge", json!({})).await.expect(200);
    }
    from("[2001:db8::2]:1000")
        .post("/sign-in/complete", guess.clone())
        .await
        .refused(429, "too_many_requests");
    from("[2001:db8::1]:1000")
        .post("/invitations/preview", guess.clone())
        .await
        .refused(429, "too_many_requests");
    from("198.51.100.7:1000")
        .post("/sign-in/complete", guess.clone())
        .await
        .expect(410);
}

#[tokio::test]
async fn showing_the_sign_in_page_is_no_try_and_has_a_limit_of_its_own() {
    let (world, _) = World::owned().await;
    let mut browser = world.browser_at("192.0.2.7");
    for _ in 0..limits::SIGN_IN_PAGES_PER_CLIENT {
        browser.get("/sign-in/providers").await.expect(200);
    }
    let more = browser.get("/sign-in/providers").await;
    more.refused(429, "too_many_requests");
    world
        .browser_at("192.0.2.8")
        .get("/sign-in/providers")
        .await
        .expect(200);
    // Whoever comes in from there still may.
    let guess = json!({"token": "A".repeat(43)});
    browser
        .post("/sign-in/complete", guess)
        .await
        .refused(410, "link_invalid");
}

#[tokio::test]
async fn somebody_in_two_organisations_gets_a_link_to_each() {
    let (world, _) = World::owned().await;
    let mut olga = world.second_tenant().await;
    world.join(&mut olga, "anna@acme.example", "member").await;
    let mut browser = world.browser();
    browser
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    let mail = world.mails.next().await;
    for organisation in ["Acme", "Globex"] {
        let (_, from) = mail.split_once(&format!("{organisation}:")).unwrap();
        let me = browser
            .post("/sign-in/complete", json!({"token": token(from, "sign-in")}))
            .await
            .expect(200);
        assert_eq!(me.json["tenant"]["name"], organisation);
    }
}

#[tokio::test]
async fn clients_behind_a_named_proxy_are_told_apart_and_nobody_else_is_believed() {
    let (world, _) = World::owned().await;
    let from = |peer: &str, forwarded: &str| {
        let address: std::net::SocketAddr = peer.parse().unwrap();
        let mut browser =
            crate::support::Browser::new(world.router.clone().layer(axum::Extension(ConnectInfo(address))));
        browser.headers.push(("x-forwarded-for", forwarded.into()));
        browser
    };
    let ask = async |peer: &str, forwarded: &str, status| {
        let mut browser = from(peer, forwarded);
        browser.post("/passkeys/challenge", json!({})).await.expect(status);
    };
    for n in 0..limits::ATTEMPTS_PER_CLIENT {
        let talk = format!("10.0.0.{}, 203.0.113.9", n % 250);
        ask("127.0.0.1:1000", &talk, 200).await;
        ask("198.51.100.7:1000", &talk, 200).await;
    }
    for peer in ["127.0.0.1:1000", "198.51.100.7:1000"] {
        ask(peer, "203.0.113.9", 429).await;
    }
    ask("127.0.0.1:1000", "203.0.113.10", 200).await;
    ask("198.51.100.7:1000", "203.0.113.10", 429).await;
}

#[tokio::test]
async fn a_link_works_in_the_browser_that_asked_for_it_and_is_not_used_up_elsewhere() {
    let (world, _) = World::owned().await;
    let mut asked = world.browser();
    asked
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    let first = json!({"token": token(&world.mails.next().await, "sign-in")});
    asked
        .post("/sign-in", json!({"email": "anna@acme.example"}))
        .await
        .expect(202);
    world.mails.next().await;
    let mut other = world.browser();
    other
        .post("/sign-in/complete", first.clone())
        .await
        .refused(409, "other_browser");
    other
        .post("/sign-in", json!({"email": "eve@acme.example"}))
        .await
        .expect(202);
    other
        .post("/sign-in/complete", first.clone())
        .await
        .refused(409, "other_browser");
    assert!(other.cookie.is_none());
    // Whoever asked twice may open either link.
    asked.post("/sign-in/complete", first).await.expect(200);
}
