//! Templates of agents: making, changing and removing them, and tenants who are given one.

use management::limits;
use protocol::limits::{TEMPLATE_PERSONA_BYTES, TEMPLATE_SKILL_BYTES, TEMPLATE_SKILLS, TEMPLATE_TOOLS};
use serde_json::{Value, json};

use crate::support::World;

const AT: &str = "/api/v1/templates";

fn skill(name: &str) -> Value {
    json!({"name": name, "document": format!("---\nname: {name}\ndescription: What for\n---\n\nDo it.\n")})
}

fn press_desk() -> Value {
    json!({
        "name": "press-desk", "persona": "You write for the press.", "skills": [skill("release")],
        "tools": {"allow": ["read", "write"], "deny": ["exec"]},
        "model": {"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-5"},
    })
}

#[tokio::test]
async fn a_template_is_made_listed_among_those_that_are_built_in_changed_and_removed() {
    let (world, _, operator) = World::with_tenants().await;
    let made = operator.post(AT, press_desk()).await.expect(201).json;
    assert_eq!(
        (&made["built_in"], &made["skills"]),
        (&json!(false), &json!([skill("release")]))
    );
    operator.post(AT, press_desk()).await.refused(409, "template_known");
    operator
        .post(AT, json!({"name": "writer"}))
        .await
        .refused(409, "template_known");

    let listed = operator.get(AT).await.expect(200);
    let names = |listed: &Value| -> Vec<String> {
        let all = listed["templates"].as_array().unwrap();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&listed.json), ["butler", "press-desk", "scout", "writer"]);
    assert!(
        !listed.text.contains("for the press"),
        "without the texts: {}",
        listed.text
    );
    let page = operator.get(&format!("{AT}?limit=2")).await.expect(200).json;
    assert_eq!(
        (names(&page), &page["next_cursor"]),
        (vec!["butler".into(), "press-desk".into()], &json!("press-desk"))
    );
    let last = operator
        .get(&format!("{AT}?limit=2&cursor=press-desk"))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (names(&last), &last["next_cursor"]),
        (vec!["scout".into(), "writer".into()], &Value::Null)
    );
    for page in ["limit=0", "limit=101", "cursor=../x", "cursor="] {
        operator
            .get(&format!("{AT}?{page}"))
            .await
            .refused(422, "invalid_field");
    }

    // JSON Merge Patch: what is absent stays, null takes away, a list is replaced whole.
    let one = format!("{AT}/press-desk");
    let patch = json!({"persona": null, "tools": {"allow": null}, "model": {"model": "gpt-6"}});
    let changed = operator.patch(&one, patch).await.expect(200).json;
    assert_eq!(changed["persona"], "");
    assert_eq!(changed["tools"], json!({"allow": [], "deny": ["exec"]}));
    assert_eq!(
        changed["model"],
        json!({"kind": "openai", "base_url": "https://llm.example/v1", "model": "gpt-6"})
    );
    assert_eq!(changed["skills"], made["skills"]);
    assert_ne!(changed["version"], made["version"]);
    let refused = operator.patch(&one, json!({"model": {"kind": null}})).await;
    assert_eq!(refused.json["field"], "model.kind");
    refused.refused(422, "invalid_field");
    let patch = json!({"persona": "You write for the press.", "tools": null, "model": null, "skills": []});
    let changed = operator.patch(&one, patch).await.expect(200).json;
    assert_eq!(
        (&changed["tools"], &changed["skills"]),
        (&json!({"allow": [], "deny": []}), &json!([]))
    );
    assert_eq!(changed.get("model"), None);
    assert_eq!(operator.get(&one).await.expect(200).json, changed);

    for name in ["butler", "scout", "writer"] {
        let built_in = format!("{AT}/{name}");
        let seen = operator.get(&built_in).await.expect(200).json;
        assert_eq!(seen["built_in"], true);
        assert!(seen["persona"].as_str().unwrap().len() > 100 && !seen["skills"].as_array().unwrap().is_empty());
        operator
            .patch(&built_in, json!({}))
            .await
            .refused(409, "template_built_in");
        operator.delete(&built_in).await.refused(409, "template_built_in");
    }
    operator.delete(&one).await.expect(204);
    operator.delete(&one).await.refused(404, "not_found");
    operator.patch(&one, json!({})).await.refused(404, "not_found");
    operator.get(&one).await.refused(404, "not_found");

    // Each act is in the operator's log, with what it is about.
    let mut owner = world.database.owner().await;
    let acts: Vec<String> = sqlx::query_scalar(
        "SELECT action || ' ' || (body::jsonb -> 'target' ->> 'id') FROM operator_events WHERE action LIKE 'api_template.%' ORDER BY seq",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let expected = ["made", "changed", "changed", "removed"].map(|act| format!("api_template.{act} press-desk"));
    assert_eq!(acts, expected);
}

#[tokio::test]
async fn what_is_wrong_or_too_much_is_named_and_nothing_is_made_or_changed() {
    let (_world, _, operator) = World::with_tenants().await;
    let with = |field: &str, value: Value| {
        let mut wanted = press_desk();
        wanted[field] = value;
        wanted
    };
    let long = json!([{"name": "release", "document": format!("{}{}", skill("release")["document"].as_str().unwrap(), "a".repeat(TEMPLATE_SKILL_BYTES))}]);
    let many: Vec<Value> = (0..=TEMPLATE_SKILLS).map(|at| skill(&format!("s{at}"))).collect();
    let escaping = json!([{"name": "../release", "document": skill("release")["document"]}]);
    for (wanted, field, words) in [
        (with("name", json!("Press desk")), "name", "a-z"),
        (with("name", json!("../x")), "name", "a-z"),
        (with("name", json!("a".repeat(41))), "name", "TEMPLATE_NAME_CHARS"),
        (
            with("persona", json!("a".repeat(TEMPLATE_PERSONA_BYTES + 1))),
            "persona",
            "TEMPLATE_PERSONA_BYTES",
        ),
        (with("persona", json!("a\u{0}")), "persona", "control"),
        (with("skills", json!(many)), "skills", "TEMPLATE_SKILLS"),
        (with("skills", long), "skills.document", "TEMPLATE_SKILL_BYTES"),
        (with("skills", escaping), "skills.name", "a-z"),
        (with("skills", json!([skill("holdfast")])), "skills.name", "keeper"),
        (with("skills", json!([skill("a"), skill("a")])), "skills.name", "two"),
        (
            with("skills", json!([{"name": "a", "document": "Do it."}])),
            "skills.document",
            "description",
        ),
        (
            with("tools", json!({"deny": vec!["exec"; TEMPLATE_TOOLS + 1]})),
            "tools.deny",
            "TEMPLATE_TOOLS",
        ),
        (
            with("tools", json!({"allow": ["Exec; rm"]})),
            "tools.allow",
            "TEMPLATE_TOOL_CHARS",
        ),
        (with("model", json!({"kind": "openai"})), "model.base_url", "needs"),
        (
            with("model", json!({"kind": "x", "base_url": "https://a", "model": "m"})),
            "model.kind",
            "openai",
        ),
        (
            with(
                "model",
                json!({"kind": "openai", "base_url": "https://a:b@c", "model": "m"}),
            ),
            "model.base_url",
            "password",
        ),
        (
            with(
                "model",
                json!({"kind": "openai", "base_url": "https://a", "model": "m".repeat(2049)}),
            ),
            "model.model",
            "TEMPLATE_MODEL_BYTES",
        ),
    ] {
        let answer = operator.post(AT, wanted.clone()).await;
        let (status, told) = (
            answer.status.as_u16(),
            answer.json["detail"].as_str().unwrap_or_default(),
        );
        assert_eq!((status, &answer.json["field"]), (422, &json!(field)), "{}", answer.text);
        assert!(told.contains(words), "{told}");
    }
    for unreadable in [
        json!({}),
        with("colour", json!("red")),
        with("skills", json!([{"name": "a", "document": "x", "run": "y"}])),
    ] {
        assert_eq!(operator.post(AT, unreadable).await.status, 400);
    }
    operator
        .get(&format!("{AT}/press-desk"))
        .await
        .refused(404, "not_found");

    let made = operator.post(AT, press_desk()).await.expect(201).json;
    let one = format!("{AT}/press-desk");
    let wrong = json!({"persona": "fine", "tools": {"deny": ["a b"]}});
    operator.patch(&one, wrong).await.refused(422, "invalid_field");
    assert_eq!(operator.get(&one).await.expect(200).json, made);

    for at in 1..limits::API_TEMPLATES {
        operator.post(AT, json!({"name": format!("t{at}")})).await.expect(201);
    }
    let full = operator.post(AT, json!({"name": "one-more"})).await;
    full.refused(409, "limit_reached");
    let told = operator.post(AT, json!({"name": "one-more"})).await.json["detail"].to_string();
    assert!(told.contains("API_TEMPLATES"), "{told}");
}

#[tokio::test]
async fn a_tenant_is_made_with_a_template_which_goes_to_its_cell_and_is_given_another_by_a_change_alone() {
    let (_world, agents, operator) = World::with_tenants().await;
    let template = operator.post(AT, press_desk()).await.expect(201).json;
    let sent = |template: &Value| {
        let members = ["name", "persona", "skills", "tools"];
        members
            .into_iter()
            .map(|name| (name.to_owned(), template[name].clone()))
            .collect::<Value>()
    };
    // The model is the template's, the key the tenant's.
    let wanted = json!({"name": "Anna", "template": "press-desk", "model": {"key": "sk-canary"}});
    let made = operator.post("/api/v1/tenants", wanted).await.expect(201).json;
    let given = json!({"name": "press-desk", "version": template["version"]});
    assert_eq!(made["template"], given);
    assert_eq!(made["model"], template["model"]);
    assert_eq!(agents.templates(), [sent(&template)]);
    assert_eq!(agents.model().unwrap()["key"], "sk-canary");

    // A change of the template reaches nobody by itself; a change of the tenant that does not speak of it neither.
    let at = format!("/api/v1/tenants/{}", made["id"].as_str().unwrap());
    let patch = json!({"persona": "You write for the press, in English."});
    let changed = operator
        .patch(&format!("{AT}/press-desk"), patch)
        .await
        .expect(200)
        .json;
    operator.patch(&at, json!({"name": "Anna B."})).await.expect(200);
    assert_eq!(operator.get(&at).await.expect(200).json["template"], given);
    assert_eq!(agents.templates().len(), 1);
    let again = operator
        .patch(&at, json!({"template": "press-desk"}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        again["template"],
        json!({"name": "press-desk", "version": changed["version"]})
    );
    assert_eq!(agents.templates()[1], sent(&changed));

    // What is built in goes the same way, and none takes it away. What is removed stays with who has it.
    operator.patch(&at, json!({"template": "writer"})).await.expect(200);
    assert_eq!(agents.templates()[2]["name"], "writer");
    let none = operator.patch(&at, json!({"template": null})).await.expect(200).json;
    assert_eq!((none.get("template"), &agents.templates()[3]), (None, &Value::Null));
    operator.patch(&at, json!({"template": "press-desk"})).await.expect(200);
    operator.delete(&format!("{AT}/press-desk")).await.expect(204);
    assert_eq!(
        operator.get(&at).await.expect(200).json["template"]["name"],
        "press-desk"
    );
    for name in ["press-desk", "no-such", "../x", ""] {
        let answer = operator.patch(&at, json!({"template": name})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["field"]),
            (422, &json!("template")),
            "{name}"
        );
    }
    assert_eq!(agents.templates().len(), 5);
}

#[tokio::test]
async fn a_tenant_whose_template_is_refused_or_unknown_is_not_made() {
    let (_world, agents, operator) = World::with_tenants().await;
    let unknown = json!({"name": "Anna", "template": "no-such"});
    let answer = operator.post("/api/v1/tenants", unknown).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["field"]),
        (422, &json!("template"))
    );
    operator
        .post(AT, json!({"name": "odd", "persona": "refused"}))
        .await
        .expect(201);
    let odd = json!({"name": "Anna", "template": "odd"});
    let answer = operator.post("/api/v1/tenants", odd).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (422, &json!("template_invalid"))
    );
    assert_eq!(agents.removed().len(), 1);
    assert_eq!(operator.get("/api/v1/tenants").await.json["tenants"], json!([]));

    // A template's model needs the tenant's key.
    operator.post(AT, press_desk()).await.expect(201);
    let keyless = json!({"name": "Anna", "template": "press-desk", "model": {}});
    let answer = operator.post("/api/v1/tenants", keyless).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["field"]),
        (422, &json!("model.key"))
    );
    // And without one there is none.
    let plain = json!({"name": "Anna", "template": "press-desk"});
    let made = operator.post("/api/v1/tenants", plain).await.expect(201).json;
    assert_eq!(made.get("model"), None);
}
