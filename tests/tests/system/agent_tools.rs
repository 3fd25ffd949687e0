//! The real OpenClaw shares, stops sharing and asks for something by its keeper's tools: what its owner allowed, as they were shown it, and once.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::contacts::acquainted;
use system_tests::shared::{connect_calendar, listed, received, uses};
use system_tests::{Installation, Turn, now, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const HOUR: i64 = 60 * 60 * 1000;

/// What has the scripted model call one of the keeper's tools.
fn tool(name: &str, arguments: &Value) -> String {
    format!("[[tool: holdfast__{name} {arguments}]]")
}

/// What the tools of a turn answered.
fn outputs(turn: &Turn) -> Vec<&str> {
    let results = turn.events.iter().filter(|event| event["phase"] == "result");
    results.filter_map(|event| event["output"].as_str()).collect()
}

#[tokio::test]
async fn promise_07_what_an_agent_shares_is_what_its_owner_was_shown_and_a_yes_is_for_one_call() {
    let installation = Installation::start().await;
    let [(anna, with_anna), (bob, with_bob)] = acquainted(&installation, PASSWORD).await;
    connect_calendar(&installation, &with_anna, "canary-0123456789", "A calendar").await;
    with_anna
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    with_anna.ready().await;
    let conversation = with_anna.conversation().await;
    let given = async || listed(&with_anna, "share.given").await;
    let (once, no) = (json!({"answer": "once"}), json!({"answer": "deny"}));

    // Called twice in one turn. A yes lets one call through, as it was shown; the other one asks again.
    let narrow = json!({"with": "bob", "service": "calendar", "path": "models", "hours": 24, "max_calls": 5});
    let issue = tool("issue_capability", &narrow);
    let turn = with_anna
        .send(&conversation, &format!("{issue} {issue} [[say: done]]"))
        .await;
    let shown = with_anna.asked().await;
    let action = &shown["action"];
    let asked_for =
        json!(["share", bob.me["user"]["id"], "Bob", "service/calendar/models", ["read", "list"], {"max_calls": 5}]);
    let asked = ["kind", "with", "name", "resource", "scope", "constraints"].map(|what| action[what].clone());
    assert_eq!(json!(asked), asked_for, "{action:#}");
    let long = action["until"].as_i64().expect("a time") - now();
    assert!((23 * HOUR..=25 * HOUR).contains(&long), "{action:#}");
    assert!(given().await.is_empty(), "nothing is shared before the answer");
    with_anna.decide(&shown, once.clone()).await;
    let again = with_anna.asked().await;
    assert_ne!(again["id"], shown["id"]);
    assert_eq!(again["action"]["resource"], action["resource"], "{again:#}");
    let all = given().await;
    assert_eq!(all.len(), 1, "{all:#?}");
    for what in ["with", "name", "resource", "scope", "until", "constraints"] {
        assert_eq!(all[0][what], action[what], "{what}");
    }
    with_anna.decide(&again, no.clone()).await;
    with_anna.turn_event(&turn, "saved").await;
    let turn = with_anna.turn(&turn);
    let refused = |output: &&str| output.starts_with("approval_denied");
    assert_eq!(
        outputs(&turn).into_iter().filter(refused).count(),
        1,
        "{:#?}",
        turn.events
    );

    // Bob may do what was given, and no more.
    let id = all[0]["id"].clone();
    assert_eq!(received(&with_bob, "given").await["id"], id);
    let (status, _) = uses(&with_bob, &id, "GET").await.expect("Bob may read");
    assert_eq!(status, 200);
    assert_eq!(uses(&with_bob, &id, "POST").await, Err("scope".to_owned()));

    // More than that is another request, whatever was allowed before.
    let wider = json!({"with": "bob", "service": "calendar", "may": ["read", "write"], "hours": 48});
    let words = format!("{} [[say: done]]", tool("issue_capability", &wider));
    let turn = with_anna.send(&conversation, &words).await;
    let shown = with_anna.asked().await;
    let asked = ["resource", "scope"].map(|what| shown["action"][what].clone());
    assert_eq!(
        json!(asked),
        json!(["service/calendar", ["read", "write"]]),
        "{shown:#}"
    );
    assert_eq!(given().await.len(), 1);
    with_anna.decide(&shown, no.clone()).await;
    with_anna.turn_event(&turn, "saved").await;
    assert_eq!(given().await.len(), 1);
    assert_eq!(uses(&with_bob, &id, "POST").await, Err("scope".to_owned()));

    // Stopping it takes nobody's word, and holds at once.
    let words = format!("{} [[say: done]]", tool("revoke_capability", &json!({"id": id})));
    with_anna.ask(&conversation, &words).await;
    assert_eq!(given().await[0]["state"], "stopped");
    assert_eq!(uses(&with_bob, &id, "GET").await, Err("revoked".to_owned()));
    received(&with_bob, "stopped").await;
    let list = with_anna.call("approval.list", json!({})).await;
    assert_eq!(list["waiting"], json!([]));

    // Words to Bob go out when she has allowed them, once; too many of them are refused before she is asked.
    let asking = |words: &str| tool("request_share", &json!({"of": "Bob", "words": words}));
    let words = format!("{} [[say: done]]", asking(&"please ".repeat(50)));
    let turn = with_anna.ask(&conversation, &words).await;
    let told = outputs(&turn).join("\n");
    // OpenClaw itself holds a call to what its keeper says of the tool.
    assert!(told.contains("300 characters"), "{told}");
    let wanted = "Your calendar until Friday?";
    let words = format!("{0} {0} [[say: done]]", asking(wanted));
    let turn = with_anna.send(&conversation, &words).await;
    let shown = with_anna.asked().await;
    let action = json!({"kind": "ask_for_share", "of": bob.me["user"]["id"], "name": "Bob", "words": wanted});
    assert_eq!(shown["action"], action);
    let heard = async || listed(&with_bob, "share.asked").await;
    assert!(heard().await.is_empty(), "nothing is sent before the answer");
    with_anna.decide(&shown, once).await;
    let again = with_anna.asked().await;
    assert_eq!(again["action"], action);
    assert_ne!(again["id"], shown["id"]);
    with_anna.decide(&again, no).await;
    with_anna.turn_event(&turn, "saved").await;
    let first = wait_until("Bob is asked", Duration::from_secs(90), async || heard().await.pop()).await;
    assert_eq!(
        (&first["words"], &first["name"]),
        (&json!(wanted), &anna.me["user"]["name"])
    );

    // The link to unlock is the address of the page, and nothing more.
    let words = format!("{} [[say: done]]", tool("unlock_link", &json!({})));
    let turn = with_anna.ask(&conversation, &words).await;
    let link = format!("\"unlock_link\":\"{}/\"", installation.url());
    let told = outputs(&turn).join("\n");
    assert!(told.contains(&link), "{link} in {told}");
    assert_eq!(heard().await.len(), 1, "what she refused was sent");
}
