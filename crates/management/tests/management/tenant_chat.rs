//! Talking to a tenant's agent: one answer, or events; stopping; coming back; sessions.

use std::time::Duration;

use management::limits;
use serde_json::json;
use sqlx::Connection as _;

use crate::support::{World, comes};

#[tokio::test]
async fn a_message_is_answered_whole() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let answer = tenant
        .post("/api/v1/chat", json!({"session_id": "s_1", "message": "Hello"}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (&answer["session_id"], &answer["message"]["text"]),
        (&json!("s_1"), &json!("You said: Hello"))
    );
    assert_eq!(
        (&answer["message"]["role"], &answer["model"]),
        (&json!("assistant"), &json!("m"))
    );
    assert_eq!(
        (&answer["usage"]["input_tokens"], &answer["usage"]["output_tokens"]),
        (&json!(7), &json!(7))
    );
    // The same session is the same conversation; none is a new one.
    tenant
        .post("/api/v1/chat", json!({"session_id": "s_1", "message": "Again"}))
        .await
        .expect(200);
    assert_eq!(agents.conversations(), 1);
    let other = tenant
        .post("/api/v1/chat", json!({"message": "Hello"}))
        .await
        .expect(200)
        .json;
    assert!(other["session_id"].as_str().unwrap().starts_with("s-"));
    assert_eq!(agents.conversations(), 2);
}

#[tokio::test]
async fn a_message_that_is_under_way_while_its_tenant_is_removed_finds_nothing() {
    let (world, ..) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let mut owner = world.database.owner().await;
    let mut removal = owner.begin().await.unwrap();
    for table in ["platform_secrets", "api_tenant_keys", "api_tenants"] {
        let gone = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE tenant_id = $1"));
        sqlx::query(gone).bind(id).execute(&mut *removal).await.unwrap();
    }
    let goes_on = async {
        world.database.until_wait_for_locks(1).await;
        removal.commit().await.unwrap();
    };
    let said = json!({"session_id": "s", "message": "Hello"});
    let (answer, ()) = tokio::join!(tenant.post("/api/v1/chat", said), goes_on);
    // Whichever is noticed first: that the tenant is gone, or its key.
    match answer.status.as_u16() {
        401 => answer.refused(401, "key_ended"),
        _ => answer.refused(404, "not_found"),
    };
}

#[tokio::test]
async fn a_message_is_answered_as_events_of_known_types() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"session_id": "s", "message": "use a tool"});
    let events = tenant
        .with("accept", "text/event-stream")
        .stream("/api/v1/chat", asked)
        .await
        .rest()
        .await;
    let mut names: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    names.dedup();
    assert_eq!(names, ["status", "tool", "delta", "usage", "final"]);
    let text: String = events
        .iter()
        .filter(|event| event.event == "delta")
        .map(|event| event.json()["text"].as_str().unwrap().to_owned())
        .collect();
    let last = events.last().unwrap().json();
    assert_eq!(last["message"]["text"], json!(text));
    assert_eq!(last["message"]["tools"][0]["name"], "exec");
    let turn = last["turn_id"].as_str().unwrap();
    let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
    let expected: Vec<_> = (0..events.len()).map(|number| format!("{turn}:{number}")).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_wrong_request_says_what_is_wrong() {
    let (world, _, operator) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    for bad in ["", "a b", "ä", "a/b", &"x".repeat(129)] {
        let answer = tenant
            .post("/api/v1/chat", json!({"session_id": bad, "message": "Hi"}))
            .await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(
            answer.json["detail"]
                .as_str()
                .unwrap()
                .contains("1 to 128 characters of A-Z, a-z, 0-9, _ and -")
        );
    }
    for twice in ["sessions?cursor=a&cursor=b", "usage?month=2026-01&month=2026-02"] {
        let answer = tenant.get(&format!("/api/v1/{twice}")).await;
        assert_eq!(answer.status, 400, "{twice}");
        assert!(answer.json["detail"].as_str().unwrap().contains("duplicate field"));
    }
    for good in ["a", "A_-9", &"x".repeat(128)] {
        tenant
            .post("/api/v1/chat", json!({"session_id": good, "message": "Hi"}))
            .await
            .expect(200);
    }
    for (body, status) in [
        (json!({}), 422),
        (json!({"message": "  "}), 422),
        (json!({"message": "x".repeat(256 * 1024 + 1)}), 422),
        (json!({"message": "x".repeat(1024 * 1024)}), 413),
        (json!({"message": "Hi", "model": "other"}), 422),
        (json!({"message": "Hi", "colour": "red"}), 400),
    ] {
        assert_eq!(tenant.post("/api/v1/chat", body).await.status.as_u16(), status);
    }
    let large = json!({"message": "x".repeat(limits::TENANT_BODY_BYTES)});
    let refused = tenant.post("/api/v1/chat", large).await;
    assert!(
        refused.json["detail"].as_str().unwrap().contains("1048576"),
        "{}",
        refused.json
    );
    let bare = operator
        .post("/api/v1/tenants", json!({"name": "bare"}))
        .await
        .expect(201)
        .json;
    let bare = crate::support::Developer::new(world.router.clone(), bare["key"].as_str().unwrap());
    let answer = bare.post("/api/v1/chat", json!({"message": "Hi"})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (409, &json!("no_model"))
    );
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_as_such() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let answer = tenant.post("/api/v1/chat", json!({"message": "fail"})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (424, &json!("model_refused_key"))
    );
    let events = tenant
        .stream("/api/v1/chat", json!({"message": "fail", "stream": true}))
        .await
        .rest()
        .await;
    let last = events.last().unwrap();
    assert_eq!(
        (last.event.as_str(), &last.json()["code"]),
        ("error", &json!("model_refused_key"))
    );
}

#[tokio::test]
async fn closing_the_stream_stops_the_turn_unless_it_is_detached() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let mut stream = tenant
        .stream(
            "/api/v1/chat",
            json!({"session_id": "a", "message": "hold", "stream": true}),
        )
        .await;
    stream.until("delta").await;
    drop(stream);
    // Stopped: the session runs nothing any more.
    loop {
        let listed = tenant.get("/api/v1/sessions").await.expect(200).json;
        if listed["sessions"][0]["running"] == json!(false) {
            break;
        }
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_secs(1));
    }

    let asked = json!({"session_id": "b", "message": "hold", "stream": true, "detach": true});
    let mut stream = tenant.stream("/api/v1/chat", asked).await;
    let seen = stream.until("delta").await;
    drop(stream);
    // Coming back where it broke: everything after it, and nothing twice.
    let back = tenant.with("last-event-id", seen.id.clone());
    let mut back = back.stream("/api/v1/chat", json!("is not looked at")).await;
    agents.release();
    let next = back.next().await.unwrap();
    let number = |id: &str| id.rsplit(':').next().unwrap().parse::<usize>().unwrap();
    assert_eq!(number(&next.id), number(&seen.id) + 1);
    assert_eq!(back.until("final").await.json()["message"]["text"], "at last");
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_its_whole_answer_stops_the_turn_unless_it_is_detached() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let running = async |many| comes(&format!("{many} turns run"), || agents.running() == many).await;
    for detach in [false, true] {
        let asked = json!({"message": "hold", "detach": detach});
        let tenant = tenant.clone();
        let waits = tokio::spawn(async move { tenant.post("/api/v1/chat", asked).await });
        running(1).await;
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
        if !detach {
            running(0).await;
        }
    }
    // If that stops it, it does so within this time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    running(1).await;
    agents.release();
}

#[tokio::test]
async fn a_turn_of_another_tenant_is_not_there_to_come_back_to() {
    let (world, agents, _) = World::with_tenants().await;
    let ((_, tenant), (_, other)) = (world.tenant("x").await, world.tenant("y").await);
    let asked = json!({"message": "hold", "stream": true, "detach": true});
    let seen = tenant.stream("/api/v1/chat", asked).await.until("delta").await;
    let stolen = other
        .with("last-event-id", seen.id)
        .post("/api/v1/chat", json!({}))
        .await;
    assert_eq!(stolen.status, 404);
    assert_eq!(
        other
            .with("last-event-id", "x")
            .post("/api/v1/chat", json!({}))
            .await
            .status,
        400
    );
    agents.release();
}

#[tokio::test]
async fn a_message_with_a_key_is_one_turn_however_often_it_is_sent() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let once = tenant.with("idempotency-key", "turn-1");
    let asked = json!({"session_id": "s", "message": "Hello"});
    let first = once.post("/api/v1/chat", asked.clone()).await.expect(200).json;
    let again = once.post("/api/v1/chat", asked).await.expect(200).json;
    assert_eq!(first["message"], again["message"]);
    let seen = tenant.get("/api/v1/sessions/s").await.expect(200).json;
    assert_eq!(seen["messages"].as_array().unwrap().len(), 2);
    for (session, message) in [("t", "Hello"), ("s", "Something else")] {
        let other = json!({"session_id": session, "message": message});
        once.post("/api/v1/chat", other)
            .await
            .refused(422, "idempotency_key_reused");
    }
}

#[tokio::test]
async fn what_a_turn_has_used_that_another_server_ran_is_not_told_as_nothing() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let beside = world.beside(agents, &[]).await;
    let there = tenant.asking(beside.router.clone());
    let words = json!([{"role": "user", "content": "Hello"}]);
    for (path, asked) in [
        ("/api/v1/chat", json!({"session_id": "s", "message": "Hello"})),
        (
            "/v1/chat/completions",
            json!({"model": "m", "messages": words, "user": "t"}),
        ),
        ("/v1/responses", json!({"model": "m", "input": "Hello", "user": "u"})),
    ] {
        let (here, there) = (
            tenant.with("idempotency-key", path),
            there.with("idempotency-key", path),
        );
        let first = here.post(path, asked.clone()).await.expect(200).json;
        assert!(first["usage"].is_object(), "{first}");
        let again = there.post(path, asked).await.expect(200).json;
        assert!(again["usage"].is_null(), "{again}");
    }
    let asked = json!({"session_id": "s", "message": "Hello", "stream": true});
    let again = there.with("idempotency-key", "/api/v1/chat");
    let events = again.stream("/api/v1/chat", asked).await.rest().await;
    assert!(events.iter().all(|event| event.event != "usage"));
    let asked = json!({"model": "m", "messages": words, "user": "t", "stream": true, "stream_options": {"include_usage": true}});
    let again = there.with("idempotency-key", "/v1/chat/completions");
    let events = again.stream("/v1/chat/completions", asked).await.rest().await;
    assert!(events.iter().all(|event| !event.data.contains("usage")));
}

#[tokio::test]
async fn an_agent_that_may_spend_no_more_is_402_in_the_shape_of_either_api() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let spent = "fail with spending_limit";
    let said = json!({"message": spent});
    tenant.post("/api/v1/chat", said).await.refused(402, "spending_limit");
    let said = json!({"model": "m", "messages": [{"role": "user", "content": spent}]});
    let refused = tenant.post("/v1/chat/completions", said).await;
    assert_eq!(refused.status, 402);
    let error = &refused.json["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("insufficient_quota"), &json!("spending_limit"))
    );
}

#[tokio::test]
async fn a_tenant_that_has_spent_what_it_may_sees_how_much_that_is_and_goes_on_when_it_may_spend_more() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let at = format!("/api/v1/tenants/{id}");
    let limit = async |day: u64| {
        let limits = json!({"limits": {"spend_day": day}});
        operator.patch(&at, limits).await.expect(200).json
    };
    let cell = limit(5_000_000).await["cell"].clone();
    let say = async || tenant.post("/api/v1/chat", json!({"message": "Hello"})).await;
    say().await.expect(200);
    agents.spends(&cell, (5_000_000, 6_000_000));
    say().await.refused(402, "spending_limit");
    let usage = tenant.get("/api/v1/usage").await.expect(200).json;
    assert_eq!(usage["limits"], json!({"day": 5_000_000, "month": null}));
    assert_eq!(usage["spent"], json!({"day": 5_000_000, "month": 6_000_000}));
    limit(5_000_001).await;
    say().await.expect(200);
}

#[tokio::test]
async fn usage_is_told_by_day_and_model_and_a_turn_over_the_end_of_a_month_has_that_of_both() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let held = json!({"session_id": "s", "message": "hold", "stream": true});
    let mut turn = tenant.stream("/api/v1/chat", held).await;
    turn.until("delta").await;
    agents.month_ends();
    let other = json!({"session_id": "t", "message": "Hello"});
    tenant.post("/api/v1/chat", other).await.expect(200);
    agents.release();
    let used = turn.until("final").await.json()["usage"].clone();
    // Each was told something; turns that run at once are counted together.
    assert_eq!(
        (&used["input_tokens"], &used["output_tokens"]),
        (&json!(14), &json!(14))
    );
    for (asked, month) in [
        ("", "2026-12"),
        ("?month=2026-12", "2026-12"),
        ("?month=2026-11", "2026-11"),
    ] {
        let usage = tenant.get(&format!("/api/v1/usage{asked}")).await.expect(200).json;
        assert_eq!(usage["month"], month);
        let row = &usage["usage"][0];
        assert_eq!(
            (&row["day"], &row["model"], &row["output"]),
            (&json!(format!("{month}-01")), &json!("m"), &json!(7))
        );
    }
    tenant.get("/api/v1/usage?month=May").await.refused(422, "malformed");
}

#[tokio::test]
async fn what_was_said_in_a_session_is_read_page_by_page() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    for message in ["one", "two", "three"] {
        let said = json!({"session_id": "s", "message": message});
        tenant.post("/api/v1/chat", said).await.expect(200);
    }
    agents.page_of(2);
    let mut next = "/api/v1/sessions/s".to_owned();
    for (said, more) in [("three", true), ("two", true), ("one", false)] {
        let page = tenant.get(&next).await.expect(200).json;
        let texts = [0, 1].map(|at| page["messages"][at]["text"].clone());
        assert_eq!(texts, [said.to_owned(), format!("You said: {said}")]);
        assert_eq!(page["more"], more);
        next = format!(
            "/api/v1/sessions/s?before={}",
            page["messages"][0]["id"].as_str().unwrap()
        );
    }
}

#[tokio::test]
async fn a_stream_that_is_quiet_shows_signs_of_life() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"message": "hold", "stream": true});
    let mut stream = tenant.stream("/api/v1/chat", asked).await;
    stream.until("delta").await;
    tokio::time::pause();
    tokio::time::advance(management::limits::STREAM_HEARTBEAT).await;
    tokio::time::resume();
    let sign = tokio::time::timeout(Duration::from_secs(10), stream.piece()).await;
    assert_eq!(sign.expect("there is one").unwrap(), ":\n\n");
    agents.release();
    assert_eq!(stream.until("final").await.json()["message"]["text"], "at last");
}

#[tokio::test]
async fn a_connection_that_breaks_does_not_lose_the_answer() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let mut stream = tenant
        .stream(
            "/api/v1/chat",
            json!({"session_id": "s", "message": "hold", "stream": true}),
        )
        .await;
    stream.until("delta").await;
    agents.hang_up();
    agents.release();
    assert_eq!(stream.until("final").await.json()["message"]["text"], "at last");
}

#[tokio::test]
async fn sessions_are_listed_read_renamed_and_deleted() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    assert_eq!(
        tenant.get("/api/v1/sessions").await.expect(200).json,
        json!({"sessions": []})
    );
    for session in ["b", "a"] {
        tenant
            .post("/api/v1/chat", json!({"session_id": session, "message": "Hello"}))
            .await
            .expect(200);
    }
    let listed = tenant.get("/api/v1/sessions").await.expect(200).json;
    let names: Vec<_> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let renamed = tenant
        .patch("/api/v1/sessions/a", json!({"title": " New "}))
        .await
        .expect(200)
        .json;
    assert_eq!(renamed["title"], "New");
    for none in [json!(""), json!(null)] {
        let refused = tenant.patch("/api/v1/sessions/a", json!({"title": none})).await;
        refused.refused(422, "invalid_field");
    }
    let as_it_was = tenant.patch("/api/v1/sessions/a", json!({})).await.expect(200);
    assert_eq!(as_it_was.json["title"], "New");
    let read = tenant.get("/api/v1/sessions/a").await.expect(200).json;
    let said: Vec<_> = read["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["text"].clone())
        .collect();
    assert_eq!(said, ["Hello", "You said: Hello"]);
    assert_eq!(tenant.delete("/api/v1/sessions/a").await.status, 204);
    assert_eq!(tenant.delete("/api/v1/sessions/a").await.status, 404);
    assert_eq!(tenant.get("/api/v1/sessions/a").await.status, 404);
    assert_eq!(agents.conversations(), 1);
}

#[tokio::test]
async fn a_session_that_is_made_while_two_delete_the_one_before_it_stays_and_is_listed() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let say = async |text: &str| {
        let said = json!({"session_id": "a", "message": text});
        tenant.post("/api/v1/chat", said).await.expect(200);
    };
    say("One").await;
    agents.hold_at("chat.delete");
    let late = tokio::spawn({
        let tenant = tenant.clone();
        async move { tenant.delete("/api/v1/sessions/a").await }
    });
    agents.until_somebody_waits().await;
    // The other one is not held up.
    agents.hold_at("nothing else");
    tenant.delete("/api/v1/sessions/a").await.expect(204);
    say("Two").await;
    agents.go_on();
    late.await.unwrap().refused(404, "not_found");
    let read = tenant.get("/api/v1/sessions/a").await.expect(200).json;
    assert_eq!(read["messages"][0]["text"], "Two");
    assert_eq!(agents.conversations(), 1);
}

#[tokio::test]
async fn what_was_said_in_a_session_that_is_deleted_is_told_to_nobody_who_comes_again() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let once = tenant.with("idempotency-key", "k");
    let other = json!({"session_id": "b", "message": "Hello", "stream": true, "detach": true});
    let other = tenant.stream("/api/v1/chat", other).await.until("delta").await;
    let asked = json!({"session_id": "a", "message": "Hello", "stream": true, "detach": true});
    let seen = once.stream("/api/v1/chat", asked.clone()).await.until("delta").await;
    let back = |id: &str| tenant.with("last-event-id", id);
    let mut rest = back(&seen.id).stream("/api/v1/chat", json!({})).await;
    assert_eq!(rest.until("final").await.json()["message"]["text"], "You said: Hello");
    tenant.delete("/api/v1/sessions/a").await.expect(204);
    assert_eq!(agents.conversations(), 1);
    let gone = back(&seen.id).post("/api/v1/chat", json!({})).await;
    gone.refused(404, "not_found");
    // Asked for again, it is asked of the agent again, in another session.
    once.stream("/api/v1/chat", asked).await.until("final").await;
    assert_eq!(agents.conversations(), 2);
    back(&other.id)
        .stream("/api/v1/chat", json!({}))
        .await
        .until("final")
        .await;

    // One that runs is stopped before that.
    let held = json!({"session_id": "c", "message": "hold", "stream": true, "detach": true});
    let mut held = tenant.stream("/api/v1/chat", held).await;
    let seen = held.until("delta").await;
    tenant.delete("/api/v1/sessions/c").await.expect(204);
    assert_eq!(held.until("error").await.json()["code"], "cancelled");
    let gone = back(&seen.id).post("/api/v1/chat", json!({})).await;
    gone.refused(404, "not_found");
    assert_eq!(agents.conversations(), 2);
}

#[tokio::test]
async fn sessions_are_listed_page_by_page() {
    let (world, ..) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let mut owner = world.database.owner().await;
    let many = management::limits::API_SESSIONS_LISTED + 1;
    let add = "INSERT INTO api_sessions (tenant_id, agent, id, conversation, created_at, used_at)
        SELECT $1, 'main', lpad(n::text, 4, '0'), n::text, now(), now() FROM generate_series(1, $2) n";
    let added = sqlx::query(add).bind(id).bind(many);
    added.execute(&mut owner).await.unwrap();
    let mut seen = Vec::new();
    let mut next = "/api/v1/sessions".to_owned();
    for last in [false, true] {
        let page = tenant.get(&next).await.expect(200).json;
        let sessions = page["sessions"].as_array().unwrap();
        seen.extend(sessions.iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["next_cursor"].is_null(), last);
        next = format!(
            "/api/v1/sessions?cursor={}",
            page["next_cursor"].as_str().unwrap_or_default()
        );
    }
    let expected: Vec<_> = (1..=many).map(|n| format!("{n:04}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn more_turns_at_once_than_a_tenant_may_have_are_told_to_wait() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let patch = json!({"limits": {"requests_per_minute": 10_000}});
    operator
        .patch(&format!("/api/v1/tenants/{id}"), patch)
        .await
        .expect(200);
    for _ in 0..management::limits::TENANT_TURNS {
        let asked = json!({"message": "hold", "stream": true, "detach": true});
        tenant.stream("/api/v1/chat", asked).await.until("delta").await;
    }
    let answer = tenant.post("/api/v1/chat", json!({"message": "Hi"})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["code"]),
        (429, &json!("too_many_turns"))
    );
    assert!(answer.headers.contains_key("retry-after"));
    agents.release();
}
