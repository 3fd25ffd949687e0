//! Identities and contacts: whose keys are whose, and a platform that hands out others.

use protocol::{SlotId, UserId, b64};
use serde_json::{Value, json};
use vault::opaque::{ClientLogin, Names};
use vault::{Identity, Kek, VaultFile};

use super::bench::{TestKeeper, password, refused};

fn bundle(identity: &Identity) -> String {
    b64::encode(identity.public().encode())
}

/// Logs in to the file itself: whoever has the volume and the password can.
fn kek_of(file: &VaultFile, slot: SlotId) -> Kek {
    let names = Names {
        cell: file.cell().unwrap(),
        slot: slot.uuid(),
    };
    let (login, request) = ClientLogin::start(&password()).unwrap();
    let registration = file.slot(slot.uuid()).unwrap().registration().unwrap();
    let setup = file.server_setup().unwrap();
    let (_, response) = setup.login_response(&registration, &request, &names).unwrap();
    let proved = login.finish(&response, &names).unwrap();
    vault::keys::kek(&proved.export_key, slot.uuid())
}

#[tokio::test]
async fn a_vault_has_an_identity_that_stays_the_same() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let made = channel.call("identity.get", json!({})).await.unwrap();
    assert_eq!(made["fingerprint"].as_str().unwrap().split(' ').count(), 8);
    drop(channel);
    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(channel.call("identity.get", json!({})).await.unwrap(), made);
}

#[tokio::test]
async fn a_vault_that_is_older_than_identities_gets_one_when_it_is_unlocked() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    drop(channel);
    let keeper = keeper
        .restarted_after(|folder| {
            let path = folder.join("vault");
            let file = VaultFile::decode(&std::fs::read(&path).unwrap()).unwrap();
            let (data_key, mut body) = file.open(slot.uuid(), &kek_of(&file, slot)).unwrap();
            assert!(body.delete("vault/identity"), "it was made with the vault");
            body.epoch += 1;
            let older = file.written(&data_key, &body, vault::SlotChange::default()).unwrap();
            std::fs::write(&path, older.encode()).unwrap();
        })
        .await;
    let (channel, mut events) = keeper.login(slot, &password(), None).await.unwrap();
    let epoch = channel.unlock().await.unwrap().epoch;
    // It is written by itself, without being asked for.
    loop {
        let event = events.next().await.unwrap().unwrap();
        if event.event == "vault" && event.data["epoch"].as_u64() > Some(epoch) {
            break;
        }
    }
    let made = channel.call("identity.get", json!({})).await.unwrap();
    drop((channel, events));
    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(channel.call("identity.get", json!({})).await.unwrap(), made);
}

#[tokio::test]
async fn promise_02_other_keys_under_a_known_name_are_refused_until_the_person_forgets_the_old_ones() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let (bob, mallory) = (Identity::random(), Identity::random());
    let user = UserId::new();
    let pin = |identity: &Identity| json!({"user": user, "name": "Bob", "bundle": bundle(identity)});
    let pinned = channel.call("contact.pin", pin(&bob)).await.unwrap();
    assert_eq!(pinned["fingerprint"], bob.public().fingerprint());
    assert_eq!(pinned["compared_at"], Value::Null);
    // The same keys again change nothing; others are named as what they are.
    assert_eq!(channel.call("contact.pin", pin(&bob)).await.unwrap(), pinned);
    let error = refused(channel.call("contact.pin", pin(&mallory)).await);
    assert_eq!(error.code(), Some("identity_changed"));
    assert!(error.to_string().contains(&mallory.public().fingerprint()), "{error}");
    // Keys of the one and of the other mixed are nobody's.
    let (one, other) = (bob.public().encode(), mallory.public().encode());
    let mixed = b64::encode([&one[..33], &other[33..]].concat());
    let mixed = json!({"user": UserId::new(), "name": "Bob", "bundle": mixed});
    assert_eq!(
        refused(channel.call("contact.pin", mixed).await).code(),
        Some("identity_refused")
    );
    // What was compared must be what is kept.
    let compared = |identity: &Identity| json!({"user": user, "fingerprint": identity.public().fingerprint()});
    assert_eq!(
        refused(channel.call("contact.compared", compared(&mallory)).await).code(),
        Some("fingerprint_differs")
    );
    channel.call("contact.compared", compared(&bob)).await.unwrap();
    // It is remembered through a restart.
    drop(channel);
    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(
        refused(channel.call("contact.pin", pin(&mallory)).await).code(),
        Some("identity_changed")
    );
    let list = channel.call("contact.list", json!({})).await.unwrap();
    assert_eq!(list["contacts"][0]["compared_at"], 0);
    channel.call("contact.forget", json!({"user": user})).await.unwrap();
    let pinned = channel.call("contact.pin", pin(&mallory)).await.unwrap();
    assert_eq!(pinned["compared_at"], Value::Null, "new keys were not compared yet");
}

#[tokio::test]
async fn one_s_own_keys_are_no_contact() {
    let (_keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let own = channel.call("identity.get", json!({})).await.unwrap();
    let pin = json!({"user": UserId::new(), "name": "Somebody", "bundle": own["bundle"]});
    assert_eq!(
        refused(channel.call("contact.pin", pin).await).code(),
        Some("own_identity")
    );
}
