//! What the document gives as examples of the tenant API can be sent as it stands, and is answered as it says.

use std::collections::BTreeSet;

use axum::http::Method;
use management::Access;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Developer, World};

const COMMITTED: &str = include_str!("../../../../docs/openapi.json");

/// Whatever is asked is asked of this, which the examples name.
const SESSION: &str = "first";

/// What is an example's alone: a value is of the same kind, an object has the same members, and of lists the first elements are alike.
fn is_alike(example: &Value, real: &Value, place: &str) {
    match (example, real) {
        (Value::Object(example), Value::Object(real)) => {
            let names = |of: &serde_json::Map<String, Value>| of.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(example), names(real), "{place}");
            for (name, value) in example {
                is_alike(value, &real[name], &format!("{place}.{name}"));
            }
        }
        (Value::Array(example), Value::Array(real)) => {
            if let (Some(example), Some(real)) = (example.first(), real.first()) {
                is_alike(example, real, &format!("{place}[0]"));
            }
        }
        // What may be null may be so in one of the two.
        (Value::Null, _) | (_, Value::Null) => {}
        (example, real) => assert_eq!(
            std::mem::discriminant(example),
            std::mem::discriminant(real),
            "{place}: {example} and {real}"
        ),
    }
}

#[tokio::test]
async fn every_example_of_the_tenant_api_is_taken_and_answered_as_it_says() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let (world, _, operator) = World::with_tenants().await;
    for (method, path, access) in management::tenant_routes() {
        let address = path.replace("{*", "{");
        let operation = &document["paths"][&address][method.as_str().to_lowercase()];
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let asked = body["examples"].get(0);
        assert_eq!(
            asked.is_some(),
            !body.is_null(),
            "{method} {path} takes a body: it needs an example"
        );

        // Anew for each, since some of them end what they are about.
        let (tenant, program) = world.tenant("Anna").await;
        with_model_of_the_examples(&operator, tenant).await;
        let caller = match access {
            Access::Operator => &operator,
            _ => {
                let said = json!({"session_id": SESSION, "message": "Hello, approve"});
                program.post("/api/v1/chat", said).await.expect(200);
                &program
            }
        };
        let id = if path.starts_with("/v1/") {
            "gpt-5".to_owned()
        } else {
            SESSION.to_owned()
        };
        let id = if access == Access::Operator {
            tenant.to_string()
        } else if path.starts_with("/api/v1/approvals") {
            let listed = program.get("/api/v1/approvals").await.expect(200).json;
            listed["approvals"][0]["id"].as_str().unwrap().to_owned()
        } else {
            id
        };
        let name = match path.contains("/agents") {
            true => agent_of(&operator, tenant, path).await,
            false => template_of(&operator, tenant).await,
        };
        let uri = address
            .replace("{id}", &id)
            .replace("{key}", &key_of(&operator, tenant).await)
            .replace("{webhook}", &webhook_of(&operator, tenant).await)
            .replace("{name}", &name);
        let answer = caller.send(method.clone(), &uri, asked).await;
        let responses = operation["responses"].as_object().unwrap();
        let (status, response) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
        assert_eq!(answer.status.as_str(), status, "{method} {path}: {}", answer.text);
        let schema = &response["content"]["application/json"]["schema"];
        // Where people are answered, too, what a tenant is answered stands behind that.
        let of_tenants = schema["anyOf"].as_array().and_then(|any| any.last()).unwrap_or(schema);
        let said = &of_tenants["examples"][0];
        assert_eq!(
            said.is_null(),
            schema.is_null(),
            "{method} {path} is answered with JSON: it needs an example"
        );
        if !said.is_null() {
            is_alike(said, &answer.json, &format!("{method} {path}"));
        }
    }
}

/// The model that the examples name.
async fn with_model_of_the_examples(operator: &Developer, tenant: Uuid) {
    let model = json!({"model": {"model": "gpt-5"}});
    let changed = operator
        .send(Method::PATCH, &format!("/api/v1/tenants/{tenant}"), Some(&model))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
}

/// A webhook with the address of the examples, which takes nothing.
async fn webhook_of(operator: &Developer, tenant: Uuid) -> String {
    let wanted = json!({"url": "https://hooks.example/turns", "events": ["turn.finished"]});
    let made = operator
        .post(&format!("/api/v1/tenants/{tenant}/webhooks"), wanted)
        .await;
    made.expect(201).json["id"].as_str().unwrap().to_owned()
}

/// A template with all that a template can have.
async fn template_of(operator: &Developer, tenant: Uuid) -> String {
    let name = format!("t-{}", tenant.simple());
    let document = "---\nname: release\ndescription: What a press release looks like.\n---\n";
    let wanted = json!({
        "name": name, "persona": "You write.", "skills": [{"name": "release", "document": document}], "tools": {"deny": ["exec"]},
        "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
    });
    operator.post("/api/v1/templates", wanted).await.expect(201);
    name
}

/// An agent with all that an agent can have, where one is asked for.
async fn agent_of(operator: &Developer, tenant: Uuid, path: &str) -> String {
    if path.contains("{name}") {
        let wanted = json!({"name": "press", "template": "writer", "model": {"key": "sk-1"}});
        let made = operator.post(&format!("/api/v1/tenants/{tenant}/agents"), wanted).await;
        made.expect(201);
    }
    "press".to_owned()
}

async fn key_of(operator: &Developer, tenant: Uuid) -> String {
    let seen = operator.get(&format!("/api/v1/tenants/{tenant}")).await.expect(200);
    seen.json["keys"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_error_of_openais_routes_is_as_its_example_says() {
    let document: Value = serde_json::from_str(COMMITTED).unwrap();
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let refused = tenant.get("/v1/models/gpt").await;
    assert_eq!(refused.status, 404);
    let said = &document["components"]["schemas"]["OpenAiError"]["examples"][0];
    is_alike(said, &refused.json, "OpenAiError");
    assert_eq!(said["error"]["code"], refused.json["error"]["code"]);
    assert_eq!(said["error"]["type"], refused.json["error"]["type"]);
}

#[test]
#[should_panic(expected = "x.a")]
fn an_example_with_another_member_is_seen() {
    is_alike(&json!({"a": {"b": 1}}), &json!({"a": {"c": 1}}), "x");
}
