//! Named secrets and the activity, through the channel.

use keeper::vault_service::LockReason;
use serde_json::{Value, json};

use super::bench::{TestKeeper, password, refused};

const VALUE: &str = "ghp-canary-0123456789";

fn github() -> Value {
    json!({"name": "GitHub", "kind": "api_key", "agent": "use", "url": "https://github.com", "value": VALUE})
}

async fn activity(channel: &client::Channel) -> Vec<Value> {
    let told = channel.call("activity.list", json!({})).await.unwrap();
    told["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn promise_04_a_secret_is_told_only_to_whom_asks_to_see_it_and_each_time_is_noted() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let id = channel.call("secret.set", github()).await.unwrap()["id"].clone();
    let listed = channel.call("secret.list", json!({})).await.unwrap();
    let mut first = listed["secrets"][0].clone();
    first.as_object_mut().unwrap().remove("changed").unwrap();
    assert_eq!(
        first,
        json!({"id": id, "name": "GitHub", "kind": "api_key", "agent": "use", "username": "", "url": "https://github.com"})
    );
    assert_eq!(listed["more"], false);

    // Without a value the one stored stays.
    let renamed = json!({"id": id, "name": "GitHub, work", "kind": "api_key", "agent": "nothing"});
    channel.call("secret.set", renamed).await.unwrap();
    let revealed = channel.call("secret.reveal", json!({"id": id})).await.unwrap();
    assert_eq!(revealed, json!({"value": VALUE, "username": ""}));
    channel.call("secret.reveal", json!({"id": id})).await.unwrap();

    let seen = activity(&channel).await;
    assert_eq!(seen[0]["what"], "secret_revealed");
    assert_eq!(
        (&seen[0]["count"], &seen[0]["name"], &seen[0]["to"]),
        (&json!(2), &json!("GitHub, work"), &json!("you"))
    );
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(!seen.iter().any(|entry| entry.to_string().contains(VALUE)));

    // What was revealed is known after a sudden end, and nothing of it can be read on the disk.
    let keeper = keeper.restarted().await;
    for entry in std::fs::read_dir(keeper.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for canary in [VALUE, "GitHub", "secret_revealed"] {
            assert!(
                !bytes.windows(canary.len()).any(|window| window == canary.as_bytes()),
                "{canary}"
            );
        }
    }
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    for method in ["secret.list", "secret.reveal", "activity.list"] {
        let outcome = channel.call(method, json!({"id": id})).await;
        assert_eq!(refused(outcome).code(), Some("vault_locked"), "{method}");
    }
    channel.unlock().await.unwrap();
    assert_eq!(activity(&channel).await, seen);

    channel.call("secret.delete", json!({"id": id})).await.unwrap();
    let gone = channel.call("secret.reveal", json!({"id": id})).await;
    assert_eq!(refused(gone).code(), Some("unknown_secret"));
    assert_eq!(activity(&channel).await[0]["what"], "secret_deleted");
}

#[tokio::test]
async fn many_secrets_are_added_at_once_and_listed_in_pages() {
    let (_keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    for batch in 0..2 {
        let secrets: Vec<_> = (0..400)
            .map(|n| json!({"name": format!("{batch}-{n}"), "kind": "login", "agent": "nothing", "username": "anna", "value": "v"}))
            .collect();
        let added = channel
            .call("secret.add", json!({"secrets": secrets, "from": "Bitwarden"}))
            .await
            .unwrap();
        assert_eq!(added["ids"].as_array().unwrap().len(), 400);
    }
    let (mut names, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = channel.call("secret.list", json!({"after": after})).await.unwrap();
        let secrets = page["secrets"].as_array().unwrap();
        names.extend(secrets.iter().map(|secret| secret["name"].as_str().unwrap().to_owned()));
        after = secrets.last().unwrap()["id"].clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(
        (names.len(), names[0].as_str(), names[799].as_str()),
        (800, "0-0", "1-399")
    );
    let noted = activity(&channel).await;
    assert_eq!(noted.len(), 1);
    assert_eq!((&noted[0]["to"], &noted[0]["count"]), (&json!("Bitwarden"), &json!(2)));
}

#[tokio::test]
async fn promise_11_a_secret_that_is_none_is_refused_and_nothing_of_it_is_repeated() {
    let (_keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut secret = github();
        change(&mut secret);
        secret
    };
    let long = "x".repeat(keeper::limits::SECRET_VALUE_BYTES + 1);
    for (secret, code) in [
        (with(&|secret| secret["name"] = json!(" ")), "secret_invalid"),
        (
            with(&|secret| secret["name"] = json!("x".repeat(201))),
            "secret_invalid",
        ),
        (with(&|secret| secret["value"] = json!("")), "secret_invalid"),
        (with(&|secret| secret["value"] = json!(long)), "secret_invalid"),
        (with(&|secret| secret["value"] = Value::Null), "secret_invalid"),
        (
            with(&|secret| secret["url"] = json!("x".repeat(2001))),
            "secret_invalid",
        ),
        (with(&|secret| secret["kind"] = json!(VALUE)), "malformed"),
        (with(&|secret| secret["value"] = json!({"a": VALUE})), "malformed"),
        (json!([VALUE]), "malformed"),
    ] {
        // One bad secret among others: none is stored.
        let many = json!({"secrets": [github(), secret], "from": ""});
        for (method, params) in [("secret.set", secret), ("secret.add", many)] {
            let error = refused(channel.call(method, params).await);
            assert_eq!(error.code(), Some(code), "{method}: {error}");
            assert!(!error.to_string().contains(VALUE), "{error}");
        }
    }
    let listed = channel.call("secret.list", json!({})).await.unwrap();
    assert_eq!(listed, json!({"secrets": [], "more": false}));
}

#[tokio::test]
async fn what_was_noted_last_is_written_before_a_lock() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let id = channel.call("secret.set", github()).await.unwrap()["id"].clone();
    channel.call("secret.reveal", json!({"id": id})).await.unwrap();
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(activity(&channel).await.len(), 2);
}
