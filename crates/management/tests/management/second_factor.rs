use std::time::Duration;

use futures::FutureExt as _;
use management::limits;
use protocol::GatewayToken;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::support::{Browser, World, token};

/// An authenticator app, as on somebody's phone.
struct Phone(Totp);

impl Phone {
    fn scan(begun: &Value) -> Self {
        let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
        Self(Builder::new().with_secret(secret).build_noncompliant())
    }

    fn code(&self, world: &World) -> String {
        self.0
            .generate(u64::try_from(world.clock.seconds()).unwrap())
            .to_string()
    }
}

fn code(code: impl Into<String>) -> Value {
    json!({"code": code.into()})
}

/// Sets an authenticator up; the codes that are shown once.
async fn enrol(world: &World, browser: &mut Browser) -> (Phone, Vec<String>) {
    let begun = browser.post("/factors/authenticator", json!({})).await.expect(200).json;
    let phone = Phone::scan(&begun);
    let confirmed = browser
        .post("/factors/authenticator/confirm", code(phone.code(world)))
        .await
        .expect(200)
        .json;
    let codes = confirmed["backup_codes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (phone, codes)
}

/// Comes with a mailed link and is asked for more.
async fn half(world: &World, email: &str) -> (Browser, Value) {
    let (mut browser, link) = link(world, email).await;
    let answer = browser.post("/sign-in/complete", link).await.expect(200);
    (browser, answer.json)
}

#[tokio::test]
async fn with_an_authenticator_a_link_alone_does_not_sign_in() {
    let (world, mut anna) = World::owned().await;
    let (phone, _) = enrol(&world, &mut anna).await;
    anna.get("/me").await.expect(200);
    let (mut browser, answer) = half(&world, "anna@acme.example").await;
    assert_eq!(answer, json!({"pending": "factor", "factors": ["authenticator"]}));
    for path in ["/me", "/people", "/sessions", "/factors", "/cell", "/policy"] {
        browser.get(path).await.refused(403, "factor_needed");
    }
    browser
        .post("/cell/token", json!({}))
        .await
        .refused(403, "factor_needed");
    browser
        .post("/factors/authenticator", json!({}))
        .await
        .refused(403, "factor_needed");
    assert_eq!(
        browser.get("/sign-in/pending").await.expect(200).json["pending"],
        "factor"
    );

    browser
        .post("/sign-in/factor", code("000000"))
        .await
        .refused(403, "code_wrong");
    let before = browser.cookie.clone();
    world.clock.advance(Duration::from_secs(30));
    let me = browser
        .post("/sign-in/factor", code(phone.code(&world)))
        .await
        .expect(200)
        .json;
    assert_eq!(me["user"]["email"], "anna@acme.example");
    assert_ne!(browser.cookie, before, "a whole session has a token of its own");
    browser.get("/me").await.expect(200);
    let mut old = world.browser();
    old.cookie = before;
    old.get("/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_code_is_taken_once_also_by_two_at_the_same_time() {
    let (world, mut anna) = World::owned().await;
    let (phone, _) = enrol(&world, &mut anna).await;
    // The code that confirmed the app is used up.
    anna.post("/step-up", code(phone.code(&world)))
        .await
        .refused(403, "code_wrong");
    world.clock.advance(Duration::from_secs(30));
    let body = code(phone.code(&world));
    let mut two = anna.clone();
    let (first, second) = tokio::join!(anna.post("/step-up", body.clone()), two.post("/step-up", body.clone()));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 403]);
    let mut right = if first.status == 204 { anna } else { two };
    right.post("/step-up", body).await.refused(403, "code_wrong");
}

#[tokio::test]
async fn a_session_has_another_token_after_each_proof_and_stays_the_same_one() {
    let (world, mut anna) = World::owned().await;
    let current = async |browser: &mut Browser| {
        let listed = browser.get("/sessions").await.expect(200).json;
        assert_eq!(listed["sessions"].as_array().unwrap().len(), 1);
        listed["sessions"][0]["id"].clone()
    };
    let session = current(&mut anna).await;
    let now = u64::try_from(world.clock.seconds()).unwrap();
    let told = anna.post("/cell/token", json!({})).await.expect(200).json;
    let told = GatewayToken::verify_at(told["token"].as_str().unwrap(), &world.gateway_key, now).unwrap();
    let open = world.management.channel_session(&told).await.unwrap().unwrap();

    let before = anna.clone();
    let (phone, codes) = enrol(&world, &mut anna).await;
    anna.renewed_since(before, "/me").await;
    world.clock.advance(Duration::from_secs(30));
    for shown in [&phone.code(&world), &codes[0]] {
        let before = anna.clone();
        let answer = anna.post("/step-up", code(shown)).await.expect(204);
        anna.renewed_since(before, "/me").await;
        // It lasts no longer for that, and its cookies neither.
        let left = format!("; Max-Age={};", limits::SESSION_LIFE.as_secs() - 30);
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies.len(), 2);
        for cookie in cookies {
            assert!(cookie.to_str().unwrap().contains(&left), "{cookie:?}");
        }
    }
    anna.post("/factors/backup-codes", json!({})).await.expect(200);
    assert_eq!(current(&mut anna).await, session);
    // What is open for it is told of nothing: an end that is told after it comes first.
    let mut other = world.enter("anna@acme.example", "full", true).await;
    let others = other.post("/cell/token", json!({})).await.expect(200).json;
    let others = GatewayToken::verify_at(others["token"].as_str().unwrap(), &world.gateway_key, now).unwrap();
    let ending = world.management.channel_session(&others).await.unwrap().unwrap();
    other.post("/sign-out", json!({})).await.expect(204);
    ending.ended().await;
    assert!(world.management.channel_session(&told).await.unwrap().is_some());
    assert!(open.ended().now_or_never().is_none());
}

#[tokio::test]
async fn a_sign_in_that_waited_for_a_factor_to_be_set_up_goes_on_with_another_token() {
    let (world, _anna) = World::owned().await;
    let mut browser = world.enter("anna@acme.example", "enrol", false).await;
    let before = browser.clone();
    enrol(&world, &mut browser).await;
    browser.renewed_since(before, "/me").await;
}

#[tokio::test]
async fn a_proof_that_is_refused_leaves_a_session_its_token() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    enrol(&world, &mut anna).await;
    bob.post("/factors/authenticator", json!({})).await.expect(200);
    for (browser, route) in [(anna, "/step-up"), (bob, "/factors/authenticator/confirm")] {
        let (mut before, mut browser) = (browser.clone(), browser);
        let refused = browser.post(route, code("000000")).await.refused(403, "code_wrong");
        assert!(!refused.headers.contains_key("set-cookie"), "{route}");
        before.get("/me").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_with_a_token_that_is_no_more_the_sessions_changes_nothing() {
    let (world, mut anna) = World::owned().await;
    let (_, codes) = enrol(&world, &mut anna).await;
    let shown = code(&codes[0]);
    // The request knows its session before, and waits to count its try.
    let renewed = "LOCK TABLE factor_attempts; UPDATE sessions SET token_hash = sha256('another')";
    let showing = async move { anna.post("/step-up", shown).await };
    let answer = world.meanwhile(renewed, showing).await.refused(401, "not_signed_in");
    assert!(!answer.headers.contains_key("set-cookie"));
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    let factors = anna.get("/factors").await.expect(200).json;
    assert_eq!(factors["backup_codes"], codes.len());
}

#[tokio::test]
async fn a_backup_code_signs_in_once() {
    let (world, mut anna) = World::owned().await;
    let (_, codes) = enrol(&world, &mut anna).await;
    assert_eq!(codes.len(), limits::BACKUP_CODES);
    let (mut browser, _) = half(&world, "anna@acme.example").await;
    browser
        .post("/sign-in/factor", code(codes[0].to_lowercase().replace('-', " ")))
        .await
        .expect(200);
    assert_eq!(browser.get("/factors").await.expect(200).json["backup_codes"], 9);
    let (mut again, _) = half(&world, "anna@acme.example").await;
    again
        .post("/sign-in/factor", code(codes[0].clone()))
        .await
        .refused(403, "code_wrong");
    again.post("/sign-in/factor", code(codes[1].clone())).await.expect(200);

    let made = again.post("/factors/backup-codes", json!({})).await.expect(200).json;
    let (mut third, _) = half(&world, "anna@acme.example").await;
    third
        .post("/sign-in/factor", code(codes[2].clone()))
        .await
        .refused(403, "code_wrong");
    third
        .post("/sign-in/factor", code(made["backup_codes"][0].as_str().unwrap()))
        .await
        .expect(200);
}

#[tokio::test]
async fn guessing_codes_takes_longer_each_time_and_a_right_code_waits_too() {
    let (world, mut anna) = World::owned().await;
    let (phone, _) = enrol(&world, &mut anna).await;
    let (mut browser, _) = half(&world, "anna@acme.example").await;
    let mut waits = Vec::new();
    for _ in 0..=limits::FACTOR_TRIES_FREE {
        browser
            .post("/sign-in/factor", code("000000"))
            .await
            .refused(403, "code_wrong");
    }
    for _ in 0..5 {
        let refused = browser.post("/sign-in/factor", code(phone.code(&world))).await;
        let refused = refused.refused(429, "too_many_requests");
        let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        waits.push(wait);
        world.clock.advance(Duration::from_secs(wait));
        browser
            .post("/sign-in/factor", code("000000"))
            .await
            .refused(403, "code_wrong");
    }
    assert!(waits.is_sorted() && waits[4] >= 16, "{waits:?}");
    world.clock.advance(limits::FACTOR_WAIT);
    // The half session is over by then: come again, with the right code.
    let (mut browser, _) = half(&world, "anna@acme.example").await;
    browser
        .post("/sign-in/factor", code(phone.code(&world)))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_half_session_ends_soon_and_can_be_left() {
    let (world, mut anna) = World::owned().await;
    let (phone, _) = enrol(&world, &mut anna).await;
    let (mut browser, _) = half(&world, "anna@acme.example").await;
    world.clock.advance(limits::HALF_SESSION_LIFE);
    browser
        .post("/sign-in/factor", code(phone.code(&world)))
        .await
        .refused(401, "not_signed_in");
    let (mut browser, _) = half(&world, "anna@acme.example").await;
    browser.post("/sign-out", json!({})).await.expect(204);
    browser.get("/sign-in/pending").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn an_organisation_may_ask_everybody_for_a_second_factor() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let required = json!({"second_factor": "required"});
    anna.put("/policy", required.clone()).await.refused(409, "factor_first");
    let (phone, _) = enrol(&world, &mut anna).await;
    anna.put("/policy", required.clone()).await.expect(200);
    anna.get("/me").await.expect(200);

    // Who is signed in without one signs in again, and sets one up before anything else.
    bob.get("/me").await.refused(401, "not_signed_in");
    let (mut bob, answer) = half(&world, "bob@acme.example").await;
    assert_eq!(answer, json!({"pending": "enrol", "factors": []}));
    bob.get("/me").await.refused(403, "factor_needed");
    bob.post("/sign-in/factor", code("000000"))
        .await
        .refused(409, "factor_first");
    enrol(&world, &mut bob).await;
    bob.get("/me").await.expect(200);
    bob.delete("/factors/authenticator")
        .await
        .refused(409, "factor_required");
    // Who joins now begins with it.
    let link = world.invite(&mut anna, "carol@acme.example", "member").await;
    let mut carol = world.browser();
    let answer = carol
        .post("/invitations/accept", json!({"token": link, "name": "Carol"}))
        .await
        .expect(200);
    assert_eq!(answer.json, json!({"pending": "enrol", "factors": []}));

    world.clock.advance(limits::STEP_UP);
    anna.put("/policy", json!({"second_factor": "optional"}))
        .await
        .refused(403, "step_up_needed");
    anna.post("/step-up", code(phone.code(&world))).await.expect(204);
    anna.put("/policy", json!({"second_factor": "optional"}))
        .await
        .expect(200);
    bob.put("/policy", required).await.refused(403, "not_allowed");
}

#[tokio::test]
async fn where_a_second_factor_is_asked_of_everybody_no_session_goes_on_without_one_that_there_is() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let mut carol = world.join(&mut anna, "carol@acme.example", "member").await;
    let mut dan = world.join(&mut anna, "dan@acme.example", "member").await;
    let mut dans_other = world.enter("dan@acme.example", "full", false).await;
    enrol(&world, &mut anna).await;
    // Bob showed one and removed it; Carol has one; Dan set one up in one of his two browsers.
    enrol(&world, &mut bob).await;
    bob.delete("/factors/authenticator").await.expect(204);
    enrol(&world, &mut carol).await;
    enrol(&world, &mut dan).await;
    anna.put("/policy", json!({"second_factor": "required"}))
        .await
        .expect(200);
    bob.get("/me").await.refused(401, "not_signed_in");
    carol.get("/me").await.expect(200);
    dan.get("/me").await.expect(200);
    dans_other.get("/me").await.refused(401, "not_signed_in");
    // And nobody sets one up in a session of before.
    bob.post("/factors/authenticator", json!({}))
        .await
        .refused(401, "not_signed_in");
    let log = anna
        .get("/audit?action=organisation.policy_changed")
        .await
        .expect(200)
        .json;
    assert_eq!(
        log["events"][0]["details"],
        json!({"second_factor": "required", "sessions_ended": "2"})
    );
}

#[tokio::test]
async fn a_sign_in_that_waits_for_a_factor_to_be_set_up_has_to_show_the_one_that_there_is_by_now() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "member").await;
    enrol(&world, &mut anna).await;
    anna.put("/policy", json!({"second_factor": "required"}))
        .await
        .expect(200);
    let (mut thief, answer) = half(&world, "bob@acme.example").await;
    assert_eq!(answer["pending"], "enrol");
    thief.post("/factors/authenticator", json!({})).await.expect(200);
    let (mut bob, _) = half(&world, "bob@acme.example").await;
    let (phone, codes) = enrol(&world, &mut bob).await;
    assert_eq!(
        thief.get("/sign-in/pending").await.expect(200).json,
        json!({"pending": "factor", "factors": ["authenticator"]})
    );
    thief
        .post("/factors/authenticator/confirm", code("000000"))
        .await
        .refused(403, "factor_needed");
    thief
        .post("/factors/passkeys/begin", json!({}))
        .await
        .refused(403, "factor_needed");
    // Whose it is shows it there, too: the codes are still the ones that they were given.
    thief.post("/sign-in/factor", code(codes[0].clone())).await.expect(200);
    world.clock.advance(limits::STEP_UP);
    bob.post("/step-up", code(phone.code(&world))).await.expect(204);
}

#[tokio::test]
async fn a_session_that_was_begun_by_mail_is_not_fresh_any_more_once_there_is_a_factor() {
    let (world, mut anna) = World::owned().await;
    let mut other = world.sign_in("anna@acme.example").await;
    let (phone, _) = enrol(&world, &mut anna).await;
    other
        .delete("/factors/authenticator")
        .await
        .refused(403, "step_up_needed");
    other
        .post("/factors/passkeys/begin", json!({}))
        .await
        .refused(403, "step_up_needed");
    world.clock.advance(Duration::from_secs(30));
    other.post("/step-up", code(phone.code(&world))).await.expect(204);
    other.delete("/factors/authenticator").await.expect(204);
}

#[tokio::test]
async fn dangerous_acts_need_a_factor_of_the_last_ten_minutes() {
    let (world, mut anna) = World::owned().await;
    world.clock.advance(limits::STEP_UP);
    // Without a factor, signing in again by mail is what shows who one is.
    anna.post("/factors/authenticator", json!({}))
        .await
        .refused(403, "step_up_needed");
    let mut anna = world.sign_in("anna@acme.example").await;
    let (phone, _) = enrol(&world, &mut anna).await;
    world.clock.advance(limits::STEP_UP);
    anna.delete("/factors/authenticator")
        .await
        .refused(403, "step_up_needed");
    anna.post("/factors/backup-codes", json!({}))
        .await
        .refused(403, "step_up_needed");
    anna.post("/step-up", code(phone.code(&world))).await.expect(204);
    let until = anna.get("/factors").await.expect(200).json["proved_until"]
        .as_i64()
        .unwrap();
    assert_eq!(until, (world.clock.seconds() + limits::STEP_UP.as_secs() as i64) * 1000);
    anna.delete("/factors/authenticator").await.expect(204);
    assert_eq!(anna.get("/factors").await.expect(200).json["authenticator"], false);
    anna.delete("/factors/authenticator").await.refused(404, "not_found");
}

#[tokio::test]
async fn nothing_of_a_second_factor_is_stored_in_clear() {
    let (world, mut anna) = World::owned().await;
    let begun = anna.post("/factors/authenticator", json!({})).await.expect(200).json;
    let phone = Phone::scan(&begun);
    let confirmed = anna
        .post("/factors/authenticator/confirm", code(phone.code(&world)))
        .await
        .expect(200)
        .json;
    let mut owner = world.database.owner().await;
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed_secret FROM authenticators")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    let secret = phone.0.secret().as_bytes();
    assert!(!sealed.windows(secret.len()).any(|window| window == secret));
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("SELECT code_hash FROM backup_codes")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    use sha2::Digest as _;
    let first = confirmed["backup_codes"][0].as_str().unwrap().replace('-', "");
    assert!(
        !hashes.contains(&sha2::Sha256::digest(first).to_vec()),
        "a hash with a key"
    );
    let events: Vec<String> = sqlx::query_scalar("SELECT body FROM audit_events ORDER BY seq")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    let all = events.join("\n");
    assert!(all.contains("factor.authenticator_added"), "{all}");
    assert!(!all.contains(begun["secret"].as_str().unwrap()));
}

#[tokio::test]
async fn promise_08_asking_for_recovery_takes_a_new_sign_in_with_every_factor_and_a_code_alone_does_not_do() {
    let (world, mut anna) = World::owned().await;
    let (phone, _) = enrol(&world, &mut anna).await;
    let request = json!({"request": "AAAA"});
    world.clock.advance(limits::STEP_UP);
    anna.post("/step-up", code(phone.code(&world))).await.expect(204);
    // Fresh enough for everything else.
    anna.post("/factors/backup-codes", json!({})).await.expect(200);
    let refused = anna.post("/recovery/request", request.clone()).await;
    let refused = refused.refused(403, "sign_in_again");
    let words = refused.json["detail"].as_str().unwrap();
    assert!(words.contains("sign in again, with everything"), "{words}");
    // A session of just now that was begun without the factor which there is.
    let bare = "UPDATE sessions SET second_factor = false, created_at = last_seen_at";
    let mut other = world.enter("anna@acme.example", "full", true).await;
    sqlx::query(bare)
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    other.get("/me").await.expect(200);
    other
        .post("/recovery/request", request.clone())
        .await
        .refused(403, "sign_in_again");

    world.clock.advance(Duration::from_secs(60));
    let (mut browser, _) = half(&world, "anna@acme.example").await;
    browser
        .post("/recovery/request", request.clone())
        .await
        .refused(403, "factor_needed");
    browser
        .post("/sign-in/factor", code(phone.code(&world)))
        .await
        .expect(200);
    browser.post("/recovery/request", request.clone()).await.expect(201);
    world.clock.advance(limits::STEP_UP);
    browser
        .post("/recovery/request", request)
        .await
        .refused(403, "sign_in_again");
}

const REQUIRED: &str = "UPDATE tenants SET second_factor_required = true";

/// Asks for a link, and gives what opens it.
async fn link(world: &World, email: &str) -> (Browser, Value) {
    let mut browser = world.browser();
    browser.post("/sign-in", json!({"email": email})).await.expect(202);
    let link = json!({"token": token(&world.mails.next().await, "sign-in")});
    (browser, link)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_while_a_factor_comes_to_be_asked_of_everybody_is_asked_for_one() {
    let (world, _anna) = World::owned().await;
    let (mut browser, link) = link(&world, "anna@acme.example").await;
    let signing_in = async move { browser.post("/sign-in/complete", link).await };
    let answer = world.meanwhile(REQUIRED, signing_in).await;
    assert_eq!(answer.expect(200).json["pending"], "enrol");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_their_last_factor_away_while_one_comes_to_be_asked_of_everybody_keeps_it() {
    let (world, mut anna) = World::owned().await;
    enrol(&world, &mut anna).await;
    let mut taking = anna.clone();
    let taking = async move { taking.delete("/factors/authenticator").await };
    let answer = world.meanwhile(REQUIRED, taking).await;
    answer.refused(409, "factor_required");
    assert_eq!(anna.get("/factors").await.expect(200).json["authenticator"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_while_they_sign_in_does_not_come_in() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "member").await;
    let (mut bob, link) = link(&world, "bob@acme.example").await;
    let suspended = "UPDATE users SET deactivated_at = now() WHERE name <> 'Anna'";
    let signing_in = async move { bob.post("/sign-in/complete", link).await };
    world
        .meanwhile(suspended, signing_in)
        .await
        .refused(410, "link_invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_a_code_after_their_sign_in_was_ended_begins_again() {
    let (world, mut anna) = World::owned().await;
    let (_, codes) = enrol(&world, &mut anna).await;
    let (mut browser, _) = half(&world, "anna@acme.example").await;
    let shown = code(&codes[0]);
    // The request knows its session before, and waits to count its try.
    let ended = "LOCK TABLE factor_attempts; DELETE FROM sessions WHERE state = 'factor'";
    let showing = async move { browser.post("/sign-in/factor", shown).await };
    world.meanwhile(ended, showing).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn sign_ins_that_stop_half_way_end_no_session_and_are_bounded_themselves() {
    let (world, mut anna) = World::owned().await;
    let (phone, _) = enrol(&world, &mut anna).await;
    let mut browsers = Vec::new();
    for _ in 0..limits::SESSIONS_PER_USER {
        world.clock.advance(Duration::from_secs(1));
        browsers.push(half(&world, "anna@acme.example").await.0);
    }
    anna.get("/me").await.expect(200);
    world.clock.advance(limits::RATE_PERIOD / 3);
    browsers.push(half(&world, "anna@acme.example").await.0);
    browsers[0].get("/sign-in/pending").await.refused(401, "not_signed_in");
    let last = browsers.last_mut().unwrap();
    last.post("/sign-in/factor", code(phone.code(&world))).await.expect(200);
    anna.get("/me").await.expect(200);
}

#[tokio::test]
async fn wrong_codes_of_one_organisation_make_it_wait_from_wherever_they_come_until_a_right_one() {
    let (world, mut anna) = World::owned().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    let (phone, _) = enrol(&world, &mut bob).await;
    enrol(&world, &mut anna).await;
    for number in 0..=limits::TENANT_FAILURES_FREE {
        // Long enough that neither she nor her address waits for herself.
        world.clock.advance(limits::FACTOR_WAIT);
        let tried = anna.post("/step-up", code("000000")).await;
        assert_eq!(tried.json["code"], "code_wrong", "{number}: {tried:?}");
    }
    let (mut bob, _) = half(&world, "bob@acme.example").await;
    let refused = bob.post("/sign-in/factor", code(phone.code(&world))).await;
    refused.refused(429, "too_many_requests");
    // Another organisation does not wait.
    let mut olga = world.second_tenant().await;
    enrol(&world, &mut olga).await;
    olga.post("/step-up", code("000000")).await.refused(403, "code_wrong");
    world.clock.advance(Duration::from_secs(1));
    bob.post("/sign-in/factor", code(phone.code(&world))).await.expect(200);
    // That ended it.
    world.clock.advance(limits::FACTOR_WAIT);
    anna.post("/step-up", code("000000")).await.refused(403, "code_wrong");
    bob.post("/step-up", code(phone.code(&world))).await.expect(204);
}
