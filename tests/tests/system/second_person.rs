//! What an organisation wants two people to allow, through two real cells and the real relay: the agent's real OpenClaw waits for both.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::canary::{Canary, Search};
use system_tests::contacts::{meets, opened};
use system_tests::{Installation, Session, wait_until};

const PASSWORD: &str = "correct horse battery staple";
const SOON: Duration = Duration::from_secs(120);

async fn first_of(session: &Session, list: &str, state: &str) -> Value {
    wait_until(&format!("{list}: {state}"), SOON, async || {
        let listed = session.call("approval.list", json!({})).await;
        let first = listed[list].as_array()?.first()?.clone();
        (first["state"] == state).then_some(first)
    })
    .await
}

#[tokio::test]
async fn promise_07_what_an_organisation_wants_two_to_allow_is_done_when_both_have() {
    let installation = Installation::start().await;
    let anna = installation.owner().await;
    let demand = json!({"second_person": true});
    assert_eq!(anna.put("/api/v1/policy", &demand).await.ok()["second_person"], true);
    let bob = installation.member(&anna, "Bob", "bob@example.org").await;
    let (with_anna, with_bob) = (opened(&anna, PASSWORD).await, opened(&bob, PASSWORD).await);
    meets(&anna, &with_anna).await;
    meets(&bob, &with_bob).await;
    with_bob
        .connect_model(&installation.model().base_url(), "sk-unused")
        .await;
    with_bob.ready().await;
    let secret = json!({"name": "Key", "kind": "api_key", "agent": "use", "value": "canary-0123456789"});
    let secret = with_bob.call("secret.set", secret).await["id"].clone();
    let route = json!({"name": "svc", "base_url": installation.model().base_url(), "secret": secret,
        "inject": {"as": "header", "name": "x-api-key", "prefix": ""}});
    with_bob.call("route.set", route).await;

    // His agent wants something. Without a second person he can allow nothing.
    let lunch = Canary::new("lunch");
    let body = json!({"lunch": lunch.text}).to_string();
    let call = json!({"service": "svc", "method": "POST", "path": "/things", "body": body});
    let words = format!("[[tool: holdfast__call_integration {call}]] [[say: asked]]");
    let conversation = with_bob.conversation().await;
    let turn = with_bob.send(&conversation, &words).await;
    let shown = first_of(&with_bob, "waiting", "waiting").await;
    let once = json!({"id": shown["id"], "hash": shown["hash"], "answer": {"answer": "once"}});
    let refused = with_bob.channel.call("approval.decide", once.clone()).await;
    assert_eq!(refused.expect_err("nobody is chosen").code(), Some("nobody_second"));

    // He compares digits with Anna, and chooses her.
    let annas = anna.me["user"]["id"].clone();
    let digits = with_anna.call("identity.get", json!({})).await["fingerprint"].clone();
    with_bob
        .call("contact.compared", json!({"user": annas, "fingerprint": digits}))
        .await;
    let choice = |on: bool| json!({"on": on, "people": [annas]});
    with_bob.call("approval.choose_seconds", choice(true)).await;
    let off = with_bob.channel.call("approval.choose_seconds", choice(false)).await;
    assert_eq!(off.expect_err("it is demanded").code(), Some("second_demanded"));

    // He allows it, and Anna sees all of it, and agrees; then it is done.
    let decided = with_bob.call("approval.decide", once).await;
    assert_eq!(decided["state"], "awaits_second");
    let asked = first_of(&with_anna, "asked", "waiting").await;
    assert_eq!(
        (&asked["name"], &asked["action"]["body"]),
        (&json!("Bob"), &json!(body))
    );
    let still = with_bob.call("approval.list", json!({})).await;
    assert_eq!(still["decided"][0]["state"], "awaits_second", "one person is not two");
    let answer = json!({"user": asked["user"], "id": asked["id"], "hash": asked["hash"], "allow": true});
    with_anna.call("approval.answer_as_second", answer).await;
    with_bob.turn_event(&turn, "saved").await;
    let done = first_of(&with_bob, "decided", "used").await;
    assert_eq!(done["seconded"]["allowed"], true);
    for (session, why) in [(&with_anna, "as the second person"), (&with_bob, "the second person")] {
        let activity = session.call("activity.list", json!({})).await.to_string();
        assert!(activity.contains(why), "{activity}");
    }

    // Nothing of it is where the platform writes.
    let mut search = Search::new(&[lunch]);
    search.folder(installation.data_dir());
    assert!(search.searched() > 1_000_000);
    assert!(search.found().is_empty(), "{:?}", search.found());
}

#[tokio::test]
async fn promise_07_a_demand_for_a_second_person_reaches_a_vault_that_is_open_over_no_new_channel() {
    let installation = Installation::start().await;
    let anna = installation.owner().await;
    let bob = installation.member(&anna, "Bob", "bob@example.org").await;
    let with_bob = opened(&bob, PASSWORD).await;
    let second = async || with_bob.call("approval.list", json!({})).await["second"]["demanded"].clone();
    assert_eq!(second().await, false);
    let demand = json!({"second_person": true});
    assert_eq!(anna.put("/api/v1/policy", &demand).await.ok()["second_person"], true);
    let at_once = Duration::from_secs(5);
    wait_until("it is demanded", at_once, async || {
        (second().await == true).then_some(())
    })
    .await;
}
