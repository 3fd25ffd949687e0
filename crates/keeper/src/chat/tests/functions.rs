//! Functions of the client's that the agent calls in a turn.

use std::time::Duration;

use protocol::channel::ChannelError;
use protocol::chat::ChatEventKind;
use protocol::functions::Call;
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::keeper::{Keeper, briefs};
use crate::limits::{FUNCTION_CALLS_WAITING, FUNCTION_QUEUED};

fn weather() -> Value {
    json!({"functions": [{
        "name": "weather", "description": "Says the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }]})
}

/// A turn that holds while its functions may be called: its key, and the code that the agent was told.
async fn offered(keeper: &Keeper, conversation: &str, offer: Value) -> (String, String) {
    let key = Uuid::new_v4().to_string();
    let params = json!({"conversation": conversation, "text": "hold on", "key": key, "functions": offer});
    keeper.call("chat.send", params).await.unwrap();
    keeper
        .until(|event| event.turn == key && matches!(event.kind, ChatEventKind::Text { .. }))
        .await;
    let words = keeper.cell.openclaw.begun().pop().unwrap();
    let code = words
        .split("<functions turn=\"")
        .nth(1)
        .unwrap_or_else(|| panic!("{words}"));
    (key, code.split('"').next().unwrap().to_owned())
}

/// The agent calls one.
fn call(keeper: &Keeper, code: &str, name: &str, arguments: Value) -> JoinHandle<Result<String, ChannelError>> {
    let arguments: Map<String, Value> = serde_json::from_value(arguments).unwrap();
    let (functions, code, name) = (keeper.functions.clone(), code.to_owned(), name.to_owned());
    tokio::spawn(async move { functions.call(&code, &name, &arguments).await })
}

/// What became of a call that the client is not asked for.
async fn ended(call: JoinHandle<Result<String, ChannelError>>) -> Result<String, ChannelError> {
    let ended = tokio::time::timeout(Duration::from_secs(20), call).await;
    ended.expect("it waits for nobody").unwrap()
}

async fn asked(keeper: &Keeper) -> Vec<Call> {
    let event = keeper
        .until(|event| matches!(event.kind, ChatEventKind::Calls { .. }))
        .await;
    match event.kind {
        ChatEventKind::Calls { calls } => calls,
        other => panic!("{other:?}"),
    }
}

async fn answer(keeper: &Keeper, conversation: &str, turn: &str, results: Value) -> Result<Value, ChannelError> {
    let params = json!({"conversation": conversation, "turn": turn, "results": results});
    keeper.call("chat.results", params).await
}

#[tokio::test]
async fn calls_made_at_once_are_asked_for_together_and_each_gets_its_result() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let (key, code) = offered(&keeper, &conversation, weather()).await;
    let kiel = call(&keeper, &code, "weather", json!({"city": "Kiel"}));
    let bonn = call(&keeper, &code, "weather", json!({"city": "Bonn"}));
    let calls = asked(&keeper).await;
    assert_eq!(calls.len(), 2);
    let opened = keeper
        .call("chat.open", json!({"conversation": conversation}))
        .await
        .unwrap();
    assert_eq!(opened["running"]["calls"], json!(calls), "whoever comes back is told");
    let of = |city: &str| calls.iter().find(|call| call.arguments.contains(city)).unwrap();
    let results = json!([
        {"id": of("Bonn").id, "output": "sunny"}, {"id": of("Kiel").id, "output": "rain"},
    ]);
    answer(&keeper, &conversation, &key, results.clone()).await.unwrap();
    assert_eq!(kiel.await.unwrap().unwrap(), "rain");
    assert_eq!(bonn.await.unwrap().unwrap(), "sunny");
    let again = answer(&keeper, &conversation, &key, results).await;
    assert!(again.is_ok(), "whoever did not hear that they came sends them again");
    let other = json!([{"id": of("Bonn").id, "output": "snow"}, {"id": of("Kiel").id, "output": "rain"}]);
    let refused = answer(&keeper, &conversation, &key, other).await.unwrap_err();
    assert_eq!(refused.code, "unknown_call");
    keeper.cell.openclaw.release();
    keeper.until_saved(&key).await;
    let messages = briefs(&keeper.open(&conversation).await);
    assert_eq!(
        messages,
        ["User: hold on", "Assistant: partial answer"],
        "the functions are no words of the person's"
    );
}

#[tokio::test]
async fn results_are_taken_whole_or_not_at_all() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let (key, code) = offered(&keeper, &conversation, weather()).await;
    let none = answer(&keeper, &conversation, &key, json!([])).await;
    assert!(none.is_ok(), "nothing is asked and nothing is answered");
    let both = ["Kiel", "Bonn"].map(|city| call(&keeper, &code, "weather", json!({"city": city})));
    let calls = asked(&keeper).await;
    let result = |id: &str| json!({"id": id, "output": "x"});
    let (one, two) = (calls[0].id.as_str(), calls[1].id.as_str());
    for (results, code) in [
        (json!([result(one)]), "result_missing"),
        (json!([result(one), result(two), result("call_x")]), "unknown_call"),
        (json!([result(one), result(one)]), "unknown_call"),
        (
            json!([{"id": one, "output": "x".repeat(300_000)}, result(two)]),
            "message_too_large",
        ),
    ] {
        assert_eq!(
            answer(&keeper, &conversation, &key, results).await.unwrap_err().code,
            code
        );
    }
    let other = Uuid::new_v4().to_string();
    let results = json!([result(one), result(two)]);
    let refused = answer(&keeper, &conversation, &other, results.clone())
        .await
        .unwrap_err();
    assert_eq!(refused.code, "turn_over");
    let elsewhere = keeper.create().await;
    let refused = answer(&keeper, &elsewhere, &key, results.clone()).await.unwrap_err();
    assert_eq!(refused.code, "turn_over", "the turn is of another conversation");
    assert!(both.iter().all(|call| !call.is_finished()));
    answer(&keeper, &conversation, &key, results).await.unwrap();
    for call in both {
        assert_eq!(call.await.unwrap().unwrap(), "x");
    }
}

#[tokio::test]
async fn a_call_that_does_not_fit_is_refused_in_words_and_the_client_is_not_asked() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let (_, code) = offered(&keeper, &conversation, weather()).await;
    for (turn, name, arguments, refused) in [
        (code.as_str(), "wether", json!({"city": "x"}), "unknown_function"),
        (&code, "weather", json!({"town": "x"}), "malformed"),
        (&code, "weather", json!({"city": "x".repeat(40_000)}), "too_large"),
        ("0123456789ab", "weather", json!({"city": "x"}), "turn_over"),
    ] {
        assert_eq!(
            call(&keeper, turn, name, arguments).await.unwrap().unwrap_err().code,
            refused
        );
    }
    assert_eq!(keeper.functions.asked_in_all(), 0);
}

#[tokio::test]
async fn a_client_that_wants_one_call_at_a_time_is_asked_for_one() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let mut offer = weather();
    offer["one_at_a_time"] = json!(true);
    let (key, code) = offered(&keeper, &conversation, offer).await;
    let both = ["Kiel", "Bonn"].map(|city| call(&keeper, &code, "weather", json!({"city": city})));
    for _ in 0..2 {
        let calls = asked(&keeper).await;
        assert_eq!(calls.len(), 1);
        let results = json!([{"id": calls[0].id, "output": calls[0].arguments}]);
        answer(&keeper, &conversation, &key, results).await.unwrap();
    }
    for (call, city) in both.into_iter().zip(["Kiel", "Bonn"]) {
        assert!(call.await.unwrap().unwrap().contains(city));
    }
}

#[tokio::test]
async fn a_call_that_waited_long_behind_another_is_the_agents_to_make_again_so_that_the_client_has_its_time() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let mut offer = weather();
    offer["one_at_a_time"] = json!(true);
    let (key, code) = offered(&keeper, &conversation, offer).await;
    let kiel = call(&keeper, &code, "weather", json!({"city": "Kiel"}));
    let first = asked(&keeper).await;
    let bonn = call(&keeper, &code, "weather", json!({"city": "Bonn"}));
    while keeper.functions.asked_in_all() < 2 {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::advance(FUNCTION_QUEUED + Duration::from_secs(1)).await;
    tokio::time::resume();
    let results = json!([{"id": first[0].id, "output": "rain"}]);
    answer(&keeper, &conversation, &key, results).await.unwrap();
    assert_eq!(kiel.await.unwrap().unwrap(), "rain");
    assert_eq!(ended(bonn).await.unwrap_err().code, "function_not_asked");
    assert_eq!(keeper.functions.asked_in_all(), 0);

    let bonn = call(&keeper, &code, "weather", json!({"city": "Bonn"}));
    let again = asked(&keeper).await;
    let results = json!([{"id": again[0].id, "output": "sunny"}]);
    answer(&keeper, &conversation, &key, results).await.unwrap();
    assert_eq!(bonn.await.unwrap().unwrap(), "sunny");
}

#[tokio::test]
async fn so_many_calls_of_a_turn_wait_and_the_next_is_refused() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let (_, code) = offered(&keeper, &conversation, weather()).await;
    let one = || call(&keeper, &code, "weather", json!({"city": "Kiel"}));
    let waiting: Vec<_> = (0..FUNCTION_CALLS_WAITING).map(|_| one()).collect();
    while keeper.functions.asked_in_all() < FUNCTION_CALLS_WAITING {
        tokio::task::yield_now().await;
    }
    assert_eq!(ended(one()).await.unwrap_err().code, "too_many_calls");
    assert!(waiting.iter().all(|call| !call.is_finished()));
}

#[tokio::test]
async fn a_turn_that_ends_takes_its_calls_with_it() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let (key, code) = offered(&keeper, &conversation, weather()).await;
    let waits = call(&keeper, &code, "weather", json!({"city": "Kiel"}));
    let calls = asked(&keeper).await;
    let params = json!({"conversation": conversation, "turn": key});
    keeper.call("chat.abort", params).await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap_err().code, "turn_over");
    let results = json!([{"id": calls[0].id, "output": "late"}]);
    let late = answer(&keeper, &conversation, &key, results).await.unwrap_err();
    assert_eq!(late.code, "turn_over");
    let next = keeper.send(&conversation, "and now").await;
    keeper.until_saved(&next).await;
    assert_eq!(
        keeper.cell.openclaw.begun().pop().unwrap(),
        "and now",
        "the next turn offers nothing"
    );
}

#[tokio::test]
async fn functions_that_cannot_be_offered_are_refused_before_anything_is_written() {
    let keeper = Keeper::new().await;
    let conversation = keeper.create().await;
    let key = Uuid::new_v4().to_string();
    let offer = json!({"functions": [{"name": "no spaces"}]});
    let params = json!({"conversation": conversation, "text": "hi", "key": key, "functions": offer});
    let refused = keeper.call("chat.send", params).await.unwrap_err();
    assert_eq!(refused.code, "functions_invalid");
    assert!(keeper.open(&conversation).await.is_empty());
}
