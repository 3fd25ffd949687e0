//! A turn that is asked for again, or whose connection breaks: run once, told whole, and told as ended when it cannot be lost any more.

use std::time::Duration;

use management::limits;
use serde_json::{Value, json};

use crate::support::{Agents, Answer, Developer, Told, World, comes};

fn said(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

/// Two servers of one installation, and a program with a key of a tenant that names its turns, asking either.
async fn two_servers() -> (World, World, Agents, Developer, Developer) {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let other = world.beside(agents.clone(), &[]).await;
    let here = tenant.with("idempotency-key", "k");
    let there = here.asking(other.router.clone());
    (world, other, agents, here, there)
}

fn text_of(chunks: &[Told]) -> String {
    let texts = chunks
        .iter()
        .filter(|event| event.data != "[DONE]")
        .map(|event| event.json());
    texts
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn libraries_are_told_not_to_send_again_what_the_agent_was_told_and_nothing_else() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let ask = async |text: &str| {
        let wanted = json!({"model": "m", "user": "s", "messages": said(text)});
        let answer = tenant.post("/v1/chat/completions", wanted).await;
        let told = answer
            .headers
            .get("x-should-retry")
            .map(|told| told.to_str().unwrap().to_owned());
        (answer.status.as_u16(), told)
    };
    let no = Some("false".to_owned());
    assert_eq!(ask("fail with agent_failed").await, (502, no.clone()));
    assert_eq!(ask("fail with model_overloaded").await, (503, no));
    assert_eq!(ask("refuse with queue_full").await, (429, None), "it was told nothing");
    assert_eq!(ask("refuse with turn_running").await, (409, None), "that ends");
    assert_eq!(
        ask("refuse with too_many_conversations").await,
        (409, Some("false".to_owned()))
    );
    agents.break_where(|_, method| method == "listen");
    assert_eq!(ask("Hello").await, (503, None), "it was told nothing");
    agents.repair();
    assert_eq!(ask("Hello").await, (200, None));
    // Nor where it is not known yet what to tell it.
    agents.break_where(|_, method| method == "chat.open");
    let before = json!({"role": "assistant", "content": "Hello."});
    let wanted = json!({"model": "m", "user": "s", "messages": [before, {"role": "user", "content": "Bye"}]});
    let answer = tenant.post("/v1/chat/completions", wanted).await;
    assert_eq!(answer.status.as_u16(), 503);
    assert!(answer.headers.get("x-should-retry").is_none(), "it was told nothing");
}

#[tokio::test]
async fn what_failed_before_the_agent_was_told_is_run_when_it_is_sent_again_under_its_key() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let here = tenant.with("idempotency-key", "k");
    let wanted = json!({"model": "m", "user": "s", "messages": said("Hello")});
    agents.break_where(|_, method| method == "listen");
    assert_eq!(here.post("/v1/chat/completions", wanted.clone()).await.status, 503);
    agents.repair();
    let answer = here.post("/v1/chat/completions", wanted).await.expect(200).json;
    assert_eq!(answer["choices"][0]["message"]["content"], "You said: Hello");

    // A client whose connection broke while its cell was waking.
    let there = tenant.with("idempotency-key", "l");
    let wanted = json!({"session_id": "s", "message": "Bye"});
    agents.hold_at("listen");
    let lost = tokio::spawn({
        let (there, wanted) = (there.clone(), wanted.clone());
        async move { there.post("/api/v1/chat", wanted).await }
    });
    agents.until_somebody_waits().await;
    lost.abort();
    assert!(lost.await.unwrap_err().is_cancelled());
    comes("it is stopped", || agents.waiting() == 0).await;
    // It is noted as stopped right after that.
    tokio::time::sleep(Duration::from_millis(300)).await;
    agents.go_on();
    let answer = there.post("/api/v1/chat", wanted).await.expect(200).json;
    assert_eq!(answer["message"]["text"], "You said: Bye");
    let seen = tenant.get("/api/v1/sessions/s").await.expect(200).json;
    assert_eq!(seen["messages"].as_array().unwrap().len(), 4, "each was told once");
}

/// A completion as OpenAI's libraries send it: the same each time, but for how often they have sent it before.
async fn complete(tenant: &Developer, sent_before: u32, words: &str) -> Answer {
    let tenant = tenant.with("x-stainless-retry-count", sent_before.to_string());
    let wanted = json!({"model": "m", "user": "s", "messages": said(words)});
    tenant.post("/v1/chat/completions", wanted).await
}

#[tokio::test]
async fn what_openais_libraries_send_again_is_told_the_agent_once() {
    let (world, agents, operator) = World::with_tenants().await;
    let (id, tenant) = world.tenant("x").await;
    let may = async |requests: Value| {
        let limits = json!({"limits": {"requests_per_minute": requests}});
        let patched = operator.patch(&format!("/api/v1/tenants/{id}"), limits).await;
        patched.expect(200);
    };
    // They wait for as long as the answer says, and send it again by themselves.
    let wait_after = async |refused: Answer, status: u16| {
        assert_eq!(refused.status, status, "{}", refused.text);
        assert!(refused.headers.get("x-should-retry").is_none());
        let wait = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        world.clock.advance(Duration::from_secs(wait));
    };
    may(json!(1)).await;
    tenant.get("/v1/models").await.expect(200);
    wait_after(complete(&tenant, 0, "One").await, 429).await;
    complete(&tenant, 1, "One").await.expect(200);
    may(Value::Null).await;
    world.clock.advance(Duration::from_secs(60));
    agents.break_where(|_, method| method == "listen");
    wait_after(complete(&tenant, 0, "Two").await, 503).await;
    agents.repair();
    complete(&tenant, 1, "Two").await.expect(200);

    // An answer that is lost on its way comes again to who named the turn; the libraries name none by themselves.
    let named = tenant.with("idempotency-key", "k");
    let lost = complete(&named, 0, "Three").await.expect(200).json;
    let again = complete(&named, 1, "Three").await.expect(200).json;
    assert_eq!(again["choices"][0]["message"]["content"], "You said: Three");
    assert_eq!((&again["id"], &again["choices"]), (&lost["id"], &lost["choices"]));

    // One that broke before there was an answer has stopped the turn.
    let named = tenant.with("idempotency-key", "l");
    let broken = tokio::spawn({
        let named = named.clone();
        async move { complete(&named, 0, "hold").await }
    });
    comes("it runs", || agents.running() == 1).await;
    broken.abort();
    comes("it is stopped", || agents.running() == 0).await;
    let again = complete(&named, 1, "hold").await;
    assert_eq!(
        (again.status.as_u16(), &again.json["error"]["code"]),
        (409, &json!("cancelled"))
    );
    assert_eq!(again.headers["x-should-retry"], "false");

    let seen = tenant.get("/api/v1/sessions/s").await.expect(200).json;
    let messages = seen["messages"].as_array().unwrap().iter();
    let asked = messages.filter(|message| message["role"] == "user");
    let asked: Vec<_> = asked.map(|message| message["text"].clone()).collect();
    assert_eq!(asked, ["One", "Two", "Three", "hold"]);
}

#[tokio::test]
async fn a_turn_that_is_begun_anew_is_read_whole_by_who_comes_back_to_the_one_before() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let here = tenant.with("idempotency-key", "k");
    let wanted = json!({"session_id": "s", "message": "Hello", "stream": true});
    // Its cell is there, and then is not.
    agents.break_where(|_, method| method == "chat.open");
    let failed = here.stream("/api/v1/chat", wanted.clone()).await.rest().await;
    agents.repair();
    let anew = here.stream("/api/v1/chat", wanted).await.rest().await;
    assert_eq!(
        (
            failed.last().unwrap().event.as_str(),
            anew.last().unwrap().event.as_str()
        ),
        ("error", "final")
    );
    let back = async |last: &Told| {
        let back = tenant.with("last-event-id", last.id.clone());
        back.stream("/api/v1/chat", json!({})).await.rest().await
    };
    for last in &failed {
        assert_eq!(back(last).await, anew);
    }
    assert_eq!(back(&anew[0]).await, anew[1..]);
}

#[tokio::test]
async fn a_turn_that_another_server_ran_is_told_whole_also_as_events_and_without_a_session() {
    let (world, _other, agents, here, there) = two_servers().await;
    let wanted = json!({"model": "m", "messages": said("Hello"), "stream": true});
    let first = here.stream("/v1/chat/completions", wanted.clone()).await.rest().await;
    assert_eq!(text_of(&first), "You said: Hello");
    // It would be gone by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(agents.conversations(), 1);
    let again = there.stream("/v1/chat/completions", wanted.clone()).await.rest().await;
    assert_eq!(text_of(&again), "You said: Hello");
    assert_eq!(agents.conversations(), 1, "it is the same turn");

    // After a day nobody finds it any more, and it goes.
    world.clock.advance(limits::SINGLE_TURN_KEPT + Duration::from_secs(1));
    let mut other = here.clone();
    other.headers.retain(|(name, _)| *name != "idempotency-key");
    let alone = json!({"model": "m", "messages": said("Bye")});
    other.post("/v1/chat/completions", alone).await.expect(200);
    comes("nothing is left", || agents.conversations() == 0).await;
}

#[tokio::test]
async fn what_was_lost_on_the_way_is_told_at_the_end_or_the_stream_fails() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    for (path, whole) in [("so at last", true), ("at last", false)] {
        let wanted = json!({"model": "m", "user": "s", "messages": said("hold"), "stream": true});
        let mut stream = tenant.stream("/v1/chat/completions", wanted).await;
        let role = stream.next().await.unwrap();
        let begun = stream.next().await.unwrap();
        agents.hang_up();
        agents.release_with(path);
        let rest = stream.rest().await;
        if whole {
            let told = [vec![role, begun], rest.clone()].concat();
            assert_eq!(text_of(&told), path);
            assert_eq!(rest.last().unwrap().data, "[DONE]");
        } else {
            assert_eq!(rest.last().unwrap().json()["error"]["code"], "events_lost");
        }
    }
}

#[tokio::test]
async fn a_turn_is_found_however_much_was_said_after_it() {
    let (_world, _other, agents, here, there) = two_servers().await;
    let ask = async |who: &Developer, text: &str| {
        let wanted = json!({"session_id": "s", "message": text});
        let answer = tokio::time::timeout(Duration::from_secs(20), who.post("/api/v1/chat", wanted)).await;
        answer.expect("it hangs").expect(200).json["message"]["text"].clone()
    };
    assert_eq!(ask(&here, "One").await, "You said: One");
    let mut others = here.clone();
    others.headers.retain(|(name, _)| *name != "idempotency-key");
    for text in ["Two", "Three", "Four"] {
        ask(&others, text).await;
    }
    agents.page_of(2);
    assert_eq!(ask(&there, "One").await, "You said: One");
}

#[tokio::test]
async fn promise_05_a_turn_is_told_as_ended_when_its_home_is_sealed_also_to_who_comes_again_or_was_cut_off() {
    let (_world, _other, agents, here, there) = two_servers().await;
    let wanted = json!({"session_id": "s", "message": "unsealed", "stream": true});
    let mut streams = Vec::new();
    for who in [&here, &there] {
        let mut stream = who.stream("/api/v1/chat", wanted.clone()).await;
        if streams.is_empty() {
            stream.until("delta").await;
            agents.hang_up();
        }
        streams.push(stream);
    }
    for stream in &mut streams {
        let early = tokio::time::timeout(Duration::from_millis(300), stream.until("final")).await;
        assert!(early.is_err(), "it could still be lost");
    }
    agents.seal();
    for stream in &mut streams {
        let last = tokio::time::timeout(Duration::from_secs(20), stream.until("final")).await;
        assert_eq!(last.unwrap().json()["message"]["text"], "You said: unsealed");
    }
}

#[tokio::test]
async fn a_turn_whose_home_cannot_be_sealed_says_so_and_is_not_told_as_ended() {
    let (_world, _other, agents, here, there) = two_servers().await;
    let wanted = json!({"session_id": "s", "message": "unsealed", "stream": true});
    let mut stream = here.stream("/api/v1/chat", wanted.clone()).await;
    stream.until("delta").await;
    agents.fill_the_disk();
    let wait = tokio::time::timeout(Duration::from_secs(20), stream.rest()).await;
    let last = wait.expect("it waits without end").pop().unwrap();
    assert_eq!(
        (last.event.as_str(), &last.json()["code"]),
        ("error", &json!("not_saved"))
    );
    let again = tokio::time::timeout(Duration::from_secs(20), there.post("/api/v1/chat", wanted)).await;
    let again = again.expect("it waits without end");
    assert!(again.text.contains("not_saved"), "{}", again.text);
}

#[tokio::test]
async fn a_turn_that_could_not_be_stopped_is_stopped_when_its_cell_answers() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let wanted = json!({"session_id": "s", "message": "hold", "stream": true});
    let mut stream = tenant.stream("/api/v1/chat", wanted).await;
    stream.until("delta").await;
    let (refused, is_refused) = tokio::sync::watch::channel(false);
    agents.break_where(move |_, method| {
        let is_abort = method == "chat.abort";
        if is_abort {
            refused.send_replace(true);
        }
        is_abort
    });
    drop(stream);
    comes("it is tried to be stopped", || *is_refused.borrow()).await;
    assert_eq!(agents.running(), 1);
    agents.repair();
    comes("it is stopped", || agents.running() == 0).await;
}

#[tokio::test]
async fn a_turn_is_stopped_that_was_to_be_when_its_connection_broke() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    // Its client leaves before the connection breaks, and while it is made again.
    for leaves_first in [true, false] {
        let wanted = json!({"session_id": "s", "message": "hold", "stream": true});
        let mut stream = tenant.stream("/api/v1/chat", wanted).await;
        stream.until("delta").await;
        let (failed, has_failed) = tokio::sync::watch::channel((false, false));
        let breaks = move |_, method: &str| {
            failed.send_modify(|(abort, listen)| {
                *abort |= method == "chat.abort";
                *listen |= method == "listen";
            });
            true
        };
        if leaves_first {
            agents.break_where(breaks);
            drop(stream);
            comes("it is tried to be stopped", || has_failed.borrow().0).await;
            agents.hang_up();
        } else {
            agents.hold_at("listen");
            agents.hang_up();
            agents.until_somebody_waits().await;
            drop(stream);
            agents.break_where(breaks);
            agents.go_on();
        }
        comes("it is tried to be listened to", || has_failed.borrow().1).await;
        assert_eq!(agents.running(), 1);
        agents.repair();
        comes("it is stopped", || agents.running() == 0).await;
    }
}

#[tokio::test]
async fn a_conversation_whose_making_was_cut_off_is_found_by_its_session_or_goes() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let ask = async |wanted: Value| tenant.post("/api/v1/chat", wanted).await;
    let named = json!({"session_id": "s", "message": "Hello"});
    agents.lose_answers_to("chat.create");
    ask(named.clone()).await.expect(503);
    assert_eq!(agents.conversations(), 1);
    let listed = tenant.get("/api/v1/sessions").await.expect(200).json;
    assert_eq!(listed["sessions"], json!([]));
    agents.repair();
    ask(named.clone()).await.expect(200);
    assert_eq!(agents.conversations(), 1, "it is the same");

    // Of a session that nobody asks for again.
    agents.lose_answers_to("chat.create");
    ask(json!({"message": "Hello"})).await.expect(503);
    agents.repair();
    ask(named.clone()).await.expect(200);
    assert_eq!(agents.conversations(), 2);
    world.clock.advance(limits::TURN_TIME + Duration::from_secs(1));
    ask(named.clone()).await.expect(200);
    comes("it goes", || agents.conversations() == 1).await;
    let listed = tenant.get("/api/v1/sessions").await.expect(200).json;
    assert_eq!(listed["sessions"][0]["id"], "s");

    // One that is deleted before it is made, or while it is.
    agents.lose_answers_to("chat.create");
    ask(json!({"session_id": "d", "message": "Hello"})).await.expect(503);
    agents.repair();
    tenant.delete("/api/v1/sessions/d").await.expect(204);
    assert_eq!(agents.conversations(), 1);
    agents.hold_at("chat.create");
    let late = tokio::spawn({
        let tenant = tenant.clone();
        async move {
            tenant
                .post("/api/v1/chat", json!({"session_id": "d", "message": "Hello"}))
                .await
        }
    });
    agents.until_somebody_waits().await;
    tenant.delete("/api/v1/sessions/d").await.expect(204);
    agents.go_on();
    late.await.unwrap().expect(404);
    assert_eq!(agents.conversations(), 1);
}

#[tokio::test]
async fn what_an_agent_does_not_give_is_refused_by_name_and_what_is_not_to_be_kept_is_not() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let (chat, response) = ("/v1/chat/completions", "/v1/responses");
    let cases = [
        (chat, "response_format", json!({"type": "json_object"})),
        (chat, "logprobs", json!(true)),
        (chat, "audio", json!({"voice": "ash"})),
        (response, "text", json!({"format": {"type": "json_schema"}})),
        (response, "background", json!(true)),
        (response, "conversation", json!("conv_1")),
        (response, "prompt", json!({"id": "p"})),
    ];
    let asked = |path: &str| match path == chat {
        true => json!({"model": "m", "messages": said("Hello")}),
        false => json!({"model": "m", "input": "Hello"}),
    };
    for (path, field, value) in cases {
        let mut wanted = asked(path);
        wanted[field] = value;
        let answer = tenant.post(path, wanted).await;
        let error = &answer.json["error"];
        assert_eq!(
            (answer.status.as_u16(), &error["param"]),
            (400, &json!(field)),
            "{}",
            answer.text
        );
    }
    assert_eq!(agents.conversations(), 0);
    let mut plain = asked(chat);
    plain["response_format"] = json!({"type": "text"});
    plain["logprobs"] = json!(false);
    plain["stream_options"] = json!({"include_usage": null});
    tenant.post(chat, plain).await.expect(200);
    let mut plain = asked(response);
    plain["text"] = json!({"format": {"type": "text"}, "verbosity": "low"});
    plain["background"] = json!(false);
    plain["store"] = json!(false);
    tenant.post(response, plain.clone()).await.expect(200);
    comes("nothing is kept", || agents.conversations() == 0).await;
    // With a key it is found by that for a day, and nothing is said after it.
    let named = tenant.with("idempotency-key", "k");
    let first = named.post(response, plain).await.expect(200).json;
    let on = json!({"model": "m", "input": "And?", "previous_response_id": first["id"]});
    assert_eq!(tenant.post(response, on).await.status, 404);
}
