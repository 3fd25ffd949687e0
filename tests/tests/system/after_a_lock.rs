//! A keeper whose vault is locked holds nothing of it in its memory: read by root, from a real keeper that used what it held.

use client::Phrase;
use protocol::channel::SlotKind;
use serde_json::json;
use system_tests::canary::Canary;
use system_tests::docker::{Part, container, pid};
use system_tests::{Installation, Person, Still, memory};

/// Comes in by the phrase and unlocks; the key of what clients keep, which is derived from the vault's.
async fn local_key(owner: &Person, phrase: &str) -> Canary {
    let mut handshake = owner.dial(None).await.expect("the channel opens");
    let slots = &handshake.hello().slots;
    let slot = slots.iter().find(|slot| slot.kind == SlotKind::RecoveryPhrase);
    let slot = slot.expect("there is a phrase").id;
    let secret = Phrase::parse(phrase).expect("a phrase").secret();
    let (channel, _events) = handshake.login(slot, &secret).await.expect("the phrase is right");
    let unlocked = channel.unlock().await.expect("the vault opens");
    let canary = Canary::of_bytes("the key of what clients keep", unlocked.local_key.expose());
    channel.close().await;
    canary
}

#[tokio::test]
async fn promise_01_after_a_lock_nothing_of_the_vault_is_left_in_the_keepers_memory() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let password = Canary::new("password");
    let vault = owner.make_vault(&password.text).await;
    let phrase = Canary::of("phrase", &vault.phrase);
    let session = vault.session;
    let (key, name, value) = (Canary::new("sk-"), Canary::new("name"), Canary::new("value"));
    session.connect_model(&installation.model().base_url(), &key.text).await;
    session.ready().await;
    let local_key = local_key(&owner, &phrase.text).await;

    // The secret is stored, shown, changed, used by the agent through its keeper, and taken away in a backup.
    let new = json!({"name": name.text, "kind": "api_key", "agent": "use", "value": value.text});
    let id = session.call("secret.set", new).await["id"].clone();
    let route = json!({"name": "tracker", "base_url": installation.model().base_url(), "secret": id,
        "inject": {"as": "header", "name": "authorization", "prefix": "Bearer "}});
    session.call("route.set", route).await;
    let shown = session.call("secret.reveal", json!({"id": id})).await;
    assert_eq!(shown["value"], value.text.as_str());
    let conversation = session.conversation().await;
    let port = protocol::bridge::BROKER_PORT;
    let command = format!("curl --silent --fail http://127.0.0.1:{port}/x/tracker/models");
    let tool = format!("[[tool: exec {}]] [[say: used]]", json!({ "command": command }));
    session.ask(&conversation, &tool).await;
    let used = session.call("activity.list", json!({"class": "agent"})).await;
    assert!(used.to_string().contains("secret_used"), "{used:#}");
    session.backup().await;

    // While it is open, root finds it: so the search works.
    let keeper = pid(&container(owner.cell(), Part::Keeper).expect("the keeper runs"));
    let secrets = [password, phrase, key, name, value, local_key];
    let (found, searched) = memory::search(keeper, &secrets).await;
    assert!(searched > 1_000_000, "only {searched} bytes of memory were searched");
    for canary in ["sk-", "name", "value"] {
        let there = found.iter().any(|found| found.starts_with(canary));
        assert!(there, "{canary} is not in the memory of an open keeper: {found:#?}");
    }

    // Locked. The platform, which would remove the keeper now, stands still, so the keeper stays.
    session.call("vault.lock", json!({})).await;
    let still = Still::hold(installation.server_pid());
    // Tasks of the channel and of the broker end by themselves: what is left is what is found at the third look.
    let mut left = Vec::new();
    for _ in 0..3 {
        (left, _) = memory::search(keeper, &secrets).await;
        if left.is_empty() {
            break;
        }
    }
    drop(still);
    assert!(left.is_empty(), "after a lock: {left:#?}");
}
