//! Functions of the client's that the agent calls, as OpenAI's clients offer and answer them.

use std::time::Duration;

use management::limits;
use protocol::limits::FUNCTION_WAIT;
use serde_json::{Value, json};

use crate::support::{Answer, Developer, Receiver, World};

/// Two functions, as `/v1/chat/completions` writes them.
fn tools() -> Value {
    json!([
        {"type": "function", "function": {"name": "weather", "description": "Says it.", "parameters": {"city": "Kiel"}}},
        {"type": "function", "function": {"name": "time", "strict": true}},
    ])
}

fn said(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

/// The answer that calls, and what the client goes on with: everything that was said, and a result for each call.
fn answered(text: &str, answer: &Value, outputs: &[&str]) -> Value {
    let called = &answer["choices"][0]["message"];
    let mut messages = vec![json!({"role": "user", "content": text}), called.clone()];
    for (call, output) in called["tool_calls"].as_array().unwrap().iter().zip(outputs) {
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": output}));
    }
    json!(messages)
}

async fn complete(tenant: &Developer, messages: Value) -> Answer {
    let asked = json!({"model": "m", "messages": messages, "tools": tools()});
    tenant.post("/v1/chat/completions", asked).await
}

fn assert_refused(answer: &Answer, code: &str) {
    let error = &answer.json["error"];
    assert_eq!(
        (answer.status.as_u16(), &error["code"]),
        (400, &json!(code)),
        "{}",
        answer.text
    );
    assert_eq!(error["type"], "invalid_request_error");
    assert!(!error["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_completion_ends_with_calls_and_goes_on_with_their_results() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let first = complete(&tenant, said("Well?")).await.expect(200).json;
    let choice = &first["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], "Let me see. ");
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2);
    assert_eq!(
        calls[0],
        json!({"id": calls[0]["id"], "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Kiel\"}"}})
    );
    assert_eq!(first["usage"]["total_tokens"], 14);

    let messages = answered("Well?", &first, &["rain", "noon"]);
    let second = complete(&tenant, messages.clone()).await.expect(200).json;
    let choice = &second["choices"][0];
    assert_eq!(
        choice["message"]["content"], "It is rain and noon.",
        "what was told before is not told again"
    );
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["message"].get("tool_calls"), None);
    assert_eq!(
        second["usage"]["total_tokens"], 0,
        "what was counted before is not counted again"
    );
    assert_ne!(second["id"], first["id"]);

    // A client whose answer was lost sends the same results again.
    let again = complete(&tenant, messages).await.expect(200).json;
    assert_eq!(again["choices"], second["choices"]);
    let other = answered("Well?", &first, &["snow", "noon"]);
    assert_refused(&complete(&tenant, other).await, "call_answered");
    while agents.conversations() > 0 {
        tokio::task::yield_now().await;
        tenant.get("/v1/models").await;
    }
}

#[tokio::test]
async fn chunks_end_with_calls_and_later_ones_begin_with_what_was_said_after() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = |messages: Value| {
        json!({"model": "m", "user": "anna", "messages": messages, "tools": tools(), "stream": true,
            "stream_options": {"include_usage": true}})
    };
    let events = tenant
        .stream("/v1/chat/completions", asked(said("again")))
        .await
        .rest()
        .await;
    assert_eq!(events.last().unwrap().data, "[DONE]");
    let chunks: Vec<Value> = events[..events.len() - 1].iter().map(|event| event.json()).collect();
    let calls: Vec<Value> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0).cloned())
        .collect();
    assert_eq!((&calls[0]["index"], &calls[1]["index"]), (&json!(0), &json!(1)));
    assert_eq!(calls[1]["function"]["name"], "time");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 14);

    // The agent calls once more before it answers.
    let results = |calls: &[Value]| {
        let results = calls
            .iter()
            .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": call["function"]["name"]}));
        json!(results.collect::<Vec<_>>())
    };
    let asks = json!({"model": "m", "user": "anna", "messages": results(&calls)});
    let second = tenant.post("/v1/chat/completions", asks).await.expect(200).json;
    let message = &second["choices"][0]["message"];
    assert!(message["content"].is_null(), "{message}");
    let calls = message["tool_calls"].as_array().unwrap();
    let events = tenant
        .stream("/v1/chat/completions", asked(results(calls)))
        .await
        .rest()
        .await;
    let text: String = events[..events.len() - 1]
        .iter()
        .filter_map(|event| {
            event.json()["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(text, "It is weather and time.");
}

#[tokio::test]
async fn a_response_ends_with_function_calls_and_goes_on_with_their_outputs() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"city": "Kiel"}, "strict": true}]);
    let asked = json!({"model": "m", "input": "Well?", "tools": tools, "instructions": "Be short."});
    let first = tenant.post("/v1/responses", asked.clone()).await.expect(200).json;
    assert_eq!(first["status"], "completed");
    let output = first["output"].as_array().unwrap();
    let kinds: Vec<&Value> = output.iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["message", "function_call"]);
    let call = &output[1];
    assert_eq!(
        (&call["name"], &call["arguments"]),
        (&json!("weather"), &json!("{\"city\":\"Kiel\"}"))
    );
    assert_eq!(call["status"], "completed");
    let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "rain"});

    let mut on = asked;
    on["previous_response_id"] = first["id"].clone();
    on["input"] = json!([result]);
    on["stream"] = json!(true);
    let events = tenant.stream("/v1/responses", on.clone()).await.rest().await;
    let last = events.last().unwrap();
    assert_eq!(last.event, "response.completed");
    let response = &last.json()["response"];
    assert_eq!(response["output"][0]["content"][0]["text"], "It is rain.");
    assert_eq!(response["output"].as_array().unwrap().len(), 1);
    assert_ne!(response["id"], first["id"]);

    // Without the response before, and with all that was said.
    on["stream"] = json!(false);
    on["previous_response_id"] = Value::Null;
    let own = json!({"type": "mcp_call", "id": "t", "server_label": "agent", "name": "exec", "arguments": "{}"});
    on["input"] = json!([{"role": "user", "content": "Well?"}, own, output[0], call, result]);
    let again = tenant.post("/v1/responses", on.clone()).await.expect(200).json;
    assert_eq!(again["output"][0]["content"][0]["text"], "It is rain.");
    assert_eq!(agents.conversations(), 1);

    // In the session that the response names, the next question is one more.
    let next = json!({"model": "m", "input": "And now?", "previous_response_id": again["id"]});
    tenant.post("/v1/responses", next).await.expect(200);
    assert_eq!(agents.conversations(), 1);
    on["user"] = json!("another");
    assert_refused(&tenant.post("/v1/responses", on).await, "unknown_call");
}

#[tokio::test]
async fn a_response_tells_its_function_calls_as_events() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"city": "Kiel"}}]);
    let asked = json!({"model": "m", "input": "Well?", "tools": tools, "stream": true});
    let events = tenant.stream("/v1/responses", asked).await.rest().await;
    let mut names: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let done = &events[events.len() - 3].json();
    assert_eq!(
        (&done["name"], &done["arguments"]),
        (&json!("weather"), &json!("{\"city\":\"Kiel\"}"))
    );
    let response = &events.last().unwrap().json()["response"];
    assert_eq!(response["output"][1]["id"], done["item_id"]);
}

#[tokio::test]
async fn results_that_do_not_fit_are_refused_and_the_turn_goes_on_waiting() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let (_, stranger) = world.tenant("y").await;
    let first = complete(&tenant, said("Well?")).await.expect(200).json;
    let good = answered("Well?", &first, &["rain", "noon"]);
    let with = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut messages = good.as_array().unwrap().clone();
        change(&mut messages);
        json!(messages)
    };
    for (messages, code) in [
        (with(&|all| all[2]["tool_call_id"] = json!("call_no")), "unknown_call"),
        (with(&|all| all[3]["tool_call_id"] = json!("call_no")), "unknown_call"),
        (with(&|all| drop(all.pop())), "result_missing"),
        (with(&|all| all[3] = all[2].clone()), "result_twice"),
        (with(&|all| all.truncate(2)), "invalid_field"),
        (
            with(&|all| all.push(json!({"role": "user", "content": "and?"}))),
            "invalid_field",
        ),
        (
            with(&|all| drop(all[2].as_object_mut().unwrap().remove("tool_call_id"))),
            "invalid_field",
        ),
    ] {
        assert_refused(&complete(&tenant, messages).await, code);
    }
    // Nobody else has such a call, whoever they are and whatever they name.
    assert_refused(&complete(&stranger, good.clone()).await, "unknown_call");
    let elsewhere = json!({"model": "m", "user": "another", "messages": good});
    assert_refused(&tenant.post("/v1/chat/completions", elsewhere).await, "unknown_call");
    let last = complete(&tenant, good).await.expect(200).json;
    assert_eq!(last["choices"][0]["message"]["content"], "It is rain and noon.");
}

#[tokio::test]
async fn a_cell_that_cannot_be_reached_is_given_the_results_when_they_come_again() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let first = complete(&tenant, said("Well?")).await.expect(200).json;
    let results = answered("Well?", &first, &["rain", "noon"]);
    agents.break_where(|_, method| method == "chat.results");
    assert_eq!(complete(&tenant, results.clone()).await.status, 503);
    agents.repair();
    let last = complete(&tenant, results).await.expect(200).json;
    assert_eq!(last["choices"][0]["message"]["content"], "It is rain and noon.");
}

#[tokio::test]
async fn calls_of_one_round_that_are_written_one_by_one_each_with_its_result_are_answered() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let first = complete(&tenant, said("again")).await.expect(200).json;
    let one_by_one = |before: &Value, answer: &Value, outputs: [&str; 2]| {
        let mut messages = before.as_array().unwrap().clone();
        let calls = answer["choices"][0]["message"]["tool_calls"].as_array().unwrap();
        for (call, output) in calls.iter().zip(outputs) {
            messages.push(json!({"role": "assistant", "tool_calls": [call]}));
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": output}));
        }
        json!(messages)
    };
    let messages = one_by_one(&said("again"), &first, ["rain", "noon"]);
    let second = complete(&tenant, messages.clone()).await.expect(200).json;
    assert_eq!(second["choices"][0]["finish_reason"], "tool_calls");
    // What the round before was answered stands there, too.
    let messages = one_by_one(&messages, &second, ["snow", "night"]);
    let last = complete(&tenant, messages).await.expect(200).json;
    assert_eq!(last["choices"][0]["message"]["content"], "It is snow and night.");

    let tools = json!([{"type": "function", "name": "weather"}, {"type": "function", "name": "time"}]);
    let asked = json!({"model": "m", "input": "Well?", "tools": tools});
    let first = tenant.post("/v1/responses", asked).await.expect(200).json;
    let mut input = vec![json!({"role": "user", "content": "Well?"}), first["output"][0].clone()];
    for (call, output) in first["output"].as_array().unwrap()[1..].iter().zip(["rain", "noon"]) {
        input.push(call.clone());
        input.push(json!({"type": "function_call_output", "call_id": call["call_id"], "output": output}));
    }
    let on = json!({"model": "m", "input": input});
    let last = tenant.post("/v1/responses", on).await.expect(200).json;
    assert_eq!(last["output"][0]["content"][0]["text"], "It is rain and noon.");
}

/// A request with these results, under way.
fn sent(tenant: &Developer, results: &Value) -> tokio::task::JoinHandle<Answer> {
    let (tenant, results) = (tenant.clone(), results.clone());
    tokio::spawn(async move { complete(&tenant, results).await })
}

async fn in_time<T>(what: &str, done: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(20), done).await;
    done.unwrap_or_else(|_| panic!("{what}"))
}

#[tokio::test]
async fn a_client_that_gave_results_and_lost_its_connection_comes_again_and_gets_the_answer() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let first = complete(&tenant, said("slowly")).await.expect(200).json;
    let results = answered("slowly", &first, &["rain", "noon"]);
    let lost = sent(&tenant, &results);
    let taken = async {
        while agents.called() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    in_time("the agent has them", taken).await;
    lost.abort();
    assert!(lost.await.unwrap_err().is_cancelled());
    // If that stops the turn, it does so within this time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(agents.running(), 1);
    let other = answered("slowly", &first, &["snow", "noon"]);
    assert_refused(&complete(&tenant, other).await, "call_answered");
    let again = sent(&tenant, &results);
    tokio::time::sleep(Duration::from_millis(50)).await;
    agents.release_with("Let me see. It rains.");
    let again = in_time("it is answered", again).await.unwrap().expect(200).json;
    assert_eq!(again["choices"][0]["message"]["content"], "It rains.");
}

#[tokio::test]
async fn a_client_that_gave_results_and_does_not_come_again_has_left_its_turn() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let first = complete(&tenant, said("slowly")).await.expect(200).json;
    let results = answered("slowly", &first, &["rain", "noon"]);
    let lost = sent(&tenant, &results);
    in_time("the agent has them", async {
        while agents.called() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    lost.abort();
    let _aborted = lost.await;
    tokio::time::pause();
    tokio::time::advance(limits::FUNCTION_AGAIN + Duration::from_secs(1)).await;
    tokio::time::resume();
    in_time("it is stopped", async {
        while agents.running() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_results_while_the_first_are_under_way_are_given_once_or_instead() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    for broken in [false, true] {
        let first = complete(&tenant, said("Well?")).await.expect(200).json;
        let results = answered("Well?", &first, &["rain", "noon"]);
        agents.hold();
        let one = sent(&tenant, &results);
        in_time("it is under way", agents.until_somebody_waits()).await;
        let two = sent(&tenant, &results);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut breaks = broken;
        agents.break_where(move |_, method| method == "chat.results" && std::mem::take(&mut breaks));
        agents.go_on();
        let one = in_time("the first is answered", one).await.unwrap();
        assert_eq!(one.status, if broken { 503 } else { 200 }, "{}", one.text);
        let two = in_time("the second is answered", two).await.unwrap().expect(200).json;
        assert_eq!(two["choices"][0]["message"]["content"], "It is rain and noon.");
    }
}

#[tokio::test]
async fn calls_that_were_made_while_the_connection_was_broken_are_told() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let first = complete(&tenant, said("again, unheard")).await.expect(200).json;
    let second = complete(&tenant, answered("again, unheard", &first, &["rain", "noon"]))
        .await
        .expect(200)
        .json;
    assert_eq!(second["choices"][0]["finish_reason"], "tool_calls", "{second}");
    let last = complete(&tenant, answered("again, unheard", &second, &["snow", "night"]))
        .await
        .expect(200)
        .json;
    assert_eq!(last["choices"][0]["message"]["content"], "It is snow and night.");
}

#[tokio::test]
async fn whoever_asks_for_something_else_has_given_the_calls_up() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let asked = json!({"model": "m", "user": "anna", "messages": said("Well?"), "tools": tools()});
    let first = tenant.post("/v1/chat/completions", asked).await.expect(200).json;
    let other = json!({"model": "m", "user": "anna", "messages": said("Hello")});
    let answer = tenant.post("/v1/chat/completions", other).await.expect(200).json;
    assert_eq!(answer["choices"][0]["message"]["content"], "You said: Hello");
    let late = complete(&tenant, answered("Well?", &first, &["rain", "noon"])).await;
    assert_refused(&late, "turn_over");
}

#[tokio::test]
async fn a_client_that_never_answers_is_waited_for_so_long_and_webhooks_hear_that_it_did_not() {
    let receiver = Receiver::start().await;
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    let wanted = json!({"url": receiver.url("/hook"), "events": ["turn.failed"]});
    operator
        .post(&format!("/api/v1/tenants/{id}/webhooks"), wanted)
        .await
        .expect(201);
    let first = complete(&tenant, said("Well?")).await.expect(200).json;
    tokio::time::pause();
    tokio::time::advance(FUNCTION_WAIT - Duration::from_secs(1)).await;
    tokio::time::resume();
    let partly = answered("Well?", &first, &["rain"]);
    assert_refused(&complete(&tenant, partly).await, "result_missing");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let told = receiver.next().await.json();
    assert_eq!(told["data"]["outcome"], "results_missing");
    let late = complete(&tenant, answered("Well?", &first, &["rain", "noon"])).await;
    assert_refused(&late, "turn_over");
}

#[tokio::test]
async fn a_request_that_comes_again_gets_the_same_calls() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let key = tenant.with("idempotency-key", "k");
    let asked = json!({"model": "m", "user": "anna", "messages": said("Well?"), "tools": tools()});
    let first = key.post("/v1/chat/completions", asked.clone()).await.expect(200).json;
    let again = key.post("/v1/chat/completions", asked).await.expect(200).json;
    assert_eq!(again["choices"], first["choices"]);
    assert_eq!(agents.conversations(), 1);
    let last = complete(&tenant, answered("Well?", &first, &["rain", "noon"]))
        .await
        .expect(200)
        .json;
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
}

/// A request for these functions, of which something is to be called.
fn wanting(choice: &Value, text: &str) -> Value {
    json!({"model": "m", "messages": said(text), "tools": tools(), "tool_choice": choice})
}

#[tokio::test]
async fn a_call_that_the_client_wants_is_made_and_of_a_function_that_it_names_no_other() {
    let (world, ..) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let time = json!({"type": "function", "function": {"name": "time"}});
    for (choice, names) in [(json!("required"), &["weather", "time"][..]), (time, &["time"][..])] {
        let asked = wanting(&choice, "Well?");
        let first = tenant.post("/v1/chat/completions", asked).await.expect(200).json;
        let calls = first["choices"][0]["message"]["tool_calls"].as_array().unwrap();
        let called: Vec<_> = calls
            .iter()
            .map(|call| call["function"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(called, names);
        // With which the turn has what was wanted, whatever comes after it, and whether the functions are named again or not.
        let outputs = ["rain", "noon"];
        let mut asked = wanting(&choice, "");
        asked["messages"] = answered("Well?", &first, &outputs[..called.len()]);
        let mut bare = asked.clone();
        bare.as_object_mut().unwrap().remove("tools");
        for asked in [bare, asked] {
            let last = tenant.post("/v1/chat/completions", asked).await.expect(200).json;
            assert_eq!(last["choices"][0]["finish_reason"], "stop", "{last}");
        }
    }
    let tools = json!([{"type": "function", "name": "weather"}, {"type": "function", "name": "time"}]);
    let choice = json!({"type": "function", "name": "time"});
    let asked = json!({"model": "m", "input": "Well?", "tools": tools, "tool_choice": choice});
    let response = tenant.post("/v1/responses", asked).await.expect(200).json;
    assert_eq!(response["tool_choice"], choice);
    let output = response["output"].as_array().unwrap();
    assert_eq!((output.len(), &output[1]["name"]), (2, &json!("time")));
    let result = json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "noon"});
    let asked = json!({"model": "m", "previous_response_id": response["id"], "input": [result], "tool_choice": choice});
    let last = tenant.post("/v1/responses", asked).await.expect(200).json;
    assert_eq!(last["status"], "completed", "{last}");
}

#[tokio::test]
async fn a_turn_that_ends_without_the_call_that_is_wanted_has_failed_whoever_hears_of_it() {
    let receiver = Receiver::start().await;
    let (world, agents, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, tenant) = world.tenant("x").await;
    let wanted = json!({"url": receiver.url("/hook"), "events": ["turn.finished", "turn.failed"]});
    operator
        .post(&format!("/api/v1/tenants/{id}/webhooks"), wanted)
        .await
        .expect(201);
    let mut asked = wanting(&json!("required"), "decline");
    asked["user"] = json!("anna");
    let once = tenant.with("idempotency-key", "k");
    let refused = once.post("/v1/chat/completions", asked.clone()).await;
    assert_eq!(refused.status, 424, "{}", refused.text);
    assert_eq!(refused.json["error"]["code"], "function_not_called");
    let told = receiver.next().await.json();
    assert_eq!(
        (&told["type"], &told["data"]["outcome"]),
        (&json!("turn.failed"), &json!("function_not_called"))
    );
    // Also where it is looked up again, on a server that did not run it.
    let other = world.beside(agents, &[]).await;
    let there = once.asking(other.router.clone());
    let again = there.post("/v1/chat/completions", asked.clone()).await;
    assert_eq!(again.json["error"]["code"], "function_not_called", "{}", again.text);

    asked["stream"] = json!(true);
    let events = tenant.stream("/v1/chat/completions", asked).await.rest().await;
    let last = events.last().unwrap().json();
    assert_eq!(last["error"]["code"], "function_not_called");
    assert!(events.iter().all(|event| event.data != "[DONE]"));
    // Left to the agent, the same answer is one.
    let asked = wanting(&json!("auto"), "decline");
    let answer = tenant.post("/v1/chat/completions", asked).await.expect(200).json;
    assert_eq!(answer["choices"][0]["message"]["content"], "I had rather not.");
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    for (path, field, value) in [
        ("/v1/chat/completions", "tools", json!([{"type": "function"}])),
        ("/v1/chat/completions", "tool_choice", json!("required")),
        ("/v1/chat/completions", "tool_choice", json!("any")),
        ("/v1/chat/completions", "functions", json!([{"name": "old"}])),
        ("/v1/responses", "tools", json!([{"type": "web_search"}])),
        ("/v1/responses", "tool_choice", json!({"type": "function", "name": "f"})),
    ] {
        let mut asked = json!({"model": "m", "messages": said("x"), "input": "x"});
        asked[field] = value;
        let refused = tenant.post(path, asked).await;
        assert_refused(&refused, "invalid_field");
        assert_eq!(refused.json["error"]["param"], field);
    }
    assert_eq!(agents.conversations(), 0);
    let none = json!({"model": "m", "messages": said("Hello"), "tools": tools(), "tool_choice": "none"});
    let answer = tenant.post("/v1/chat/completions", none).await.expect(200).json;
    assert_eq!(answer["choices"][0]["message"]["content"], "You said: Hello");
}
