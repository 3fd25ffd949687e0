//! The tenant API as OpenAI's clients speak it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use management::limits;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::support::{Agents, Developer, World, comes, comes_within};

fn said(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

#[tokio::test]
async fn a_chat_completion_is_answered_whole_and_in_chunks() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"model": "m", "messages": said("Hello"), "user": "anna"});
    let answer = tenant.post("/v1/chat/completions", asked).await.expect(200).json;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["content"], "You said: Hello");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        answer["usage"],
        json!({
            "prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}, "completion_tokens": 7,
            "completion_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 14,
        })
    );

    let asked = json!({"model": "openclaw", "messages": said("Hello"), "user": "anna", "stream": true,
        "stream_options": {"include_usage": true}});
    let events = tenant.stream("/v1/chat/completions", asked).await.rest().await;
    assert_eq!(events.last().unwrap().data, "[DONE]");
    let chunks: Vec<_> = events[..events.len() - 1].iter().map(|event| event.json()).collect();
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, "You said: Hello");
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 14);
    assert_eq!(agents.conversations(), 1, "`user` is the session");
    tenant.get("/api/v1/sessions/anna").await.expect(200);
}

#[tokio::test]
async fn without_a_user_nothing_is_remembered() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"model": "m", "messages": [
        {"role": "system", "content": "Be short."}, {"role": "user", "content": "One"},
        {"role": "assistant", "content": "1"}, {"role": "user", "content": "Two"}]});
    let answer = tenant.post("/v1/chat/completions", asked).await.expect(200).json;
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(
        text.ends_with("Instructions: Be short.\n\nUser: One\n\nAssistant: 1\n\nUser: Two"),
        "{text}"
    );
    until_none(&agents).await;
}

#[tokio::test]
async fn a_session_that_begins_with_what_was_said_elsewhere_is_told_it_once() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"model": "m", "user": "anna", "messages": [
        {"role": "system", "content": "Be short."}, {"role": "user", "content": "One"},
        {"role": "assistant", "content": "1"}, {"role": "user", "content": "Two"}]});
    for said in [
        "Instructions: Be short.\n\nUser: One\n\nAssistant: 1\n\nUser: Two",
        "You said: Two",
    ] {
        let answer = tenant
            .post("/v1/chat/completions", asked.clone())
            .await
            .expect(200)
            .json;
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.ends_with(said), "{text}");
    }
    assert_eq!(agents.conversations(), 1);
}

/// Until every conversation is deleted, which takes less than a rest between two tries.
async fn until_none(agents: &Agents) {
    let soon = limits::SINGLE_TURN_AGAIN * 4 / 5;
    comes_within(soon, "no conversation is left", || agents.conversations() == 0).await;
}

/// Answers a completion of no session whose conversation its agent does not delete until it is repaired.
async fn left_behind(tenant: &Developer, agents: &Agents) {
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    agents.break_where(move |_, method| {
        let is_deleted = method == "chat.delete";
        counted.fetch_add(usize::from(is_deleted), Ordering::Relaxed);
        is_deleted
    });
    let asked = json!({"model": "m", "messages": said("Hello")});
    tenant.post("/v1/chat/completions", asked).await.expect(200);
    comes("its deletion is refused", || refused.load(Ordering::Relaxed) > 0).await;
    assert_eq!(agents.conversations(), 1);
}

#[tokio::test]
async fn what_was_said_without_a_user_is_deleted_also_where_its_cell_was_away() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    left_behind(&tenant, &agents).await;
    agents.repair();
    let sessions = tenant.get("/api/v1/sessions").await.expect(200).json;
    assert_eq!(sessions["sessions"], json!([]), "it has no name for anybody");
    // The task that has just been refused comes to its rest.
    tokio::time::sleep(Duration::from_millis(50)).await;
    tokio::time::pause();
    tokio::time::advance(limits::SINGLE_TURN_AGAIN).await;
    tokio::time::resume();
    until_none(&agents).await;
}

#[tokio::test]
async fn what_an_ended_server_left_of_single_turns_goes_with_a_later_turn() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    left_behind(&tenant, &agents).await;
    // From here on it tries nothing again by itself.
    let (world, agents, _) = world.restarted_with_tenants(agents, &[]).await;
    let tenant = tenant.asking(world.router.clone());
    agents.repair();
    let asked = json!({"model": "m", "messages": said("Hello")});
    tenant.post("/v1/chat/completions", asked.clone()).await.expect(200);
    comes("its own goes", || agents.conversations() == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(agents.conversations(), 1, "it could be at work still");
    world.clock.advance(limits::TURN_TIME + Duration::from_secs(1));
    tenant.post("/v1/chat/completions", asked).await.expect(200);
    comes("nothing is left", || agents.conversations() == 0).await;
}

#[tokio::test]
async fn and_without_one_within_the_hour_while_there_is_room_for_its_cell() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    left_behind(&tenant, &agents).await;
    agents.repair();
    sqlx::query("UPDATE api_sessions SET gone_at = gone_at - interval '2 hours'")
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    // A server looks first when it starts.
    agents.crowd(true);
    let _busy = world.beside(agents.clone(), &[]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(agents.conversations(), 1, "its cell would take the place of others");
    agents.crowd(false);
    let _beside = world.beside(agents.clone(), &[]).await;
    comes("it is deleted", || agents.conversations() == 0).await;
    comes("nobody needs its cell", || agents.left().len() == 1).await;
}

#[tokio::test]
async fn a_response_is_answered_whole_and_as_events_and_goes_on() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"model": "m", "input": "use a tool"});
    let first = tenant.post("/v1/responses", asked).await.expect(200).json;
    assert_eq!(
        (&first["object"], &first["status"]),
        (&json!("response"), &json!("completed"))
    );
    let kinds: Vec<_> = first["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(kinds, ["mcp_call", "message"]);
    assert_eq!(first["output"][1]["content"][0]["text"], "You said: use a tool");

    let asked = json!({"model": "m", "previous_response_id": first["id"], "stream": true,
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "a tool"}]}]});
    let events = tenant.stream("/v1/responses", asked).await.rest().await;
    let mut names: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        let data = event.json();
        assert_eq!(
            (&data["type"], &data["sequence_number"]),
            (&json!(event.event), &json!(number))
        );
    }
    assert_eq!(agents.conversations(), 1);

    // Where it speaks before it uses a tool, each item is where it was told.
    let asked = json!({"model": "m", "previous_response_id": first["id"], "stream": true, "input": "half a tool"});
    let events = tenant.stream("/v1/responses", asked).await.rest().await;
    let whole = events.last().unwrap().json()["response"]["output"].clone();
    let kinds: Vec<_> = whole
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(kinds, ["message", "mcp_call"]);
    let done = events.iter().filter(|event| event.event == "response.output_item.done");
    let done: Vec<Value> = done.map(|event| event.json()).collect();
    assert_eq!(done.len(), 2);
    for event in done {
        let at = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
        assert_eq!(event["item"], whole[at]);
    }

    // One that is made up, another tenant's, or of a session that was deleted, is not there; and nothing is begun.
    let (_, stranger) = world.tenant("y").await;
    let go_on = async |who: &Developer, id: &Value| {
        let wanted = json!({"model": "m", "input": "x", "previous_response_id": id});
        let answer = who.post("/v1/responses", wanted).await;
        (answer.status.as_u16(), answer.json["error"]["code"].clone())
    };
    let gone = (404, json!("previous_response_not_found"));
    let made_up = format!("resp_{}_s-{0}", uuid::Uuid::nil().simple());
    for unknown in [json!("resp_1"), json!(made_up)] {
        assert_eq!(go_on(&tenant, &unknown).await, gone);
    }
    assert_eq!(go_on(&stranger, &first["id"]).await, gone);
    let listed = tenant.get("/api/v1/sessions").await.expect(200).json;
    let session = listed["sessions"][0]["id"].as_str().unwrap();
    tenant.delete(&format!("/api/v1/sessions/{session}")).await.expect(204);
    assert_eq!(go_on(&tenant, &first["id"]).await, gone);
    assert_eq!(agents.conversations(), 0);
}

#[tokio::test]
async fn errors_have_the_shape_that_the_clients_read() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let wrong = Developer::new(world.router.clone(), "ocpk_wrong");
    let cases = [
        (
            wrong.get("/v1/models").await,
            401,
            "authentication_error",
            "invalid_api_key",
            Value::Null,
        ),
        (
            tenant
                .post("/v1/chat/completions", json!({"model": "gpt", "messages": said("x")}))
                .await,
            404,
            "invalid_request_error",
            "model_not_found",
            Value::Null,
        ),
        (
            tenant
                .post("/v1/chat/completions", json!({"model": "m", "messages": []}))
                .await,
            400,
            "invalid_request_error",
            "invalid_field",
            json!("messages"),
        ),
        (
            tenant
                .post(
                    "/v1/chat/completions",
                    json!({"model": "m", "messages": said("x"), "tools": [{}]}),
                )
                .await,
            400,
            "invalid_request_error",
            "invalid_field",
            json!("tools"),
        ),
        (
            tenant
                .post(
                    "/v1/chat/completions",
                    json!({"model": "m", "messages": said("x"), "stop": ["\n"]}),
                )
                .await,
            400,
            "invalid_request_error",
            "invalid_field",
            json!("stop"),
        ),
        (
            tenant.post("/v1/responses", json!({"input": 1})).await,
            400,
            "invalid_request_error",
            "bad_request",
            Value::Null,
        ),
        (
            tenant.get("/v1/nothing").await,
            404,
            "invalid_request_error",
            "not_found",
            Value::Null,
        ),
        (
            tenant
                .post("/v1/chat/completions", json!({"model": "m", "messages": said("fail")}))
                .await,
            424,
            "invalid_request_error",
            "model_refused_key",
            Value::Null,
        ),
        (
            tenant
                .post(
                    "/v1/chat/completions",
                    json!({"model": "m", "messages": said("fail"), "stream": true}),
                )
                .await,
            424,
            "invalid_request_error",
            "model_refused_key",
            Value::Null,
        ),
    ];
    for (answer, status, kind, code, param) in cases {
        let error = &answer.json["error"];
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        assert_eq!(
            (&error["type"], &error["code"], &error["param"]),
            (&json!(kind), &json!(code), &param)
        );
        assert!(error["message"].is_string());
    }
}

#[tokio::test]
async fn what_fails_in_the_middle_of_a_stream_is_its_last_event() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let failing = "half, then fail with model_overloaded";
    let asked = json!({"model": "m", "messages": said(failing), "stream": true});
    let events = tenant.stream("/v1/chat/completions", asked).await.rest().await;
    let last = events.last().unwrap().json();
    assert_eq!(
        (&last["error"]["type"], &last["error"]["code"]),
        (&json!("server_error"), &json!("model_overloaded"))
    );
    let texts: Vec<Value> = events
        .iter()
        .map(|event| event.json()["choices"][0]["delta"]["content"].clone())
        .collect();
    assert!(texts.contains(&json!("so ")), "{events:?}");

    let asked = json!({"model": "m", "input": failing, "stream": true});
    let events = tenant.stream("/v1/responses", asked).await.rest().await;
    let last = events.last().unwrap();
    assert_eq!(last.event, "response.failed");
    let response = &last.json()["response"];
    assert_eq!(
        (&response["status"], &response["error"]["code"]),
        (&json!("failed"), &json!("model_overloaded"))
    );
    assert!(events.iter().any(|event| event.event == "response.output_text.delta"));
}

#[tokio::test]
async fn closing_a_stream_stops_the_turn() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"model": "m", "messages": said("hold"), "user": "anna", "stream": true});
    let mut stream = tenant.stream("/v1/chat/completions", asked).await;
    stream.next().await.unwrap();
    drop(stream);
    loop {
        let listed = tenant.get("/api/v1/sessions").await.json;
        if listed["sessions"][0]["running"] == json!(false) {
            break;
        }
        world.clock.advance(std::time::Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn responses_that_nobody_named_give_way_to_others_and_no_session_that_somebody_did() {
    let (world, agents, _) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let respond = async |more: Value| {
        world.clock.advance(Duration::from_secs(1));
        let mut wanted = json!({"model": "m", "input": "Hello"});
        wanted
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        tenant.post("/v1/responses", wanted).await
    };
    let session = |response: &Value| response["id"].as_str().unwrap().rsplit_once('_').unwrap().1.to_owned();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(respond(json!({})).await.expect(200).json);
    }
    let [used_by_name, titled, held, kept] = made.try_into().unwrap();
    let said = json!({"session_id": session(&used_by_name), "message": "Hello"});
    tenant.post("/api/v1/chat", said).await.expect(200);
    let title = json!({"title": "Mine"});
    let at = format!("/api/v1/sessions/{}", session(&titled));
    tenant.patch(&at, title).await.expect(200);
    // Used before the one that gives way, and its turn runs.
    let wanted = json!({"model": "m", "input": "hold", "previous_response_id": held["id"], "stream": true});
    let mut held = tenant.stream("/v1/responses", wanted).await;
    held.until("response.output_text.delta").await;
    let gone = respond(json!({})).await.expect(200).json;
    respond(json!({"previous_response_id": kept["id"]})).await.expect(200);
    respond(json!({"user": "anna"})).await.expect(200);

    // So many others that there is no room for one more: named ones of long ago, and unnamed ones that are used after all.
    let mut owner = world.database.owner().await;
    let others = async |owner: &mut PgConnection, name: &str, used: &str, unnamed: bool, many: i64| {
        sqlx::query(
            "INSERT INTO api_sessions (tenant_id, id, conversation, created_at, used_at, made, unnamed)
             SELECT $1, $2 || number, $2 || number, '2020-01-01', $3::timestamptz, true, $4 FROM generate_series(1, $5) AS number",
        )
        .bind(id)
        .bind(name)
        .bind(used)
        .bind(unnamed)
        .bind(many)
        .execute(owner)
        .await
        .unwrap();
    };
    let named = limits::UNNAMED_GIVE_WAY - 6 - limits::UNNAMED_KEPT;
    others(&mut owner, "named-", "2020-01-01", false, named).await;
    others(&mut owner, "kept-", "2100-01-01", true, limits::UNNAMED_KEPT).await;
    assert_eq!(agents.conversations(), 6);
    let newest = respond(json!({})).await.expect(200).json;
    comes("one gives way", || agents.conversations() == 6).await;
    // Its name is forgotten after it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let on = respond(json!({"previous_response_id": gone["id"]})).await;
    assert_eq!(on.json["error"]["code"], "previous_response_not_found");
    for on in [&newest, &kept, &titled, &used_by_name] {
        respond(json!({"previous_response_id": on["id"]})).await.expect(200);
    }

    // Nor is there room when all have gone that may: of those that nobody named, the ones that were used last stay.
    others(&mut owner, "more-", "2020-01-01", false, limits::UNNAMED_KEPT).await;
    respond(json!({"user": "anna"})).await.expect(200);
    comes("all go that may", || agents.conversations() == 4).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let left = "SELECT count(*) FROM api_sessions WHERE unnamed AND id LIKE 'kept-%'";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut owner).await.unwrap();
    assert_eq!(left, limits::UNNAMED_KEPT);
    agents.release();
    held.until("response.completed").await;
}

#[tokio::test]
async fn a_response_tells_back_what_was_asked_for_and_what_was_cached() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let mut function = json!({"type": "function", "name": "weather", "description": "Says the weather.", "parameters": {"city": "Kiel"},
        "strict": true});
    let asked = json!({"model": "m", "input": "decline", "instructions": "Be short.", "tools": [function], "parallel_tool_calls": false,
        "metadata": {"order": "4711"}});
    // What a model writes is held to as much of the schema as the keeper looks at.
    function["strict"] = json!(false);
    let told_back = json!({"instructions": "Be short.", "tools": [function], "tool_choice": "auto", "parallel_tool_calls": false,
        "metadata": {"order": "4711"}});
    let unset = json!({"incomplete_details": null, "temperature": null, "top_p": null});
    let response = tenant.post("/v1/responses", asked.clone()).await.expect(200).json;
    let has = |response: &Value, members: &Value| {
        for (name, value) in members.as_object().unwrap() {
            assert_eq!(response.get(name), Some(value), "{name} of {response}");
        }
    };
    has(&response, &told_back);
    has(&response, &unset);
    let usage = json!({"input_tokens": 7, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1}, "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 14});
    assert_eq!(response["usage"], usage);
    let piece = json!({"type": "output_text", "text": "I had rather not.", "annotations": [], "logprobs": []});
    assert_eq!(response["output"][0]["content"], json!([piece]));

    let mut asked = asked;
    asked["stream"] = json!(true);
    for event in tenant.stream("/v1/responses", asked).await.rest().await {
        if let Some(response) = event.json().get("response") {
            has(response, &told_back);
        }
    }
    let plain = json!({"model": "m", "input": "Hello", "tool_choice": null});
    let response = tenant.post("/v1/responses", plain).await.expect(200).json;
    has(
        &response,
        &json!({"instructions": null, "tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "metadata": {}}),
    );
    // Written as `/v1/chat/completions` has it.
    let named = json!({"type": "function", "function": {"name": "weather"}});
    let asked = json!({"model": "m", "input": "Well?", "tools": [function], "tool_choice": named});
    let response = tenant.post("/v1/responses", asked).await.expect(200).json;
    has(
        &response,
        &json!({"tool_choice": {"type": "function", "name": "weather"}}),
    );
}

#[tokio::test]
async fn metadata_is_told_back_in_so_many_pairs_of_texts_or_refused_by_name() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let respond = async |metadata: Value| {
        let wanted = json!({"model": "m", "input": "Hello", "metadata": metadata});
        tenant.post("/v1/responses", wanted).await
    };
    let pairs = |many: usize, name: usize, value: usize| {
        let value = "ü".repeat(value);
        let pairs = (0..many).map(|number| (format!("{number:0name$}"), json!(value)));
        Value::Object(pairs.collect())
    };
    let (most, name, value) = (
        limits::METADATA_PAIRS,
        limits::METADATA_NAME_CHARS,
        limits::METADATA_VALUE_CHARS,
    );
    for bad in [
        pairs(most + 1, name, value),
        pairs(most, name + 1, value),
        pairs(most, name, value + 1),
        json!({"order": 4711}),
        json!("order"),
    ] {
        let refused = respond(bad).await;
        let error = &refused.json["error"];
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert_eq!(
            (&error["param"], &error["code"]),
            (&json!("metadata"), &json!("invalid_field"))
        );
    }
    assert_eq!(agents.conversations(), 0);
    let full = pairs(most, name, value);
    assert_eq!(respond(full.clone()).await.expect(200).json["metadata"], full);
    assert_eq!(respond(Value::Null).await.expect(200).json["metadata"], json!({}));
}

#[tokio::test]
async fn caps_of_the_output_are_passed_over_and_the_answer_is_whole() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"model": "m", "messages": said("Hello"), "max_tokens": 1, "max_completion_tokens": 1, "metadata": {"a": "b"}});
    let answer = tenant.post("/v1/chat/completions", asked).await.expect(200).json;
    let choice = &answer["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("You said: Hello"), &json!("stop"))
    );
    let asked = json!({"model": "m", "input": "use a tool", "max_output_tokens": 1, "max_tool_calls": 0});
    let response = tenant.post("/v1/responses", asked).await.expect(200).json;
    assert_eq!(
        (&response["status"], &response["output"][1]["content"][0]["text"]),
        (&json!("completed"), &json!("You said: use a tool"))
    );
}

#[tokio::test]
async fn a_response_before_and_a_user_are_of_one_session_or_refused() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let respond = async |more: Value| {
        let mut wanted = json!({"model": "m", "input": "Hello"});
        wanted
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        tenant.post("/v1/responses", wanted).await
    };
    let first = respond(json!({"user": "anna@example.org"})).await.expect(200).json;
    let on = json!({"user": "anna@example.org", "previous_response_id": first["id"]});
    respond(on).await.expect(200);
    let other = json!({"user": "bob@example.org", "previous_response_id": first["id"]});
    let refused = respond(other).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["error"]["param"]),
        (400, &json!("user"))
    );
    assert_eq!(agents.conversations(), 1);
}

#[tokio::test]
async fn the_models_that_are_listed_are_there_by_name_also_without_a_model_and_no_others() {
    let (world, _, operator) = World::with_tenants().await;
    let bare = operator
        .post("/api/v1/tenants", json!({"name": "bare"}))
        .await
        .expect(201);
    let bare = Developer::new(world.router.clone(), bare.json["key"].as_str().unwrap());
    let (_, tenant) = world.tenant("x").await;
    for (who, names) in [
        (&bare, &["openclaw", "holdfast/main"][..]),
        (&tenant, &["m", "openclaw", "holdfast/main"][..]),
    ] {
        let listed = who.get("/v1/models").await.expect(200).json;
        let listed = listed["data"].as_array().unwrap();
        assert_eq!(listed.iter().map(|one| &one["id"]).collect::<Vec<_>>(), names);
        for one in listed {
            let at = format!("/v1/models/{}", one["id"].as_str().unwrap());
            assert_eq!(who.get(&at).await.expect(200).json, *one);
        }
        for unknown in ["gpt", "holdfast/none", "holdfast/A"] {
            let refused = who.get(&format!("/v1/models/{unknown}")).await;
            assert_eq!(refused.status, 404);
            assert_eq!(refused.json["error"]["code"], "model_not_found", "{}", refused.text);
        }
    }
    let asked = json!({"model": "openclaw", "messages": said("Hello")});
    let refused = bare.post("/v1/chat/completions", asked).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json["error"]["code"]),
        (409, &json!("no_model"))
    );
    assert_eq!(refused.headers["x-should-retry"], "false");
}
