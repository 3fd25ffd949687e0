//! The OpenAPI document is the routes', and what is committed is what the code says.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::Method;
use management::Access;
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
    let of_people = management::routes()
        .into_iter()
        .map(|(method, path, ..)| (method, path));
    let of_tenants = management::tenant_routes()
        .into_iter()
        .map(|(method, path, _)| (method, path));
    let routes: BTreeSet<_> = of_people
        .chain(of_tenants)
        .map(|(method, path)| (method.to_string(), path.replace("{*", "{")))
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

#[test]
fn every_operation_has_a_name_of_its_own() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let operations: Vec<_> = items.flat_map(|item| item.as_object().unwrap().values()).collect();
    let names: BTreeSet<_> = operations
        .iter()
        .map(|of| of["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), operations.len());
}

#[test]
fn what_the_tenant_api_takes_and_refuses_with_is_in_the_document() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let peoples: BTreeSet<_> = management::routes()
        .into_iter()
        .map(|(method, path, ..)| (method.to_string(), path))
        .collect();
    let schemes = &document["components"]["securitySchemes"];
    for (method, path, access) in management::tenant_routes() {
        let operation = &document["paths"][path.replace("{*", "{")][method.as_str().to_lowercase()];
        let way = match access {
            Access::Operator => "admin-token",
            Access::Tenant => "tenant-key",
            other => panic!("{method} {path}: {other:?}"),
        };
        assert_eq!(
            (&schemes[way]["type"], &schemes[way]["scheme"]),
            (&"http".into(), &"bearer".into())
        );
        let ways = operation["security"].as_array().unwrap();
        assert!(
            ways.contains(&serde_json::json!({ way: [] })),
            "{method} {path}: {ways:?}"
        );
        // People's sessions are at the same address.
        let shared = peoples.contains(&(method.to_string(), path));
        assert_eq!(ways.len(), if shared { 2 } else { 1 }, "{method} {path}: {ways:?}");

        let (media_type, schema) = match path.starts_with("/v1/") {
            true => ("application/json", "#/components/schemas/OpenAiError"),
            false => ("application/problem+json", "#/components/schemas/Problem"),
        };
        for (status, answer) in operation["responses"].as_object().unwrap() {
            if status.starts_with('2') {
                continue;
            }
            let name = answer["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            let content = &document["components"]["responses"][name]["content"];
            assert_eq!(
                content[media_type]["schema"]["$ref"], schema,
                "{method} {path}: {status}"
            );
        }

        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let is_once = parameters.into_iter().any(|one| one["name"] == "Idempotency-Key");
        // A rotation takes the master key, of which nothing is kept.
        let keyed = method != Method::GET && path != "/api/v1/platform-keys/rotate";
        assert_eq!(is_once, keyed, "{method} {path}");
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
