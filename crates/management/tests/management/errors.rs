use axum::body::Body;
use axum::http::Method;
use management::{Access, limits};
use serde_json::json;

use crate::support::{Browser, World};

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.get("/nothing").await.refused(404, "not_found");
    browser.get("/nothing/at/all").await.refused(404, "not_found");
    let answer = browser.delete("/me").await.refused(405, "method_not_allowed");
    assert!(answer.headers["allow"].to_str().unwrap().contains("GET"));
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_with_its_reason() {
    let world = World::new().await;
    let mut browser = world.browser();
    let json_type = Some("application/json");
    for (body, content_type, status, code) in [
        ("{", json_type, 400, "bad_request"),
        ("[]", json_type, 400, "bad_request"),
        // What an object's members would hold is no object.
        (r#"["a@b.example"]"#, json_type, 400, "bad_request"),
        ("{}", json_type, 400, "bad_request"),
        (r#"{"email": 5}"#, json_type, 400, "bad_request"),
        (
            "email=a",
            Some("application/x-www-form-urlencoded"),
            415,
            "unsupported_media_type",
        ),
        (r#"{"email": "a@b.example"}"#, None, 415, "unsupported_media_type"),
    ] {
        browser
            .send(Method::POST, "/sign-in", body.into(), content_type)
            .await
            .refused(status, code);
    }
    let deep = "[".repeat(10_000);
    browser
        .send(Method::POST, "/sign-in", deep.into(), json_type)
        .await
        .refused(400, "bad_request");
    let large = json!({"email": "a".repeat(limits::BODY_BYTES)}).to_string();
    let answer = browser
        .send(Method::POST, "/sign-in", large.into(), json_type)
        .await
        .refused(413, "too_large");
    assert!(answer.json["detail"].as_str().unwrap().contains("16384"));
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_write() {
    let (world, anna) = World::owned().await;
    for (method, path, access, _) in management::routes() {
        let path = path
            .strip_prefix("/api/v1")
            .unwrap()
            .replace("{id}", &uuid::Uuid::nil().to_string());
        for headers in [
            vec![("sec-fetch-site", "cross-site".to_owned())],
            vec![
                ("sec-fetch-site", "same-site".to_owned()),
                ("origin", "http://localhost:8080".into()),
            ],
            vec![
                ("origin", "https://evil.example".to_owned()),
                ("host", "localhost:8080".into()),
            ],
            vec![],
        ] {
            let mut forced = anna.clone();
            forced.headers = headers;
            let answer = forced
                .send(method.clone(), &path, Body::from("{}"), Some("application/json"))
                .await;
            match method {
                Method::GET if access == Access::Half => drop(answer.refused(409, "already_signed_in")),
                // A person's session is none of the operator's.
                Method::GET if matches!(access, Access::OperatorSession | Access::FreshOperator) => {
                    drop(answer.expect(401))
                }
                // Its path says which provider, and this names none.
                Method::GET if path.ends_with("{provider}") => drop(answer.refused(404, "not_found")),
                Method::GET if path.contains(&uuid::Uuid::nil().to_string()) => drop(answer.refused(404, "not_found")),
                Method::GET => assert!(answer.status.is_success(), "{path}"),
                _ => drop(answer.refused(403, "cross_site")),
            }
        }
    }
    anna.clone().get("/me").await.expect(200);
    drop(world);
}

#[tokio::test]
async fn no_write_with_a_session_is_carried_out_without_the_sessions_token() {
    let (world, anna) = World::owned().await;
    let other = world.sign_in("anna@acme.example").await;
    for (method, path, ..) in management::routes() {
        let path = path
            .strip_prefix("/api/v1")
            .unwrap()
            .replace("{id}", &uuid::Uuid::nil().to_string());
        // There the operator's session counts, which has a token of its own: see the tests of the operator's pages.
        if path.starts_with("/operator/") {
            continue;
        }
        for token in ["", "A", &"A".repeat(43), other.csrf_token().unwrap()] {
            let mut forced = anna.clone();
            forced.headers.push(("x-csrf-token", token.to_owned()));
            let answer = forced
                .send(method.clone(), &path, Body::from("{}"), Some("application/json"))
                .await;
            if method != Method::GET {
                answer.refused(403, "csrf_token");
            }
        }
    }
    anna.clone().get("/me").await.expect(200);
    // A browser that lost the token gets it again from whatever it reads.
    let mut again = Browser::holding(world.router.clone(), anna.cookie.clone().unwrap()).await;
    assert_eq!(again.csrf_token(), anna.csrf_token());
    again.post("/sign-out", json!({})).await.expect(204);
    assert_eq!(again.csrf_token(), None);
}

#[tokio::test]
async fn a_request_id_that_a_client_sends_is_not_taken_over() {
    let world = World::new().await;
    let mut browser = world.browser();
    browser.headers.push(("x-request-id", "forged".into()));
    let answer = browser.get("/instance").await.expect(200);
    assert_ne!(answer.headers["x-request-id"], "forged");
}
