//! Taking secrets out of the vault.

use keeper::limits;
use serde_json::{Value, json};

use super::bench::{PASSWORD, TestKeeper, password, refused};

async fn export(channel: &client::Channel) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = channel
            .call("secret.export", json!({"form": "sealed", "after": after}))
            .await
            .unwrap();
        all.extend(page["secrets"].as_array().unwrap().clone());
        after = page["next"].clone();
        if after.is_null() {
            return all;
        }
    }
}

#[tokio::test]
async fn all_secrets_are_exported_in_parts_that_fit_and_it_is_noted_once() {
    let (_keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    // The worst that a value can be: each byte of it is six of JSON.
    let worst = "\u{1}".repeat(limits::SECRET_VALUE_BYTES);
    for n in 0..4 {
        let secret = json!({"name": format!("worst {n}"), "kind": "text", "agent": "nothing", "value": worst});
        channel.call("secret.set", secret).await.unwrap();
    }
    let many: Vec<_> = (0..200)
        .map(|n| json!({"name": format!("login {n}"), "kind": "login", "agent": "see", "username": "anna", "url": "https://example.org", "value": "x".repeat(4000)}))
        .collect();
    // In two calls: one message to the keeper has a limit, too.
    for half in many.chunks(100) {
        channel
            .call("secret.add", json!({"secrets": half, "from": "a test"}))
            .await
            .unwrap();
    }
    let exported = export(&channel).await;
    assert_eq!(exported.len(), 204);
    assert_eq!(exported[0]["value"], worst);
    assert_eq!(
        exported[203],
        json!({"name": "login 199", "kind": "login", "username": "anna", "url": "https://example.org", "value": "x".repeat(4000)})
    );
    let told = channel.call("activity.list", json!({"class": "person"})).await.unwrap();
    let entry = &told["entries"][0];
    assert_eq!(
        (&entry["what"], &entry["to"], &entry["why"], &entry["count"]),
        (
            &json!("secrets_exported"),
            &json!("an encrypted file"),
            &json!("204 secrets"),
            &json!(1)
        )
    );
}

#[tokio::test]
async fn promise_07_secrets_are_not_exported_at_a_screen_that_was_left_open() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let secret = json!({"name": "GitHub", "kind": "api_key", "agent": "nothing", "value": "canary-0123456789"});
    channel.call("secret.set", secret).await.unwrap();
    keeper
        .clock
        .forward(i64::try_from(limits::PROOF_LIFE.as_millis()).unwrap());
    for form in ["sealed", "json", "env"] {
        let error = refused(channel.call("secret.export", json!({"form": form})).await);
        assert_eq!(error.code(), Some("proof_needed"));
        assert!(!error.to_string().contains("canary"));
    }
    let told = channel.call("activity.list", json!({})).await.unwrap().to_string();
    assert!(
        !told.contains("secrets_exported"),
        "what was refused was not done: {told}"
    );
    // Who came back with a ticket has proved nothing.
    let ticket = channel.ticket().unwrap();
    let (resumed, _events) = keeper.handshake(None).await.resume(&ticket).await.unwrap();
    let error = refused(resumed.call("secret.export", json!({"form": "sealed"})).await);
    assert_eq!(error.code(), Some("proof_needed"));
    let (fresh, _events) = keeper.login(slot, &password(), None).await.unwrap();
    assert_eq!(export(&fresh).await.len(), 1, "{PASSWORD} was shown a moment ago");
    let error = refused(fresh.call("secret.export", json!({"form": "postcard"})).await);
    assert_eq!(error.code(), Some("malformed"));
}
