use std::time::Duration;

use management::limits;
use sha2::Digest as _;

use crate::support::World;

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
    let step = Duration::from_secs(24 * 60 * 60);
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
