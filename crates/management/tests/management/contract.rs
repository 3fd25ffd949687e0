//! The OpenAPI document is the routes', and what is committed is what the code says.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::World;

const COMMITTED: &str = include_str!("../../../../docs/openapi.json");

#[test]
fn the_committed_document_is_what_the_code_says() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let now = management::document(&src).unwrap_or_else(|error| panic!("{error}"));
    let differs = now
        .lines()
        .zip(COMMITTED.lines())
        .find(|(now, committed)| now != committed);
    assert!(
        now == COMMITTED,
        "docs/openapi.json is not what the code says: run `cargo xtask openapi`. The first difference: {differs:?}"
    );
}

#[test]
fn every_route_is_in_the_document_and_nothing_else() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            described.insert((method.to_uppercase(), path.clone()));
            let says = operation["description"].as_str().unwrap_or_default();
            assert!(says.len() > 20, "{method} {path} says nothing");
        }
    }
    let routes: BTreeSet<_> = management::routes()
        .into_iter()
        .map(|(method, path, ..)| (method.to_string(), path.to_owned()))
        .collect();
    assert_eq!(described, routes);
}

#[test]
fn what_keys_may_call_is_in_the_document() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    for (method, path, _, scope) in management::routes() {
        let operation = &document["paths"][path][method.as_str().to_lowercase()];
        let ways = operation["security"].as_array().unwrap();
        let scopes: Vec<_> = ways.iter().filter_map(|way| way["key"][0].as_str()).collect();
        assert_eq!(scopes, scope.map(|scope| scope.as_str()).as_slice(), "{method} {path}");
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served_to_anybody() {
    let world = World::new().await;
    let mut browser = world.browser();
    let document = browser.get("/openapi.json").await.expect(200);
    assert_eq!(document.text, COMMITTED);
    let page = browser.get("/docs").await.expect(200);
    assert!(page.text.contains("/api/v1/sign-in/complete"));
    assert!(browser.get("/docs.css").await.expect(200).text.contains("body"));
}
