//! Pages of other sites: which may call what, and with what.

use axum::body::Body;
use axum::http::Method;
use management::Scope;
use serde_json::json;

use crate::support::{Answer, Browser, Developer, OPERATOR, World};

const SITE: &str = "https://app.example.org";

/// Asks as a browser does before a page of this site calls with a key.
async fn asks(browser: &mut Browser, site: &str, method: &str, path: &str) -> Answer {
    browser.headers = vec![
        ("origin", site.into()),
        ("access-control-request-method", method.into()),
        (
            "access-control-request-headers",
            "authorization,x-stainless-lang".into(),
        ),
    ];
    browser.send(Method::OPTIONS, path, Body::empty(), None).await
}

fn allowed<'a>(answer: &'a Answer, header: &str) -> Option<&'a str> {
    let value = answer.headers.get(format!("access-control-allow-{header}"))?;
    Some(value.to_str().unwrap())
}

#[tokio::test]
async fn pages_of_a_site_that_is_named_call_with_a_key_what_keys_call_and_nothing_else() {
    let (world, mut anna) = World::called_by(&[SITE, "http://localhost:5173"]).await;
    let mut page = world.browser();
    for (site, method, path) in [
        (SITE, "GET", "/me"),
        ("http://localhost:5173", "GET", "/me"),
        (SITE, "PUT", "/groups/0190a5e4-7d2b-7c1e-8f3a-000000000001"),
        (SITE, "POST", "/chat"),
        (SITE, "GET", "/sessions"),
    ] {
        let answer = asks(&mut page, site, method, path).await;
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_eq!(allowed(&answer, "origin"), Some(site), "{method} {path}");
        assert_eq!(allowed(&answer, "headers"), Some("authorization,x-stainless-lang"));
        assert_eq!(allowed(&answer, "credentials"), None);
    }
    for (site, method, path) in [
        // Another site, however like it.
        ("https://evil.example", "GET", "/me"),
        ("https://app.example.org.evil.example", "GET", "/me"),
        ("https://app.example.org:8443", "GET", "/me"),
        ("http://app.example.org", "GET", "/me"),
        ("null", "GET", "/me"),
        // What no key calls, and what only the operator's token does.
        (SITE, "PUT", "/me"),
        (SITE, "POST", "/keys"),
        (SITE, "POST", "/sign-in"),
        (SITE, "POST", "/operator/sign-in"),
        (SITE, "POST", "/tenants"),
        (SITE, "DELETE", "/me"),
        (SITE, "GET", "/nothing"),
    ] {
        let answer = asks(&mut page, site, method, path).await;
        assert_eq!(allowed(&answer, "origin"), None, "{site} {method} {path}");
    }

    // The call itself: with a key, and not by what a browser sends by itself.
    let mut program = world.program("anna@acme.example", &[Scope::Profile]).await;
    program.headers.push(("origin", SITE.into()));
    let answer = program.get("/me").await.expect(200);
    assert_eq!(allowed(&answer, "origin"), Some(SITE));
    assert_eq!(allowed(&answer, "credentials"), None);
    assert!(answer.headers["vary"].to_str().unwrap().contains("origin"));
    anna.headers = vec![("origin", SITE.into()), ("sec-fetch-site", "cross-site".into())];
    let answer = anna.get("/me").await;
    assert_eq!(allowed(&answer, "origin"), None);
    anna.post("/sign-out", json!({})).await.refused(403, "cross_site");
    // A refusal is told as an answer is.
    let mut wrong = world.with_key("hf_no_such_key");
    wrong.headers.push(("origin", SITE.into()));
    let refused = wrong.get("/me").await.refused(401, "not_signed_in");
    assert_eq!(allowed(&refused, "origin"), Some(SITE));
    // The operator's token is for no page.
    let operator = Developer::new(world.router.clone(), OPERATOR).with("origin", SITE);
    let answer = operator.send(Method::GET, "/api/v1/tenants", None).await.expect(200);
    assert_eq!(allowed(&answer, "origin"), None);
    let answer = operator.send(Method::GET, "/v1/models", None).await;
    assert_eq!(allowed(&answer, "origin"), Some(SITE), "{answer:?}");
}

#[tokio::test]
async fn where_no_site_is_named_none_is_answered() {
    let (world, _) = World::owned().await;
    let answer = asks(&mut world.browser(), SITE, "GET", "/me").await.expect(405);
    assert_eq!(allowed(&answer, "origin"), None);
    let mut program = world.program("anna@acme.example", &[Scope::Profile]).await;
    program.headers.push(("origin", SITE.into()));
    let answer = program.get("/me").await.expect(200);
    assert_eq!(allowed(&answer, "origin"), None);
}
