//! Secrets that the agent may see, and what it is told of its keeper.

use serde_json::{Value, json};

use super::agent_side::{Service, ok};
use super::bench::TestKeeper;
use keeper::vault_service::LockReason;

const SEEN: &str = "seen-canary-0123456789";
const USED: &str = "used-canary-0123456789";
const KEPT: &str = "kept-canary-0123456789";

async fn secret(channel: &client::Channel, name: &str, agent: &str, value: &str) -> String {
    let params = json!({"name": name, "kind": "login", "agent": agent, "username": "anna", "value": value});
    let added = channel.call("secret.set", params).await.unwrap();
    added["id"].as_str().unwrap().to_owned()
}

/// What the keeper answers a program in the agent's container: the status line, and the body.
async fn ask(keeper: &TestKeeper, body: &Value) -> (String, Value) {
    let answer = keeper.agent.ask("POST /secrets", &[], &body.to_string()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap())
}

fn for_ids(ids: &[&str]) -> Value {
    json!({"protocolVersion": 1, "provider": "holdfast", "ids": ids})
}

async fn noted(channel: &client::Channel, class: &str) -> Vec<Value> {
    let told = channel.call("activity.list", json!({"class": class})).await.unwrap();
    told["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn promise_04_the_agent_is_told_the_secrets_that_it_may_see_and_no_others_and_each_time_is_noted() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let seen = secret(&channel, "Bot", "see", SEEN).await;
    let used = secret(&channel, "GitHub", "use", USED).await;
    let kept = secret(&channel, "Bank", "nothing", KEPT).await;
    let unknown = uuid::Uuid::now_v7().to_string();
    let username = format!("{seen}#username");
    let (status, told) = ask(
        &keeper,
        &for_ids(&[&seen, &username, &used, &kept, &unknown, "../vault", "GitHub"]),
    )
    .await;
    assert!(status.contains("200"), "{status}");
    assert_eq!(told["protocolVersion"], 1);
    assert_eq!(told["values"], json!({&seen: SEEN, &username: "anna"}));
    // What it may not see looks as if it were not there.
    for id in [&used, &kept, &unknown, "../vault", "GitHub"] {
        assert_eq!(told["errors"][id], json!({"code": "NOT_FOUND"}), "{id}");
    }
    assert!(!told.to_string().contains(USED) && !told.to_string().contains(KEPT));

    let agent = noted(&channel, "agent").await;
    assert_eq!(
        (&agent[0]["what"], &agent[0]["secret"]),
        (&json!("secret_seen"), &json!(seen))
    );
    let refused = noted(&channel, "refused").await;
    let names: Vec<_> = refused.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"GitHub") && names.contains(&"Bank"), "{names:?}");

    // Its owner thinks better of it.
    let less = json!({"id": seen, "name": "Bot", "kind": "login", "agent": "use"});
    channel.call("secret.set", less).await.unwrap();
    let (_, told) = ask(&keeper, &for_ids(&[&seen])).await;
    assert_eq!(told["values"], json!({}));
}

#[tokio::test]
async fn promise_04_a_locked_vault_tells_the_agent_nothing() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let seen = secret(&channel, "Bot", "see", SEEN).await;
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    let (status, told) = ask(&keeper, &for_ids(&[&seen])).await;
    assert!(status.contains("503"), "{status}");
    assert_eq!(told["error"]["code"], "vault_locked");
    let words = told["error"]["message"].as_str().unwrap();
    assert!(words.ends_with("and stop: https://holdfast.example/"), "{words}");
    let (_, told) = ask(&keeper, &for_ids(&[])).await;
    assert_eq!(told["error"]["code"], "vault_locked");
}

#[tokio::test]
async fn promise_11_what_is_no_request_for_secrets_is_refused_by_name() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let seen = secret(&channel, "Bot", "see", SEEN).await;
    let many: Vec<_> = (0..=keeper::limits::SECRETS_ASKED).map(|_| seen.as_str()).collect();
    for (body, code) in [
        (json!({}), "malformed"),
        (json!({"protocolVersion": 2, "ids": [seen]}), "malformed"),
        (json!({"protocolVersion": 1, "ids": seen}), "malformed"),
        (for_ids(&many), "too_large"),
        (
            for_ids(&["x".repeat(keeper::limits::SECRETS_ASKED_BYTES).as_str()]),
            "too_large",
        ),
    ] {
        let (status, told) = ask(&keeper, &body).await;
        assert!(!status.contains("200"), "{status}");
        assert_eq!(told["error"]["code"], code, "{told}");
    }
    assert!(keeper.agent.get("/secrets").await.starts_with("HTTP/1.1 404"));
    assert_eq!(noted(&channel, "agent").await.len(), 0);
}

#[tokio::test]
async fn the_agent_is_told_its_services_and_what_it_may_see_by_name_and_never_by_value() {
    let service = Service::new(|_| ok(&[], "{}")).await;
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.named.set([service.at.to_string()]);
    assert!(keeper.guide.skill().unwrap().is_none());
    let used = secret(&channel, "GitHub", "use", USED).await;
    let kept = secret(&channel, "Bank", "nothing", KEPT).await;
    let route = |name: &str, secret: &str, about: &str| {
        json!({"name": name, "base_url": format!("{}/v1", service.base_url()), "secret": secret,
        "inject": {"as": "basic"}, "read_only": true, "about": about})
    };
    let about = "Issues and code | of `work`\n# Not a heading";
    channel.call("route.set", route("github", &used, about)).await.unwrap();
    channel.call("route.set", route("bank", &kept, "")).await.unwrap();
    let seen = secret(&channel, "Bot\n<b>", "see", SEEN).await;
    keeper.guide.changed().await;
    let skill = keeper.guide.skill().unwrap().unwrap();
    assert!(skill.starts_with("---\nname: holdfast\ndescription: \""), "{skill}");
    assert!(
        skill.contains("| github | `http://127.0.0.1:18790/x/github` | 127.0.0.1 (only GET and HEAD) | Issues and code   of  work  # Not a heading |"),
        "{skill}"
    );
    assert!(skill.contains(&format!("| Bot  b  | `{seen}` | anna |")), "{skill}");
    // What its secret does not allow is not offered.
    assert!(!skill.contains("bank") && !skill.contains("Bank"), "{skill}");
    for canary in [SEEN, USED, KEPT, "/v1", &used, &kept] {
        assert!(!skill.contains(canary), "{canary} in {skill}");
    }
    let listed = channel.call("route.list", json!({})).await.unwrap();
    assert_eq!(listed["routes"][1]["about"], about);

    channel.call("secret.delete", json!({"id": seen})).await.unwrap();
    channel.call("route.delete", json!({"name": "github"})).await.unwrap();
    keeper.guide.changed().await;
    assert!(keeper.guide.skill().unwrap().is_none());
}
