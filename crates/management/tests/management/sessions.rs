use std::time::Duration;

use futures::FutureExt as _;
use management::{Clock as _, RequestLimits, SessionTimes, limits};
use protocol::GatewayToken;
use sha2::Digest as _;

use crate::support::{Browser, World};

#[tokio::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_away() {
    let (world, mut anna) = World::owned().await;
    let mut stolen = anna.clone();
    anna.send(axum::http::Method::POST, "/sign-out", axum::body::Body::empty(), None)
        .await
        .expect(204);
    assert!(anna.cookie.is_none());
    stolen.get("/me").await.refused(401, "not_signed_in");
    drop(world);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    let (world, mut anna) = World::owned().await;
    for _ in 0..3 {
        world.clock.advance(limits::SESSION_IDLE - Duration::from_secs(1));
        anna.get("/me").await.expect(200);
    }
    world.clock.advance(limits::SESSION_IDLE);
    anna.get("/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_session_ends_after_its_life_however_much_it_is_used() {
    let (world, mut anna) = World::owned().await;
    let step = limits::SESSION_IDLE - Duration::from_secs(60);
    let mut lived = Duration::ZERO;
    while lived + step < limits::SESSION_LIFE {
        world.clock.advance(step);
        lived += step;
        anna.get("/me").await.expect(200);
    }
    world.clock.advance(limits::SESSION_LIFE - lived);
    anna.get("/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn only_the_hash_of_a_session_is_stored() {
    let (world, anna) = World::owned().await;
    let token = anna.cookie.as_ref().unwrap().split_once('=').unwrap().1.to_owned();
    let bytes = protocol::b64::decode(&token).unwrap();
    assert_eq!(bytes.len(), 32);
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("SELECT token_hash FROM sessions")
        .fetch_all(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(stored, [sha2::Sha256::digest(&bytes).to_vec()]);
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_bound_to_the_host_over_tls() {
    for (url, start, secure) in [
        ("http://localhost:8080", "holdfast_session=", false),
        ("https://holdfast.example.org", "__Host-holdfast_session=", true),
    ] {
        let world = World::at(url).await;
        let token = world.setup_token().await;
        let body =
            serde_json::json!({"token": token, "organisation": "Acme", "name": "Anna", "email": "a@acme.example"});
        let mut anna = world.browser();
        let answer = anna.post("/setup", body).await.expect(200);
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.starts_with(start), "{cookie}");
        for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age="] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure);
        assert!(!cookie.contains("Domain"));
        anna.get("/me").await.expect(200);
        if secure {
            // A cookie that a page of a lesser kind could have set does not count.
            anna.cookie = anna.cookie.map(|cookie| cookie.replace("__Host-", ""));
            anna.get("/me").await.refused(401, "not_signed_in");
        }
    }
}

#[tokio::test]
async fn a_session_of_somebody_deactivated_is_over() {
    let (world, mut anna) = World::owned().await;
    let mut owner = world.database.owner().await;
    sqlx::query("UPDATE users SET deactivated_at = now()")
        .execute(&mut owner)
        .await
        .unwrap();
    anna.get("/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_signs_devices_out() {
    let (world, mut anna) = World::owned().await;
    let mut phone = world.browser();
    phone.headers.push((
        "user-agent",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1".into(),
    ));
    world.sign_in_with(&mut phone, "anna@acme.example").await;
    let listed = anna.get("/sessions").await.expect(200).json;
    let listed = listed["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    let other = listed.iter().find(|one| one["current"] == false).unwrap();
    assert_eq!(other["device"], "Safari on iPhone");
    anna.delete(&format!("/sessions/{}", other["id"].as_str().unwrap()))
        .await
        .expect(204);
    phone.get("/me").await.refused(401, "not_signed_in");

    let mut third = world.sign_in("anna@acme.example").await;
    assert_eq!(anna.delete("/sessions").await.expect(200).json["ended"], 1);
    third.get("/me").await.refused(401, "not_signed_in");
    anna.get("/me").await.expect(200);
}

#[tokio::test]
async fn a_sixth_session_ends_the_one_that_was_not_used_for_longest() {
    let (world, mut anna) = World::owned().await;
    let mut browsers = Vec::new();
    for _ in 1..limits::SESSIONS_PER_USER {
        world.clock.advance(limits::SESSION_TOUCH * 2);
        browsers.push(world.sign_in("anna@acme.example").await);
    }
    anna.get("/me").await.expect(200);
    world.clock.advance(limits::SESSION_TOUCH * 2);
    browsers.push(world.sign_in("anna@acme.example").await);
    browsers[0].get("/me").await.refused(401, "not_signed_in");
    for browser in browsers.iter_mut().skip(1).chain([&mut anna]) {
        browser.get("/me").await.expect(200);
    }
}

#[tokio::test]
async fn signing_in_again_ends_the_session_that_the_browser_had() {
    let (world, mut anna) = World::owned().await;
    let before = anna.clone();
    world.sign_in_with(&mut anna, "anna@acme.example").await;
    anna.get("/me").await.expect(200);
    before.clone().get("/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn signing_in_to_another_organisation_ends_the_session_that_the_browser_had_in_the_first() {
    let (world, mut anna) = World::owned().await;
    world.second_tenant().await;
    let mut elsewhere = world.sign_in("anna@acme.example").await;
    let mut before = anna.clone();
    world.sign_in_with(&mut anna, "olga@globex.example").await;
    assert_eq!(anna.get("/me").await.expect(200).json["user"]["name"], "Olga");
    before.get("/me").await.refused(401, "not_signed_in");
    elsewhere.get("/me").await.expect(200);
}

#[tokio::test]
async fn what_is_open_for_a_session_ends_within_a_second_of_it() {
    let (world, mut anna) = World::owned().await;
    let mut other = world.sign_in("anna@acme.example").await;
    let kept = channel_token(&world, &mut anna).await;
    let revoked = channel_token(&world, &mut other).await;
    let open = world.management.channel_session(&kept).await.unwrap().unwrap();
    let ending = world.management.channel_session(&revoked).await.unwrap().unwrap();

    let before = std::time::Instant::now();
    anna.delete("/sessions").await.expect(200);
    tokio::time::timeout(Duration::from_secs(1), ending.ended())
        .await
        .expect("the channel is told");
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    assert!(world.management.channel_session(&revoked).await.unwrap().is_none());
    assert!(world.management.channel_session(&kept).await.unwrap().is_some());
    // The other one hears of its own end alone.
    assert!(
        tokio::time::timeout(Duration::from_millis(50), open.ended())
            .await
            .is_err()
    );
    anna.send(axum::http::Method::POST, "/sign-out", axum::body::Body::empty(), None)
        .await
        .expect(204);
    tokio::time::timeout(Duration::from_secs(1), open.ended())
        .await
        .expect("signing out ends it too");
}

/// What opens a channel for this browser.
async fn channel_token(world: &World, browser: &mut Browser) -> GatewayToken {
    let answer = browser
        .post("/cell/token", serde_json::json!({}))
        .await
        .expect(200)
        .json;
    let now = u64::try_from(world.clock.seconds()).unwrap();
    GatewayToken::verify_at(answer["token"].as_str().unwrap(), &world.gateway_key, now).unwrap()
}

/// So much time goes by that every open channel looks its session up.
async fn channels_look() {
    tokio::time::pause();
    tokio::time::advance(limits::SESSION_CHECK + Duration::from_secs(1)).await;
    tokio::time::resume();
}

/// The same until it is so; on a busy machine a look may come to nothing.
async fn channels_look_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..20 {
        channels_look().await;
        for _ in 0..50 {
            if is_so().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("{what}: it did not come");
}

/// Until it is kept that a session of this world's was used at this moment.
async fn kept_as_used_now(world: &World) {
    let mut looks = world.database.owner().await;
    let now = world.clock.now();
    channels_look_until("the session is kept as used", async || {
        let used = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM sessions WHERE last_seen_at = $1").bind(now);
        used.fetch_one(&mut looks).await.unwrap() > 0
    })
    .await;
}

/// A second less than a session lasts without use.
const NEARLY_IDLE: Duration = Duration::from_secs(limits::SESSION_IDLE.as_secs() - 1);

#[tokio::test]
async fn a_channel_that_is_opened_is_use_of_its_session_and_a_forged_owner_gets_none() {
    let (world, mut anna) = World::owned().await;
    let token = channel_token(&world, &mut anna).await;
    world.clock.advance(NEARLY_IDLE);
    let _held = world.management.channel_session(&token).await.unwrap().unwrap();
    world.clock.advance(NEARLY_IDLE);
    anna.get("/me").await.expect(200);
    for wrong in [
        GatewayToken {
            tenant: protocol::TenantId::new(),
            ..token.clone()
        },
        GatewayToken {
            user: protocol::UserId::new(),
            ..token.clone()
        },
    ] {
        assert!(world.management.channel_session(&wrong).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_channel_that_is_used_keeps_its_session_and_one_that_is_not_ends_with_it() {
    let (world, mut anna) = World::owned().await;
    let token = channel_token(&world, &mut anna).await;
    let open = world.management.channel_session(&token).await.unwrap().unwrap();
    for _ in 0..3 {
        world.clock.advance(NEARLY_IDLE);
        open.used();
        kept_as_used_now(&world).await;
    }
    assert!(open.ended().now_or_never().is_none());
    // Used for the last time before it was looked at last.
    world.clock.advance(NEARLY_IDLE);
    channels_look().await;
    world.clock.advance(Duration::from_secs(1));
    let over = async || open.ended().now_or_never().is_some();
    channels_look_until("nobody uses it", over).await;
    anna.get("/me").await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_channel_stays_open_while_the_database_is_away_and_its_use_meanwhile_is_kept() {
    let (world, mut anna) = World::owned().await;
    let token = channel_token(&world, &mut anna).await;
    let open = world.management.channel_session(&token).await.unwrap().unwrap();
    world.clock.advance(NEARLY_IDLE);
    open.used();
    // It looks, and the connection that it looks over is lost before there is an answer.
    let mut lock = world.database.owner().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut lock)
        .await
        .unwrap();
    channels_look().await;
    world.database.until_wait_for_locks(1).await;
    world.database.cuts_off_who_waits_for_locks().await;
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();

    kept_as_used_now(&world).await;
    assert!(open.ended().now_or_never().is_none(), "nobody ended its session");
    world.clock.advance(NEARLY_IDLE);
    anna.get("/me").await.expect(200);
}

#[tokio::test]
async fn how_long_sessions_last_and_how_many_there_are_is_the_operators_choice() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let times = SessionTimes::new(minutes(5), minutes(20), 2).unwrap();
    let requests = RequestLimits::default();
    let (world, mut anna) = World::owned_choosing(times, requests).await;
    // Used every four minutes it goes on, up to twenty.
    for _ in 0..4 {
        world.clock.advance(minutes(4));
        anna.get("/me").await.expect(200);
    }
    world.clock.advance(minutes(4));
    anna.get("/me").await.refused(401, "not_signed_in");
    // Not used for five minutes it is over.
    let mut idle = world.sign_in("anna@acme.example").await;
    world.clock.advance(minutes(5));
    idle.get("/me").await.refused(401, "not_signed_in");
    // The third ends the first.
    let mut first = world.sign_in("anna@acme.example").await;
    let mut others = [
        world.sign_in("anna@acme.example").await,
        world.sign_in("anna@acme.example").await,
    ];
    first.get("/me").await.refused(401, "not_signed_in");
    for other in &mut others {
        other.get("/me").await.expect(200);
    }
    let listed = others[0].get("/sessions").await.expect(200).json;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&listed["idle_ms"], &listed["life_ms"]),
        (&300_000.into(), &1_200_000.into())
    );
}
