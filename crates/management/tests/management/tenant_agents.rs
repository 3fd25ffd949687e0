//! Several agents of one tenant: each with a cell, a template, sessions and requests of its own, all within the one tenant's limits.

use std::time::Duration;

use axum::http::Method;
use management::{CellRef, limits};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Agents, Answer, Developer, HASH, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn at(tenant: Uuid) -> String {
    format!("/api/v1/tenants/{tenant}/agents")
}

/// An agent with a model, as the operator sees it.
async fn agent(operator: &Developer, tenant: Uuid, name: &str) -> Value {
    let wanted = json!({"name": name, "model": {"key": format!("sk-of-{name}")}});
    operator.post(&at(tenant), wanted).await.expect(201).json
}

async fn main_cell(operator: &Developer, tenant: Uuid) -> Value {
    operator.get(&format!("{}/main", at(tenant))).await.expect(200).json["cell"].clone()
}

#[tokio::test]
async fn an_agent_is_made_with_a_cell_of_its_own_listed_changed_and_removed_for_real() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("Anna").await;
    let once = operator.with("idempotency-key", "k");
    let wanted = json!({"name": "press", "template": "writer", "model": {"key": "sk-canary", "model": "m2"}});
    let made = once.post(&at(id), wanted.clone()).await.expect(201);
    assert_eq!(once.post(&at(id), wanted).await.expect(201).json, made.json);
    assert!(!made.text.contains("sk-canary"), "{}", made.text);
    let made = made.json;
    // What it does not say of its model is as the tenant's.
    let model = json!({"kind": "openai", "base_url": "https://llm.example/v1", "model": "m2"});
    assert_eq!((&made["name"], &made["model"]), (&json!("press"), &model));
    assert_eq!(made["template"]["name"], "writer");
    let (own, main) = (made["cell"].clone(), main_cell(&operator, id).await);
    assert_ne!(own["id"], main["id"]);
    assert_eq!(agents.model_of(&own).unwrap()["key"], "sk-canary");
    assert_eq!(agents.model_of(&main).unwrap()["key"], "sk-1");
    assert_eq!(agents.templates_of(&own)[0]["name"], "writer");
    assert_eq!(agents.templates_of(&main), Vec::<Value>::new());
    assert_eq!(agents.cells(), 2);

    let one = format!("{}/press", at(id));
    assert_eq!(operator.get(&one).await.expect(200).json, made);
    let changed = json!({"template": null, "model": {"model": "m3"}});
    let changed = operator.patch(&one, changed).await.expect(200).json;
    assert_eq!(
        (changed.get("template"), &changed["model"]["model"]),
        (None, &json!("m3"))
    );
    assert_eq!(agents.templates_of(&own)[1], Value::Null);
    // Another address needs its key.
    let elsewhere = json!({"model": {"base_url": "https://other.example/v1"}});
    assert_eq!(operator.patch(&one, elsewhere).await.status, 422);
    assert_eq!(operator.patch(&one, json!({"model": null})).await.status, 422);

    agent(&operator, id, "brief").await;
    let page = operator.get(&format!("{}?limit=2", at(id))).await.expect(200).json;
    let names = |page: &Value| -> Vec<String> {
        let agents = page["agents"].as_array().unwrap().iter();
        agents.map(|agent| agent["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&page), ["brief", "main"]);
    let rest = format!("{}?cursor={}", at(id), page["next_cursor"].as_str().unwrap());
    let rest = operator.get(&rest).await.expect(200).json;
    assert_eq!(
        (names(&rest), rest.get("next_cursor")),
        (vec!["press".to_owned()], None)
    );

    let said = json!({"agent": "press", "session_id": "s", "message": "approve", "stream": true});
    let last = tenant.stream("/api/v1/chat", said).await.until("final").await;
    let back = tenant.with("last-event-id", last.id);
    back.post("/api/v1/chat", json!({})).await.expect(200);
    // One whose removal broke off is not there to be talked to, and is removed by the next try.
    agents.break_down();
    assert_eq!(operator.delete(&one).await.status, 503);
    agents.repair();
    assert_eq!(tenant.get("/api/v1/usage?agent=press").await.status, 404);
    operator.get(&one).await.expect(200);
    let gone = operator.delete(&one).await.expect(200).json;
    let was = json!({"cell": own["id"], "sessions": 1, "blobs": 3, "blob_bytes": 99});
    assert_eq!(gone, json!({"name": "press", "removed": was}));
    assert_eq!(agents.removed().len(), 1);
    assert_eq!(operator.get(&one).await.status, 404);
    assert_eq!(tenant.get("/api/v1/sessions?agent=press").await.status, 404);
    back.post("/api/v1/chat", json!({})).await.refused(404, "not_found");
    let mut owner = world.database.owner().await;
    for (table, left) in [("api_agents", 1), ("api_sessions", 0), ("platform_secrets", 2)] {
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut owner)
            .await
            .unwrap();
        assert_eq!(count, left, "{table}");
    }

    // With the tenant, all of its agents go.
    let gone = operator.delete(&format!("/api/v1/tenants/{id}")).await.expect(200).json;
    let gone = &gone["removed"];
    assert_eq!(
        (&gone["agents"], &gone["secrets"], &gone["blobs"]),
        (&json!(2), &json!(2), &json!(6))
    );
    assert_eq!((agents.removed().len(), agents.cells()), (3, 0));
}

#[tokio::test]
async fn what_is_wrong_or_too_much_is_named_and_no_agent_is_made() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    for name in ["", "A", "a b", "-a", "a-", "a/b", &"a".repeat(41)] {
        let answer = operator.post(&at(id), json!({"name": name})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["code"]),
            (400, &json!("bad_request")),
            "{name}"
        );
        assert!(
            answer.text.contains("1 to 40 characters of a-z, 0-9 and -"),
            "{}",
            answer.text
        );
        let said = json!({"agent": name, "message": "Hi"});
        assert_eq!(tenant.post("/api/v1/chat", said).await.status, 400, "{name}");
    }
    assert_eq!(operator.get(&format!("{}/A", at(id))).await.status, 400);
    assert_eq!(tenant.get("/api/v1/usage?agent=A").await.status, 400);
    let main = format!("{}/main", at(id));
    operator
        .post(&at(id), json!({"name": "main"}))
        .await
        .refused(409, "agent_known");
    operator.patch(&main, json!({})).await.refused(409, "agent_main");
    operator.delete(&main).await.refused(409, "agent_main");
    let none = format!("{}/none", at(id));
    assert_eq!(operator.get(&none).await.status, 404);
    assert_eq!(operator.patch(&none, json!({})).await.status, 404);
    assert_eq!(operator.delete(&none).await.status, 404);

    // One that its keeper refuses is not there afterwards, nor is its cell.
    let refused = json!({"name": "odd", "model": {"key": "k", "base_url": "https://refused.example"}});
    operator.post(&at(id), refused).await.refused(422, "model_invalid");
    assert_eq!((agents.removed().len(), agents.cells()), (1, 1));
    for wrong in [json!({"template": "none"}), json!({"limits": {"spend_day": -1}})] {
        let mut wanted = wrong;
        wanted["name"] = json!("odd");
        assert_eq!(operator.post(&at(id), wanted).await.status, 422);
    }

    // Without a model there is nobody to talk to.
    operator.post(&at(id), json!({"name": "mute"})).await.expect(201);
    operator
        .post(&at(id), json!({"name": "mute"}))
        .await
        .refused(409, "agent_known");
    let said = json!({"agent": "mute", "message": "Hi"});
    tenant.post("/api/v1/chat", said).await.refused(409, "no_model");
    for number in 2..limits::TENANT_AGENTS {
        agent(&operator, id, &format!("a{number}")).await;
    }
    let full = operator.post(&at(id), json!({"name": "one-more"})).await;
    assert!(full.text.contains("TENANT_AGENTS"), "{}", full.text);
    full.refused(409, "limit_reached");
    assert_eq!(
        operator.get(&at(id)).await.json["agents"].as_array().unwrap().len(),
        limits::TENANT_AGENTS
    );
}

#[tokio::test]
async fn each_agent_has_sessions_requests_and_usage_of_its_own() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    agent(&operator, id, "press").await;
    for (agent, words) in [("press", "approve this"), ("main", "hello there")] {
        let said = json!({"agent": agent, "session_id": "same", "message": words});
        tenant.post("/api/v1/chat", said).await.expect(200);
    }
    for (query, words) in [
        ("", "hello there"),
        ("?agent=main", "hello there"),
        ("?agent=press", "approve this"),
    ] {
        let session = tenant
            .get(&format!("/api/v1/sessions/same{query}"))
            .await
            .expect(200)
            .json;
        assert_eq!(session["messages"][0]["text"], words, "{query}");
        assert_eq!(session["messages"].as_array().unwrap().len(), 2, "{query}");
    }
    let title = json!({"title": "the press"});
    let once = tenant.with("idempotency-key", "k");
    once.patch("/api/v1/sessions/same?agent=press", title.clone())
        .await
        .expect(200);
    // The same change of the other's is another write, though all but the agent is alike.
    let other = once.patch("/api/v1/sessions/same", title).await;
    other.refused(422, "idempotency_key_reused");
    let title = |listed: Value| listed["sessions"][0]["title"].clone();
    assert_eq!(
        title(tenant.get("/api/v1/sessions?agent=press").await.json),
        "the press"
    );
    assert_eq!(title(tenant.get("/api/v1/sessions").await.json), "");

    let waiting = async |query: &str| {
        tenant.get(&format!("/api/v1/approvals{query}")).await.expect(200).json["approvals"].clone()
    };
    let asked = waiting("?agent=press").await;
    assert_eq!(
        (asked[0]["session_id"].clone(), waiting("").await),
        (json!("same"), json!([]))
    );
    let answer = json!({"hash": HASH, "answer": "allow"});
    let place = format!("/api/v1/approvals/{}", asked[0]["id"].as_str().unwrap());
    tenant
        .post(&place, answer.clone())
        .await
        .refused(404, "unknown_approval");
    tenant.post(&format!("{place}?agent=press"), answer).await.expect(200);
    assert_eq!(agents.answered().len(), 1);

    let settings = json!({"ask_before_commands": true});
    tenant
        .patch("/api/v1/approvals?agent=press", settings)
        .await
        .expect(200);
    let asks =
        async |query: &str| tenant.get(&format!("/api/v1/approvals{query}")).await.json["ask_before_commands"].clone();
    assert_eq!(
        (asks("?agent=press").await, asks("").await),
        (json!(true), json!(false))
    );
    for (query, name) in [("", "main"), ("?agent=press", "press")] {
        let usage = tenant.get(&format!("/api/v1/usage{query}")).await.expect(200).json;
        assert_eq!(
            (&usage["agent"], &usage["usage"][0]["output"]),
            (&json!(name), &json!(7))
        );
    }
    tenant.delete("/api/v1/sessions/same?agent=press").await.expect(204);
    tenant.get("/api/v1/sessions/same").await.expect(200);
}

#[tokio::test]
async fn one_key_names_a_turn_of_each_agent() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    agent(&operator, id, "press").await;
    let once = tenant.with("idempotency-key", "k");
    let say = async |agent: &str| {
        let said = json!({"agent": agent, "session_id": "same", "message": agent});
        once.post("/api/v1/chat", said).await.expect(200).json
    };
    let (main, press) = (say("main").await, say("press").await);
    assert_eq!(
        (&main["message"]["text"], &press["message"]["text"]),
        (&json!("You said: main"), &json!("You said: press"))
    );
    assert_ne!(main["turn_id"], press["turn_id"]);
    for (agent, first) in [("main", &main), ("press", &press)] {
        assert_eq!(say(agent).await["turn_id"], first["turn_id"], "{agent}");
        let session = tenant.get(&format!("/api/v1/sessions/same?agent={agent}")).await.json;
        assert_eq!(session["messages"].as_array().unwrap().len(), 2, "{agent}");
    }
}

#[tokio::test]
async fn openais_clients_choose_an_agent_as_a_model() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    agent(&operator, id, "press").await;
    let listed = tenant.get("/v1/models").await.expect(200).json;
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["m", "openclaw", "holdfast/main", "holdfast/press"]);
    for id in &ids {
        assert_eq!(
            tenant.get(&format!("/v1/models/{id}")).await.expect(200).json["id"],
            *id
        );
    }
    let said = json!([{"role": "user", "content": "to the press"}]);
    let wanted = json!({"model": "holdfast/press", "user": "s", "messages": said});
    let answer = tenant.post("/v1/chat/completions", wanted).await.expect(200).json;
    assert_eq!(answer["model"], "holdfast/press");
    let wanted = json!({"model": "holdfast/press", "user": "s", "input": "again"});
    tenant.post("/v1/responses", wanted).await.expect(200);
    let session = tenant.get("/api/v1/sessions/s?agent=press").await.expect(200).json;
    assert_eq!(session["messages"].as_array().unwrap().len(), 4);
    assert_eq!(tenant.get("/api/v1/sessions/s").await.status, 404);
    // What follows a response is said to the agent whose response it is.
    let respond = async |model: &str, previous: &Value| {
        let wanted = json!({"model": model, "previous_response_id": previous, "input": "more"});
        tenant.post("/v1/responses", wanted).await
    };
    let first = respond("holdfast/press", &Value::Null).await.expect(200).json["id"].clone();
    for other in ["m", "openclaw", "holdfast/main"] {
        let answer = respond(other, &first).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["error"]["param"]),
            (400, &json!("previous_response_id")),
            "{other}"
        );
        assert!(answer.text.contains("holdfast/press"), "{}", answer.text);
    }
    respond("holdfast/press", &first).await.expect(200);
    let of_main = respond("m", &Value::Null).await.expect(200).json["id"].clone();
    assert_eq!(respond("holdfast/press", &of_main).await.status, 400);
    respond("holdfast/main", &of_main).await.expect(200);
    let sessions = async |agent: &str| {
        let listed = tenant.get(&format!("/api/v1/sessions?agent={agent}")).await.json;
        listed["sessions"].as_array().unwrap().len()
    };
    assert_eq!((sessions("press").await, sessions("main").await), (2, 1));
    for unknown in ["holdfast/none", "holdfast/", "holdfast/A", "press"] {
        let wanted = json!({"model": unknown, "messages": said});
        let answer = tenant.post("/v1/chat/completions", wanted).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["error"]["code"]),
            (404, &json!("model_not_found")),
            "{unknown}"
        );
    }
}

#[tokio::test]
async fn promise_03_an_agent_of_another_tenant_is_not_there() {
    let (world, agents, operator) = World::with_tenants().await;
    let (mine, tenant) = world.tenant("mine").await;
    let (others, other) = world.tenant("others").await;
    let theirs = agent(&operator, others, "press").await["cell"].clone();
    let said = json!({"agent": "press", "session_id": "s", "message": "approve, canary"});
    other.post("/api/v1/chat", said.clone()).await.expect(200);
    let asked = other.get("/api/v1/approvals?agent=press").await.json["approvals"][0]["id"].clone();
    let place = format!("/api/v1/approvals/{}?agent=press", asked.as_str().unwrap());
    let completion = json!({"model": "holdfast/press", "messages": [{"role": "user", "content": "Hi"}]});
    for answer in [
        tenant.post("/api/v1/chat", said).await,
        tenant.get("/api/v1/sessions?agent=press").await,
        tenant.get("/api/v1/sessions/s?agent=press").await,
        tenant
            .patch("/api/v1/sessions/s?agent=press", json!({"title": "x"}))
            .await,
        tenant.delete("/api/v1/sessions/s?agent=press").await,
        tenant.get("/api/v1/approvals?agent=press").await,
        tenant
            .patch("/api/v1/approvals?agent=press", json!({"ask_before_commands": true}))
            .await,
        tenant.post(&place, json!({"hash": HASH, "answer": "allow"})).await,
        tenant.get("/api/v1/usage?agent=press").await,
        tenant.post("/v1/chat/completions", completion).await,
        tenant.get("/v1/models/holdfast/press").await,
        operator.get(&format!("{}/press", at(mine))).await,
        operator.patch(&format!("{}/press", at(mine)), json!({})).await,
        operator.delete(&format!("{}/press", at(mine))).await,
    ] {
        assert_eq!(answer.status, 404, "{}", answer.text);
        assert!(!answer.text.contains("canary"), "{}", answer.text);
    }
    let left = other.get("/api/v1/sessions/s?agent=press").await.expect(200).json;
    assert_eq!(left["messages"].as_array().unwrap().len(), 2);
    assert_eq!((agents.answered().len(), agents.removed().len()), (0, 0));
    // Its own of the same name is another one.
    let own = agent(&operator, mine, "press").await["cell"].clone();
    assert_ne!(own["id"], theirs["id"]);
    assert_eq!(
        tenant.get("/api/v1/sessions?agent=press").await.json["sessions"],
        json!([])
    );
}

#[tokio::test]
async fn requests_a_minute_are_counted_for_all_agents_together() {
    let (world, _, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    agent(&operator, id, "press").await;
    let limits = json!({"limits": {"requests_per_minute": 4}});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), limits)
        .await
        .expect(200);
    for query in ["", "?agent=press", "", "?agent=press"] {
        tenant.get(&format!("/api/v1/usage{query}")).await.expect(200);
    }
    for query in ["", "?agent=press"] {
        let answer = tenant.get(&format!("/api/v1/usage{query}")).await;
        answer.refused(429, "too_many_requests");
    }
}

/// A tenant that may spend 10 a day and 100 a month, and the cell of its first agent.
async fn limited(world: &World, operator: &Developer) -> (Uuid, Developer, Value) {
    let (id, tenant) = world.tenant("x").await;
    let limits = json!({"limits": {"spend_day": 10, "spend_month": 100}});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), limits)
        .await
        .expect(200);
    (id, tenant, main_cell(operator, id).await)
}

fn share(name: &str, day: i64, month: i64) -> Value {
    json!({"name": name, "model": {"key": "k"}, "limits": {"spend_day": day, "spend_month": month}})
}

fn told(agents: &Agents, cell: &Value) -> (Option<i64>, Option<i64>) {
    let told = agents.spending_of(cell).unwrap_or_default();
    (told["day"].as_i64(), told["month"].as_i64())
}

#[tokio::test]
async fn what_keepers_may_spend_is_never_more_together_than_the_tenant_may() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _, main) = limited(&world, &operator).await;
    assert_eq!(told(&agents, &main), (Some(10), Some(100)));
    // Where there is a limit, each needs a share of it, and there is no more of it than there is.
    for wrong in [
        json!({}),
        json!({"spend_day": 1}),
        json!({"spend_day": 11, "spend_month": 1}),
    ] {
        let wanted = json!({"name": "press", "limits": wrong});
        operator.post(&at(id), wanted).await.refused(422, "invalid_field");
    }
    assert_eq!(told(&agents, &main), (Some(10), Some(100)));
    let press = operator.post(&at(id), share("press", 3, 30)).await.expect(201).json["cell"].clone();
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(7), Some(70)), (Some(3), Some(30)))
    );

    // The first has spent what another one would have: nobody is given it.
    agents.spends(&main, (6, 6));
    operator
        .post(&at(id), share("brief", 2, 20))
        .await
        .refused(409, "share_spent");
    assert_eq!((told(&agents, &main), agents.cells()), ((Some(7), Some(70)), 2));
    let one = format!("{}/press", at(id));
    let more = json!({"limits": {"spend_day": 5}});
    operator.patch(&one, more).await.refused(409, "share_spent");
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(7), Some(70)), (Some(3), Some(30)))
    );
    operator
        .patch(&one, json!({"limits": {"spend_day": 4}}))
        .await
        .expect(200);
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(6), Some(70)), (Some(4), Some(30)))
    );
    let seen = operator.get(&one).await.expect(200).json;
    assert_eq!(seen["limits"], json!({"spend_day": 4, "spend_month": 30}));

    // The tenant's own limit counts what the others have.
    let tenant = format!("/api/v1/tenants/{id}");
    let lower = json!({"limits": {"spend_day": 3}});
    operator.patch(&tenant, lower).await.refused(422, "invalid_field");
    operator
        .patch(&tenant, json!({"limits": {"spend_day": 20}}))
        .await
        .expect(200);
    assert_eq!(told(&agents, &main), (Some(16), Some(70)));
    operator.patch(&tenant, json!({"limits": null})).await.expect(200);
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((None, None), (Some(4), Some(30)))
    );
}

#[tokio::test]
async fn a_client_that_leaves_breaks_nothing_off() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _, main) = limited(&world, &operator).await;
    let one = format!("{}/press", at(id));
    let leaves = async |method: Method, uri: String, body: Value| {
        agents.hold();
        let asking = tokio::spawn({
            let operator = operator.clone();
            async move { operator.send(method, &uri, Some(&body)).await }
        });
        agents.until_somebody_waits().await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        agents.go_on();
    };
    let until = async |is: &dyn Fn(&Answer) -> bool| {
        let comes = tokio::time::timeout(Duration::from_secs(20), async {
            loop {
                let seen = operator.get(&one).await;
                if is(&seen) {
                    return seen;
                }
            }
        });
        comes.await.expect("it comes to its end")
    };
    leaves(Method::POST, at(id), share("press", 3, 30)).await;
    let press = until(&|seen| !seen.json["model"].is_null()).await.json["cell"].clone();
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(7), Some(70)), (Some(3), Some(30)))
    );
    let more = json!({"model": {"model": "m2"}, "limits": {"spend_day": 5}});
    leaves(Method::PATCH, one.clone(), more).await;
    until(&|seen| seen.json["model"]["model"] == "m2").await;
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(5), Some(70)), (Some(5), Some(30)))
    );
    leaves(Method::DELETE, one.clone(), Value::Null).await;
    until(&|seen| seen.status == 404).await;
    assert_eq!((agents.removed().len(), agents.cells()), (1, 1));
    let limits = json!({"limits": {"spend_day": 20}});
    leaves(Method::PATCH, format!("/api/v1/tenants/{id}"), limits).await;
    let now = async || operator.get(&format!("/api/v1/tenants/{id}")).await.json["limits"]["spend_day"].clone();
    while now().await != 20 {}
    // What came back of the agent's share is held.
    assert_eq!(told(&agents, &main), (Some(15), Some(70)));
}

#[tokio::test]
async fn what_broke_off_is_told_by_the_next_change_before_there_is_a_model_to_spend_with() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _, main) = limited(&world, &operator).await;
    // What a server leaves that ended while it made an agent: a share that no keeper was told of.
    sqlx::query(
        "INSERT INTO api_agents (tenant_id, name, cell_id, spend_day, spend_month, created_at, updated_at)
         VALUES ($1, 'press', $2, 3, 30, now(), now())",
    )
    .bind(id)
    .bind(Uuid::now_v7())
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
    let one = format!("{}/press", at(id));
    let press = operator.get(&one).await.expect(200).json["cell"].clone();
    let cell = press["id"].as_str().unwrap().to_owned();
    let of_press = move |of: &CellRef| of.cell.to_string() == cell;
    operator
        .patch(
            &one,
            json!({"model": {"key": "k", "kind": "openai", "base_url": "https://llm.example/v1", "model": "m"}}),
        )
        .await
        .expect(200);
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(7), Some(70)), (Some(3), Some(30)))
    );

    // A keeper that could not be told is told by the same change, asked for again.
    let more = json!({"model": {"model": "m2"}, "limits": {"spend_day": 5}});
    agents.break_where({
        let of_press = of_press.clone();
        move |of, method| of_press(&of) && method == "spending.set"
    });
    assert_eq!(operator.patch(&one, more.clone()).await.status, 503);
    // The first has lost it already, and the model has not come before the limit.
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(5), Some(70)), (Some(3), Some(30)))
    );
    assert_eq!(agents.model_of(&press).unwrap()["model"], "m");
    agents.repair();
    operator.patch(&one, more).await.expect(200);
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((Some(5), Some(70)), (Some(5), Some(30)))
    );
    let none = json!({"limits": null});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), none.clone())
        .await
        .expect(200);
    agents.break_where(move |of, _| of_press(&of));
    assert_eq!(operator.patch(&one, none.clone()).await.status, 503);
    agents.repair();
    operator.patch(&one, none).await.expect(200);
    assert_eq!(
        (told(&agents, &main), told(&agents, &press)),
        ((None, None), (None, None))
    );
}

#[tokio::test]
async fn what_is_taken_from_the_first_is_stored_last_and_told_again_where_it_is_not() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _, main) = limited(&world, &operator).await;
    let tenant = format!("/api/v1/tenants/{id}");
    // The first is told that it has less, and after that it cannot be reached.
    let after_the_first = || {
        let mut calls = 0;
        move |_: CellRef, _: &str| {
            calls += 1;
            calls > 1
        }
    };
    agents.break_where(after_the_first());
    assert_eq!(operator.post(&at(id), share("press", 3, 30)).await.status, 503);
    agents.repair();
    // Nobody has it, and there is no half of an agent.
    assert_eq!(operator.get(&format!("{}/press", at(id))).await.status, 404);
    assert_eq!(told(&agents, &main), (Some(7), Some(70)));
    // The tenant's own limits tell it, also where they are as they were; and what is no limit of spending tells nobody.
    agents.break_down();
    let requests = json!({"limits": {"requests_per_minute": 1000}});
    operator.patch(&tenant, requests).await.expect(200);
    agents.repair();
    operator
        .patch(&tenant, json!({"limits": {"spend_day": 10}}))
        .await
        .expect(200);
    assert_eq!(told(&agents, &main), (Some(10), Some(100)));

    operator.post(&at(id), share("press", 3, 30)).await.expect(201);
    let more = json!({"limits": {"spend_day": 5}});
    agents.break_where(after_the_first());
    let one = format!("{}/press", at(id));
    assert_eq!(operator.patch(&one, more).await.status, 503);
    agents.repair();
    assert_eq!(operator.get(&one).await.json["limits"]["spend_day"], 3);
    operator.patch(&one, json!({"template": "writer"})).await.expect(200);
    assert_eq!(told(&agents, &main), (Some(7), Some(70)));

    // A limit that came with a model that was refused is not the tenant's.
    let refused = json!({"model": {"base_url": "https://refused.example", "key": "k"}, "limits": {"spend_day": 20}});
    operator.patch(&tenant, refused).await.refused(422, "model_invalid");
    assert_eq!(operator.get(&tenant).await.json["limits"]["spend_day"], 10);
    assert_eq!(told(&agents, &main), (Some(7), Some(70)));
}

#[tokio::test]
async fn an_agent_is_removed_as_it_is_when_nobody_else_changes_it() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, _, main) = limited(&world, &operator).await;
    operator.post(&at(id), share("press", 3, 30)).await.expect(201);
    let one = format!("{}/press", at(id));
    agents.hold();
    let ask = |method: Method, uri: String, body: Value| {
        let operator = operator.clone();
        tokio::spawn(async move { operator.send(method, &uri, Some(&body)).await })
    };
    // Each waits for the one before; the last has seen the first agent, if it looked before its turn came.
    let first = ask(Method::DELETE, one.clone(), Value::Null);
    agents.until_somebody_waits().await;
    let between = async || {
        for _ in 0..20 {
            operator.get(&one).await.expect(200);
        }
    };
    let made = ask(Method::POST, at(id), share("press", 2, 20));
    between().await;
    let last = ask(Method::DELETE, one.clone(), Value::Null);
    between().await;
    agents.go_on();
    first.await.unwrap().expect(200);
    let made = made.await.unwrap().expect(201).json;
    let gone = last.await.unwrap().expect(200).json;
    assert_eq!(gone["removed"]["cell"], made["cell"]["id"]);
    assert_eq!(operator.get(&one).await.status, 404);
    assert_eq!((agents.removed().len(), agents.cells()), (2, 1));
    // What is held is what those two had.
    operator
        .patch(&format!("/api/v1/tenants/{id}"), json!({"limits": {"spend_day": 10}}))
        .await
        .expect(200);
    assert_eq!(told(&agents, &main), (Some(5), Some(50)));
}

#[tokio::test]
async fn what_was_held_is_the_firsts_again_also_after_it_could_not_be_told() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    operator
        .patch(&format!("/api/v1/tenants/{id}"), json!({"limits": {"spend_day": 10}}))
        .await
        .expect(200);
    let main = main_cell(&operator, id).await;
    let share = |name: &str, day: i64| json!({"name": name, "model": {"key": "k"}, "limits": {"spend_day": day}});
    for (name, day) in [("press", 3), ("brief", 0)] {
        operator.post(&at(id), share(name, day)).await.expect(201);
    }
    operator.delete(&format!("{}/press", at(id))).await.expect(200);
    world.clock.advance(DAY);
    // With this one nothing comes back, and the first cannot be told that the day is over.
    agents.break_where(|_, method| method == "spending.set");
    operator.delete(&format!("{}/brief", at(id))).await.expect(200);
    agents.repair();
    assert_eq!(told(&agents, &main), (Some(7), None));
    tenant.post("/api/v1/chat", json!({"message": "Hi"})).await.expect(200);
    assert_eq!(told(&agents, &main), (Some(10), None));
}

#[tokio::test]
async fn a_share_that_came_back_is_nobodys_until_the_day_and_the_month_are_over() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant, main) = limited(&world, &operator).await;
    let limits = json!({"limits": {"requests_per_minute": i32::MAX}});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), limits)
        .await
        .expect(200);
    let press = operator.post(&at(id), share("press", 8, 40)).await.expect(201).json["cell"].clone();
    agents.spends(&press, (8, 8));
    let one = format!("{}/press", at(id));
    // It may have spent what it is to have no more, and it has: another one of the same share would spend that twice.
    operator
        .patch(&one, json!({"limits": {"spend_day": 5}}))
        .await
        .expect(200);
    operator.delete(&one).await.expect(200);
    assert_eq!(told(&agents, &main), (Some(2), Some(60)));
    operator
        .post(&at(id), share("brief", 8, 1))
        .await
        .refused(409, "share_spent");
    assert_eq!(told(&agents, &main), (Some(2), Some(60)));
    let talk = async || {
        let said = json!({"session_id": "s", "message": "Hi"});
        tenant.post("/api/v1/chat", said).await.expect(200);
    };
    talk().await;
    assert_eq!(told(&agents, &main), (Some(2), Some(60)));
    // With the first turn of the next day, the first agent has the day's again; and with the next month, the month's.
    world.clock.advance(DAY);
    talk().await;
    assert_eq!(told(&agents, &main), (Some(10), Some(60)));
    operator.post(&at(id), share("brief", 8, 1)).await.expect(201);
    assert_eq!(told(&agents, &main), (Some(2), Some(59)));
    world.clock.advance(31 * DAY);
    talk().await;
    assert_eq!(told(&agents, &main), (Some(2), Some(99)));
}
