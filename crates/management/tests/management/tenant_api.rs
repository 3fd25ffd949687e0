//! Making tenants, changing and removing them, and their keys.

use std::collections::BTreeMap;

use protocol::control::{ApprovalNotice, ApprovalState, NoticeKind};
use protocol::{ApprovalId, TenantId};
use serde_json::{Value, json};

use crate::support::{Developer, OPERATOR, World};

fn model() -> Value {
    json!({"kind": "openai", "base_url": "https://llm.example/v1", "key": "sk-canary", "model": "m"})
}

fn hook() -> Value {
    json!({"url": "https://hooks.example/x", "events": ["turn.failed"]})
}

#[tokio::test]
async fn a_tenant_is_made_with_a_key_that_is_told_once_and_a_model_whose_key_goes_to_its_cell_alone() {
    let (world, agents, operator) = World::with_tenants().await;
    let wanted = json!({"name": "Anna's", "model": model(), "limits": {"spend_day": 5_000_000}});
    let made = operator.post("/api/v1/tenants", wanted).await.expect(201);
    let key = made.json["key"].as_str().unwrap();
    assert!(key.starts_with("ocpk_") && key.len() == 52, "{key}");
    assert!(!made.text.contains("sk-canary"), "{}", made.text);
    assert_eq!(agents.model().unwrap()["key"], "sk-canary");
    assert_eq!(agents.spending().unwrap(), json!({"day": 5_000_000, "month": null}));

    let id = made.json["id"].as_str().unwrap();
    let seen = operator.get(&format!("/api/v1/tenants/{id}")).await.expect(200);
    assert!(
        !seen.text.contains("sk-canary") && !seen.text.contains(key),
        "{}",
        seen.text
    );
    assert_eq!(seen.json["model"]["model"], "m");
    assert_eq!(seen.json["keys"][0]["hint"], &key[..9]);
    // Neither is anywhere in the database.
    let mut owner = world.database.owner().await;
    for table in ["api_tenants", "api_tenant_keys", "platform_secrets", "api_writes"] {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
            .fetch_all(&mut owner)
            .await
            .unwrap();
        let all = rows.join("\n");
        assert!(!all.contains("sk-canary") && !all.contains(key), "{table}: {all}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let (_world, agents, operator) = World::with_tenants().await;
    let mut wrong_kind = model();
    wrong_kind["kind"] = json!("gemini");
    let mut without_key = model();
    without_key.as_object_mut().unwrap().remove("key");
    for (wanted, status, field) in [
        (json!({"name": " "}), 422, "name"),
        (json!({"name": "x", "model": wrong_kind}), 422, "model.kind"),
        (json!({"name": "x", "model": without_key}), 422, "model.key"),
        (
            json!({"name": "x", "limits": {"requests_per_minute": 0}}),
            422,
            "limits.requests_per_minute",
        ),
        (
            json!({"name": "x", "limits": {"spend_day": -1}}),
            422,
            "limits.spend_day",
        ),
    ] {
        let answer = operator.post("/api/v1/tenants", wanted).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["field"]),
            (status, &json!(field)),
            "{}",
            answer.text
        );
    }
    for unreadable in [json!({}), json!({"name": "x", "colour": "red"}), json!([])] {
        assert_eq!(operator.post("/api/v1/tenants", unreadable).await.status, 400);
    }
    // The keeper refuses the model: half of a tenant is none.
    let mut refused = model();
    refused["base_url"] = json!("https://refused.example");
    let answer = operator
        .post("/api/v1/tenants", json!({"name": "x", "model": refused}))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (422, &json!("model_invalid"))
    );
    assert_eq!(agents.removed().len(), 1);
    assert_eq!(operator.get("/api/v1/tenants").await.json["tenants"], json!([]));
}

#[tokio::test]
async fn a_cell_that_cannot_start_is_503_and_says_when_to_come_back() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    agents.break_down();
    for answer in [
        tenant.post("/api/v1/chat", json!({"message": "Hi"})).await,
        tenant
            .post("/api/v1/chat", json!({"message": "Hi", "stream": true}))
            .await,
        tenant.get("/api/v1/usage").await,
        operator
            .patch(&format!("/api/v1/tenants/{id}"), json!({"model": model()}))
            .await,
        operator.delete(&format!("/api/v1/tenants/{id}")).await,
    ] {
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert_eq!(answer.headers["retry-after"], "30");
        assert_eq!(answer.json["code"], "cell_unavailable");
    }
    // Its keys are over since it was to be removed, and asking again goes on.
    assert_eq!(tenant.get("/api/v1/usage").await.status, 401);
    agents.repair();
    operator.delete(&format!("/api/v1/tenants/{id}")).await.expect(200);
}

#[tokio::test]
async fn a_change_is_a_merge_patch() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    let patch = json!({"name": "y", "limits": {"requests_per_minute": 5, "spend_month": 7}});
    let changed = operator.patch(&at, patch).await.expect(200).json;
    assert_eq!(
        (&changed["name"], &changed["limits"]["requests_per_minute"]),
        (&json!("y"), &json!(5))
    );
    assert_eq!(agents.spending().unwrap(), json!({"day": null, "month": 7}));
    // What a tenant cannot be without is not taken away.
    operator
        .patch(&at, json!({"name": null}))
        .await
        .refused(422, "invalid_field");
    // What is absent stays; null takes away.
    let changed = operator
        .patch(&at, json!({"limits": {"spend_month": null}}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        changed["limits"],
        json!({"requests_per_minute": 5, "spend_day": null, "spend_month": null})
    );
    // The model's key stays where it is as long as the address does.
    operator
        .patch(&at, json!({"model": {"model": "other"}}))
        .await
        .expect(200);
    assert_eq!(
        agents.model().unwrap(),
        json!({"kind": "openai", "base_url": "https://llm.example/v1", "model": "other"})
    );
    let moved = operator
        .patch(&at, json!({"model": {"base_url": "https://evil.example"}}))
        .await;
    assert_eq!(
        (moved.status.as_u16(), &moved.json["field"]),
        (422, &json!("model.key"))
    );
    assert_eq!(operator.patch(&at, json!({"model": null})).await.status, 422);
}

#[tokio::test]
async fn a_price_is_changed_member_by_member_and_what_a_model_needs_is_not_taken_away() {
    let (_world, agents, operator) = World::with_tenants().await;
    let mut priced = model();
    priced["price"] = json!({"input": 1, "output": 2, "cached": 3});
    let made = operator.post("/api/v1/tenants", json!({"name": "x", "model": priced}));
    let at = format!(
        "/api/v1/tenants/{}",
        made.await.expect(201).json["id"].as_str().unwrap()
    );
    let patch = operator.with("content-type", "application/merge-patch+json");
    for (change, price) in [
        (json!({"output": 5}), json!({"input": 1, "output": 5, "cached": 3})),
        (json!({"cached": null}), json!({"input": 1, "output": 5})),
        (json!(null), json!(null)),
        (json!({"input": 8, "output": 9}), json!({"input": 8, "output": 9})),
    ] {
        let changed = patch.patch(&at, json!({"model": {"price": change}})).await;
        changed.expect(200);
        assert_eq!(agents.model().unwrap()["price"], price, "{change}");
    }
    let before = agents.model();
    for (change, field) in [
        (json!({"kind": null}), "model.kind"),
        (json!({"base_url": null}), "model.base_url"),
        (json!({"key": null}), "model.key"),
        (json!({"model": null}), "model.model"),
        (json!({"price": {"input": null}}), "model.price.input"),
        (json!({"price": {"output": null}}), "model.price.output"),
        // Another model has another price, of which this says one half.
        (json!({"model": "other", "price": {"input": 7}}), "model.price.output"),
    ] {
        let refused = patch.patch(&at, json!({"model": change})).await;
        assert_eq!(refused.json["field"], field, "{change}: {}", refused.text);
        refused.refused(422, "invalid_field");
    }
    assert_eq!(agents.model(), before);
    let unknown = json!({"model": {"price": {"thinking": 1}}});
    assert_eq!(patch.patch(&at, unknown).await.status, 400);
}

#[tokio::test]
async fn a_tenant_and_an_agent_have_models_to_go_on_to_whose_keys_go_to_their_cells_alone() {
    let (world, agents, operator) = World::with_tenants().await;
    let fallback = |base_url: &str, key: Option<&str>, model: &str| {
        let mut fallback = json!({"kind": "anthropic", "base_url": base_url, "model": model});
        if let Some(key) = key {
            fallback["key"] = json!(key);
        }
        fallback
    };
    let (a, b) = ("https://a.example", "https://b.example");
    let mut priced = fallback(a, Some("sk-a-canary"), "a");
    priced["price"] = json!({"input": 1, "output": 2});
    let wanted = json!({"name": "x", "model": model(), "fallbacks": [priced, fallback(a, None, "a2")]});
    let made = operator.post("/api/v1/tenants", wanted).await.expect(201);
    assert_eq!(agents.model().unwrap()["key"], "sk-canary");
    let told = [priced, fallback(a, None, "a2")];
    assert_eq!(agents.fallbacks(), told);
    let at = format!("/api/v1/tenants/{}", made.json["id"].as_str().unwrap());
    let seen = operator.get(&at).await.expect(200);
    assert_eq!(
        seen.json["fallbacks"],
        json!([fallback(a, None, "a"), fallback(a, None, "a2")])
    );
    let mut owner = world.database.owner().await;
    let rows: Vec<String> = sqlx::query_scalar("SELECT t::text FROM api_tenants t")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    for text in [&made.text, &seen.text, &rows.concat()] {
        assert!(!text.contains("canary"), "{text}");
    }

    // What is said replaces all of them. A key is kept for its address, and needed for another.
    let refused = async |fallbacks: Value, field: &str| {
        let answer = operator.patch(&at, json!({"fallbacks": fallbacks})).await;
        let answer = answer.refused(422, "invalid_field");
        assert_eq!(answer.json["field"], field, "{}", answer.text);
    };
    refused(json!([fallback(b, None, "b")]), "fallbacks.key").await;
    let mut wrong = fallback(a, None, "a");
    wrong["kind"] = json!("gemini");
    refused(json!([wrong]), "fallbacks.kind").await;
    let mut half = fallback(a, None, "a");
    half["price"] = json!({"input": 1});
    refused(json!([half]), "fallbacks.price.output").await;
    refused(vec![fallback(a, None, "a"); 10].into(), "fallbacks").await;
    assert_eq!(agents.fallbacks(), told);
    let change = json!([fallback(b, Some("sk-b"), "b"), fallback(a, None, "a")]);
    let changed = operator.patch(&at, json!({"fallbacks": change})).await.expect(200).json;
    assert_eq!(
        changed["fallbacks"],
        json!([fallback(b, None, "b"), fallback(a, None, "a")])
    );
    assert_eq!(json!(agents.fallbacks()), change);
    assert_eq!(agents.model().unwrap().get("key"), None, "as it was");
    // What is not said stays.
    operator.patch(&at, json!({"model": {"model": "m2"}})).await.expect(200);
    assert_eq!(json!(agents.fallbacks()), change);
    let changed = operator.patch(&at, json!({"fallbacks": null})).await.expect(200).json;
    assert_eq!((agents.fallbacks(), changed.get("fallbacks")), (Vec::new(), None));

    // An agent has its own; without a model there is nothing to go on from.
    let others = format!("{at}/agents");
    let alone = json!({"name": "press", "fallbacks": [fallback(a, Some("sk-p"), "p")]});
    let answer = operator.post(&others, alone.clone()).await;
    assert_eq!(answer.refused(422, "invalid_field").json["field"], "fallbacks");
    let mut whole = alone;
    whole["model"] = json!({"key": "sk-press"});
    let made = operator.post(&others, whole).await.expect(201).json;
    assert_eq!(made["fallbacks"], json!([fallback(a, None, "p")]));
    let changed = operator
        .patch(
            &format!("{others}/press"),
            json!({"fallbacks": [fallback(a, None, "q")]}),
        )
        .await;
    assert_eq!(changed.expect(200).json["fallbacks"], json!([fallback(a, None, "q")]));
    let listed = operator.get(&others).await.expect(200).json;
    assert_eq!(listed["agents"][1]["fallbacks"], json!([fallback(a, None, "q")]));
}

#[tokio::test]
async fn a_first_model_is_gone_on_to_with_the_key_of_its_address_and_no_other_is() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    let before = |base_url: &str| json!({"kind": "openai", "base_url": base_url, "model": "m"});
    let change = |base_url: &str| {
        let other = json!({"kind": "anthropic", "base_url": "https://b.example", "key": "sk-b", "model": "b"});
        json!({"model": other, "fallbacks": [before(base_url)]})
    };
    for near in [
        "https://llm.example/v1/",
        "https://llm.example",
        "https://LLM.example/v1",
    ] {
        let answer = operator.patch(&at, change(near)).await;
        let answer = answer.refused(422, "invalid_field");
        assert_eq!(answer.json["field"], "fallbacks.key", "{near}");
    }
    operator.patch(&at, change("https://llm.example/v1")).await.expect(200);
    assert_eq!(agents.model().unwrap()["key"], "sk-b");
    assert_eq!(agents.fallbacks(), [before("https://llm.example/v1")]);
}

#[tokio::test]
async fn half_a_price_is_refused_before_there_is_a_cell() {
    let (world, agents, operator) = World::with_tenants().await;
    let half = json!({"name": "x", "model": {
        "kind": "openai", "base_url": "https://llm.example/v1", "key": "sk-1", "model": "m", "price": {"input": 1},
    }});
    let refused = operator.post("/api/v1/tenants", half.clone()).await;
    let refused = refused.refused(422, "invalid_field");
    assert_eq!(refused.json["field"], "model.price.output");
    assert_eq!((agents.cells(), agents.removed().len()), (0, 0));
    let (id, _) = world.tenant("y").await;
    let refused = operator.post(&format!("/api/v1/tenants/{id}/agents"), half).await;
    refused.refused(422, "invalid_field");
    assert_eq!((agents.cells(), agents.removed().len()), (1, 0));
}

#[tokio::test]
async fn removing_a_tenant_leaves_no_row_and_says_what_was_there() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    tenant.post("/api/v1/chat", json!({"message": "Hi"})).await.expect(200);
    let titled = tenant.with("idempotency-key", "k");
    let session = tenant.get("/api/v1/sessions").await.json["sessions"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    titled
        .patch(&format!("/api/v1/sessions/{session}"), json!({"title": "t"}))
        .await
        .expect(200);
    let removed = operator.delete(&format!("/api/v1/tenants/{id}")).await.expect(200).json;
    let was = &removed["removed"];
    let counted = [
        &was["keys"],
        &was["sessions"],
        &was["secrets"],
        &was["webhooks"],
        &was["blobs"],
        &was["blob_bytes"],
    ];
    assert_eq!(
        counted,
        [&json!(1), &json!(1), &json!(1), &json!(0), &json!(3), &json!(99)]
    );
    assert_eq!(agents.removed().len(), 1);
    assert_eq!(tenant.get("/api/v1/usage").await.status, 401);
    assert_eq!(operator.get(&format!("/api/v1/tenants/{id}")).await.status, 404);
}

/// In how many rows of which tables one of these is named, whatever the column.
async fn rows_naming(world: &World, ids: &[String]) -> BTreeMap<String, i64> {
    let mut owner = world.database.owner().await;
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut owner).await.unwrap();
    let mut naming = BTreeMap::new();
    for table in tables {
        let count = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE ANY ($1)");
        let ids: Vec<_> = ids.iter().map(|id| format!("%{id}%")).collect();
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).bind(ids);
        let rows: i64 = count.fetch_one(&mut owner).await.unwrap();
        if rows > 0 {
            naming.insert(table, rows);
        }
    }
    naming
}

#[tokio::test]
async fn of_a_tenant_that_is_removed_no_table_has_a_row_but_the_operators_log() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    let job = json!([{"name": "morning", "every_minutes": 15, "message": "Good morning"}]);
    let template = json!({"name": "clerk", "schedule": job});
    operator.post("/api/v1/templates", template).await.expect(201);
    let press = json!({"name": "press", "template": "clerk", "model": {"key": "sk-press"}});
    let press = operator.post(&format!("{at}/agents"), press).await.expect(201).json;
    operator.post(&format!("{at}/webhooks"), hook()).await.expect(201);
    let change = json!({"template": "clerk"});
    let changed = operator
        .with("idempotency-key", "k")
        .patch(&at, change)
        .await
        .expect(200)
        .json;
    let said = json!({"session_id": "s", "message": "fail"});
    tenant.post("/api/v1/chat", said).await;
    // And one that goes on.
    let said = json!({"session_id": "s", "message": "hold", "stream": true, "detach": true});
    tenant.stream("/api/v1/chat", said).await.until("delta").await;
    let named = tenant.with("idempotency-key", "k");
    named
        .patch("/api/v1/sessions/s", json!({"title": "t"}))
        .await
        .expect(200);
    let cell = changed["cell"]["id"].as_str().unwrap();
    let asked = [ApprovalNotice {
        id: ApprovalId::new(),
        ends_at: world.clock.seconds() * 1000 + 60_000,
        state: ApprovalState::Waiting,
        kind: NoticeKind::Agent,
    }];
    let told = world
        .management
        .approvals_wait(cell.parse().unwrap(), TenantId::from(id), &asked);
    told.await.unwrap();

    let ids = [
        id.to_string(),
        cell.to_owned(),
        press["cell"]["id"].as_str().unwrap().to_owned(),
    ];
    let before = rows_naming(&world, &ids).await;
    // What people have of that kind is none of it.
    let of_tenants = r"SELECT table_name::text FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'tenant_id' AND table_name LIKE 'api\_%' AND table_name <> 'api_keys'";
    let of_tenants: Vec<String> = sqlx::query_scalar(of_tenants)
        .fetch_all(&mut world.database.owner().await)
        .await
        .unwrap();
    let also = ["platform_secrets", "deliveries"];
    for table in of_tenants.iter().map(String::as_str).chain(also) {
        assert!(
            before.contains_key(table),
            "{table} has nothing to remove: have something put there"
        );
    }
    operator.delete(&at).await.expect(200);
    let after = rows_naming(&world, &ids).await;
    assert_eq!(after.keys().collect::<Vec<_>>(), ["operator_events"]);
}

#[tokio::test]
async fn a_tenant_is_removed_while_the_end_of_its_turn_is_put_into_the_queue_of_webhooks() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    operator.post(&format!("{at}/webhooks"), hook()).await.expect(201);
    let slow =
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION slow()";
    let mut owner = world.database.owner().await;
    sqlx::raw_sql(slow).execute(&mut owner).await.unwrap();
    let said = json!({"session_id": "s", "message": "hold", "stream": true, "detach": true});
    tenant.stream("/api/v1/chat", said).await.until("delta").await;
    operator.delete(&at).await.expect(200);
}

#[tokio::test]
async fn what_opens_a_tenants_vault_is_gone_before_its_cell_and_a_removal_that_broke_off_goes_on() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let mut owner = world.database.owner().await;
    let mut secrets = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM platform_secrets")
            .fetch_one(&mut owner)
            .await
            .unwrap()
    };
    assert_eq!(secrets().await, 1);
    let at = format!("/api/v1/tenants/{id}");
    agents.break_down();
    assert_eq!(operator.delete(&at).await.status, 503);
    assert_eq!((secrets().await, agents.removed().len()), (0, 0));
    assert_eq!(tenant.get("/api/v1/usage").await.status, 401);
    agents.repair();
    let gone = operator.delete(&at).await.expect(200).json;
    // What the try before has ended is counted, too.
    assert_eq!(gone["removed"]["secrets"], 1);
    assert_eq!(agents.removed().len(), 1);
    assert_eq!(operator.get(&at).await.status, 404);
}

#[tokio::test]
async fn what_was_removed_before_a_removal_broke_off_is_counted_at_its_end() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    for path in ["agents", "keys"] {
        let wanted = match path {
            "agents" => json!({"name": "press"}),
            _ => json!({}),
        };
        operator.post(&format!("{at}/{path}"), wanted).await.expect(201);
    }
    // The first cell goes, and the second does not.
    let mut removals = 0;
    agents.break_where(move |_, method| {
        removals += usize::from(method == "spending.get");
        removals > 1
    });
    operator.delete(&at).await.refused(503, "cell_unavailable");
    assert_eq!(agents.removed().len(), 1);
    assert_eq!(tenant.get("/api/v1/usage").await.status, 401);
    let left = operator.get(&at).await.expect(200).json;
    assert_eq!(left["keys"], json!([]));
    agents.repair();
    let removed = operator.delete(&at).await.expect(200).json["removed"].clone();
    let counted = ["agents", "keys", "blobs", "blob_bytes"].map(|what| removed[what].as_u64().unwrap());
    assert_eq!(counted, [2, 2, 6, 198]);
}

#[tokio::test]
async fn keys_are_rotated_with_overlap_and_revoked_at_once() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, first) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}/keys");
    let works = async |key: &Developer| key.get("/v1/models").await.status == 200;
    let made = operator.post(&at, json!({"overlap_hours": 1})).await.expect(201).json;
    let second = Developer::new(world.router.clone(), made["key"].as_str().unwrap());
    assert!(works(&first).await && works(&second).await);
    world.clock.advance(std::time::Duration::from_secs(3601));
    assert!(!works(&first).await && works(&second).await);

    let made = operator.post(&at, json!({})).await.expect(201).json;
    let third = Developer::new(world.router.clone(), made["key"].as_str().unwrap());
    assert!(works(&second).await && works(&third).await);
    let revoked = operator.delete(&format!("{at}/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(revoked.status, 204);
    assert!(works(&second).await && !works(&third).await);
    // All at once.
    let made = operator.post(&at, json!({"overlap_hours": 0})).await.expect(201).json;
    assert!(!works(&second).await);
    assert!(works(&Developer::new(world.router.clone(), made["key"].as_str().unwrap())).await);
    assert_eq!(operator.post(&at, json!({"overlap_hours": 1000})).await.status, 422);
}

#[tokio::test]
async fn tenants_are_listed_page_by_page() {
    let (_world, _, operator) = World::with_tenants().await;
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        let answer = operator
            .post("/api/v1/tenants", json!({"name": name}))
            .await
            .expect(201);
        made.push(answer.json["id"].as_str().unwrap().to_owned());
    }
    let (mut seen, mut next) = (Vec::new(), "/api/v1/tenants?limit=2".to_owned());
    loop {
        let page = operator.get(&next).await.expect(200).json;
        seen.extend(
            page["tenants"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        next = format!("/api/v1/tenants?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, made);
    for bad in ["limit=0", "limit=1000", "cursor=x"] {
        let status = operator.get(&format!("/api/v1/tenants?{bad}")).await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{bad}");
    }
}

#[tokio::test]
async fn a_tenant_that_asks_too_often_is_told_to_wait() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let patch = json!({"limits": {"requests_per_minute": 2}});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), patch)
        .await
        .expect(200);
    tenant.get("/v1/models").await.expect(200);
    tenant.get("/v1/models").await.expect(200);
    let answer = tenant.get("/api/v1/usage").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (429, &json!("too_many_requests"))
    );
    assert!(answer.headers.contains_key("retry-after"));
    let detail = answer.json["detail"].as_str().unwrap();
    assert!(
        detail.contains("More than 2 requests") && detail.contains("`requests_per_minute`"),
        "{detail}"
    );
    let theirs = tenant.get("/v1/models").await;
    assert_eq!(theirs.json["error"]["type"], "rate_limit_error");
    world.clock.advance(std::time::Duration::from_secs(30));
    tenant.get("/v1/models").await.expect(200);
}

#[tokio::test]
async fn who_has_the_wrong_one_of_the_two_kinds_of_keys_is_told_which_is_the_right_one() {
    let (world, _, operator) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    for (who, path, words) in [
        (&tenant, "/api/v1/tenants", "the operator's token"),
        (&operator, "/api/v1/usage", "`ocpk_…`"),
    ] {
        let answer = who.get(path).await.refused(403, "not_allowed");
        assert!(
            answer.json["detail"].as_str().unwrap().contains(words),
            "{}",
            answer.text
        );
    }
}

#[tokio::test]
async fn the_operators_token_is_found_out_no_faster_than_other_things() {
    let (world, ..) = World::with_tenants().await;
    let guess = Developer::new(world.router.clone(), &format!("{OPERATOR}x"));
    for _ in 0..management::limits::ATTEMPTS_PER_CLIENT {
        assert_eq!(guess.get("/api/v1/tenants").await.status, 401);
    }
    assert_eq!(guess.get("/api/v1/tenants").await.status, 429);
}

#[tokio::test]
async fn every_act_on_a_tenant_is_in_the_operators_log_and_no_key_is() {
    let (world, _agents, operator) = World::with_tenants().await;
    let made = operator
        .post("/api/v1/tenants", json!({"name": "Ben"}))
        .await
        .expect(201)
        .json;
    let path = format!("/api/v1/tenants/{}", made["id"].as_str().unwrap());
    let change = json!({"name": "Benno", "model": model(), "limits": {"requests_per_minute": 9}});
    operator.patch(&path, change).await.expect(200);
    let key = operator
        .post(&format!("{path}/keys"), json!({"overlap_hours": 1}))
        .await
        .expect(201)
        .json;
    operator
        .delete(&format!("{path}/keys/{}", key["id"].as_str().unwrap()))
        .await
        .expect(204);
    operator
        .post("/api/v1/platform-keys/rotate", json!({}))
        .await
        .expect(200);
    operator.delete(&path).await.expect(200);
    // What comes to nothing is no act.
    operator.delete(&path).await.refused(404, "not_found");

    let log = world.operator(true).await.get("/operator/audit").await.expect(200);
    let events = log.json["events"].as_array().unwrap();
    let acts: Vec<_> = events.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(
        acts,
        [
            "api_tenant.removed",
            "platform_keys.rotated",
            "api_tenant.key_revoked",
            "api_tenant.key_made",
            "api_tenant.changed",
            "api_tenant.made",
        ]
    );
    assert_eq!(events[4]["details"]["changed"], "name, model, limits");
    for event in events {
        assert_eq!(
            (&event["actor"]["kind"], &event["outcome"]),
            (&json!("operator"), &json!("done"))
        );
        if event["action"] != "platform_keys.rotated" {
            assert_eq!((&event["tenant"], &event["target"]["id"]), (&made["id"], &made["id"]));
        }
    }
    for secret in [&made["key"], &key["key"], &json!("sk-canary")] {
        assert!(!log.text.contains(secret.as_str().unwrap()));
    }
}
