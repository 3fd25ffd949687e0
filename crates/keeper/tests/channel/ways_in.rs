//! Passkeys, backup keys and the list of ways in.

use client::{BackupKey, ClientError, ClientSecret, Handshake, NewSlot, PasskeyRequest, passkey_secret};
use protocol::channel::SlotKind;
use serde_json::json;
use vault::{DataKey, SealKey, SecretBytes};

use super::bench::{TestKeeper, end_of, password, refused};
use super::middle::{rewrite, through};
use super::slots::edit_header;

pub fn phrase_slot(secret: &ClientSecret) -> NewSlot<'_> {
    NewSlot {
        kind: SlotKind::RecoveryPhrase,
        name: None,
        passkey: None,
        secret,
        replaces: None,
    }
}

/// What an authenticator does for the channel: a secret of its own for each salt and site.
struct Authenticator {
    key: SealKey,
    request: PasskeyRequest,
}

impl Authenticator {
    fn new() -> Self {
        Self {
            key: SealKey::new(&DataKey::random(), "authenticator"),
            request: PasskeyRequest {
                credential_id: vault::random_bytes::<64>().to_vec(),
                prf_salt: vault::random_bytes::<32>().to_vec(),
                rp_id: "agents.example.org".to_owned(),
            },
        }
    }

    fn secret(&self, asked: &PasskeyRequest) -> ClientSecret {
        let place = [asked.rp_id.as_bytes(), &asked.prf_salt].concat();
        let output = SecretBytes::take(&mut self.key.content_id(&place));
        passkey_secret(&output, &asked.prf_salt, &asked.rp_id)
    }
}

async fn add_passkey(channel: &client::Channel, name: &str, authenticator: &Authenticator) -> protocol::SlotId {
    let new = NewSlot {
        kind: SlotKind::Passkey,
        name: Some(name),
        passkey: Some(authenticator.request.clone()),
        secret: &authenticator.secret(&authenticator.request),
        replaces: None,
    };
    channel.add_slot(new).await.unwrap()
}

#[tokio::test]
async fn several_passkeys_open_the_vault_and_are_listed_named_and_removed() {
    let (keeper, first, channel, _events) = TestKeeper::with_vault().await;
    let (phone, laptop) = (Authenticator::new(), Authenticator::new());
    keeper.clock.forward(1000);
    let of_phone = add_passkey(&channel, "Phone", &phone).await;
    let of_laptop = add_passkey(&channel, "  Lap\ntop ", &laptop).await;
    let keeper = keeper.restarted().await;

    // The locked vault tells what a browser has to ask for; nothing else of how it is used.
    let mut handshake = keeper.handshake(None).await;
    let slots = handshake.hello().slots.clone();
    assert_eq!(
        slots
            .iter()
            .map(|slot| (slot.id, slot.name.as_str(), slot.created))
            .collect::<Vec<_>>(),
        [
            (first, "Password", Some(0)),
            (of_phone, "Phone", Some(1000)),
            (of_laptop, "Laptop", Some(1000))
        ]
    );
    let asked = slots[1].passkey.clone().unwrap();
    assert_eq!(asked, phone.request);
    let (channel, mut events) = handshake.login(of_phone, &phone.secret(&asked)).await.unwrap();
    channel.unlock().await.unwrap();
    // The use is written down.
    loop {
        let event = events.next().await.unwrap().unwrap();
        if event.event == "vault" && event.data["epoch"] == json!(4) {
            break;
        }
    }
    let status = channel.call("vault.status", json!({})).await.unwrap();
    assert_eq!(status["slots"][1]["last_used"], json!(1000));
    assert_eq!(status["slots"][2]["last_used"], json!(null));

    channel
        .call("slot.rename", json!({"slot": of_phone, "name": "Old phone"}))
        .await
        .unwrap();
    let error = refused(
        channel
            .call("slot.rename", json!({"slot": of_phone, "name": " \n"}))
            .await,
    );
    assert_eq!(error.code(), Some("name_empty"));
    channel.remove_slot(of_laptop).await.unwrap();
    let names: Vec<String> = keeper.vault.slots().into_iter().map(|slot| slot.name).collect();
    assert_eq!(names, ["Password", "Old phone"]);
    let outcome = keeper.login(of_laptop, &laptop.secret(&laptop.request), None).await;
    assert_eq!(refused(outcome).code(), Some("unknown_slot"));
}

#[tokio::test]
async fn a_removed_way_in_ends_the_channels_and_tickets_that_came_through_it() {
    let (keeper, first, channel, _events) = TestKeeper::with_vault().await;
    let key = BackupKey::parse(&BackupKey::random().text()).unwrap();
    let new = NewSlot {
        kind: SlotKind::BackupKey,
        name: Some("In the safe"),
        passkey: None,
        secret: &key.secret(),
        replaces: None,
    };
    let printed = channel.add_slot(new).await.unwrap();
    let (other, mut its_events) = keeper.login(printed, &key.secret(), None).await.unwrap();
    other.unlock().await.unwrap();
    let ticket = other.ticket().unwrap();
    channel.remove_slot(printed).await.unwrap();
    let end = end_of(&mut its_events).await;
    assert!(end.to_string().contains("replaced"), "{end}");
    let error = refused(keeper.handshake(None).await.resume(&ticket).await);
    assert_eq!(error.code(), Some("ticket_unknown"));

    assert_eq!(refused(channel.remove_slot(first).await).code(), Some("last_slot"));
    assert!(keeper.login(first, &password(), None).await.is_ok());
    assert_eq!(refused(channel.remove_slot(printed).await).code(), Some("unknown_slot"));
}

#[tokio::test]
async fn a_passkey_without_what_a_browser_needs_is_not_taken() {
    let (_keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let authenticator = Authenticator::new();
    let secret = authenticator.secret(&authenticator.request);
    let short_salt = PasskeyRequest {
        prf_salt: vec![1; 31],
        ..authenticator.request.clone()
    };
    let no_site = PasskeyRequest {
        rp_id: String::new(),
        ..authenticator.request.clone()
    };
    for (kind, passkey) in [
        (SlotKind::Passkey, None),
        (SlotKind::Passkey, Some(short_salt)),
        (SlotKind::Passkey, Some(no_site)),
        (SlotKind::BackupKey, Some(authenticator.request.clone())),
    ] {
        let new = NewSlot {
            kind,
            name: None,
            passkey,
            secret: &secret,
            replaces: None,
        };
        assert_eq!(refused(channel.add_slot(new).await).code(), Some("malformed"));
    }
}

#[tokio::test]
async fn promise_02_a_replaced_prf_salt_or_site_gets_a_secret_that_opens_nothing() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let phone = Authenticator::new();
    let slot = add_passkey(&channel, "Phone", &phone).await;
    let other = Authenticator::new();
    let edits = [
        json!({"prf_salt": protocol::b64::encode([9; 32])}),
        json!({"rp_id": "evil.example.org"}),
        // Somebody else's salt, so that what the authenticator gives could be of use there.
        json!({"prf_salt": protocol::b64::encode(&other.request.prf_salt)}),
    ];
    for edit in edits {
        let socket = through(&keeper, move |_, message| {
            let forged = rewrite(&message, "hello", |hello| {
                let slots = hello["slots"].as_array_mut().into_iter().flatten();
                for slot in slots.filter(|slot| slot["kind"] == "passkey") {
                    for (field, value) in edit.as_object().unwrap() {
                        slot["passkey"][field] = value.clone();
                    }
                }
            });
            vec![forged.unwrap_or(message)]
        })
        .await;
        let mut handshake = Handshake::open(socket, None).await.unwrap();
        let asked = handshake.hello().slots[1].passkey.clone().unwrap();
        let error = refused(handshake.login(slot, &phone.secret(&asked)).await);
        assert!(matches!(error, ClientError::WrongSecretOrKeeper { .. }), "{error}");
    }
    // And the right one is not used up by it.
    assert!(keeper.login(slot, &phone.secret(&phone.request), None).await.is_ok());
}

#[tokio::test]
async fn promise_02_a_slot_whose_public_part_was_changed_or_stripped_on_the_disk_is_refused() {
    type Edit = fn(&mut serde_json::Value);
    let edits: [(&str, Edit); 5] = [
        ("salt", |slot| {
            slot["passkey"]["prf_salt"] = json!(protocol::b64::encode([1; 32]))
        }),
        ("stripped", |slot| {
            slot.as_object_mut().unwrap().remove("passkey");
        }),
        ("site", |slot| slot["passkey"]["rp_id"] = json!("evil.example.org")),
        ("name", |slot| slot["name"] = json!("Password")),
        ("created", |slot| slot["created"] = json!(5)),
    ];
    let (mut keeper, first, channel, _events) = TestKeeper::with_vault().await;
    add_passkey(&channel, "Phone", &Authenticator::new()).await;
    let original = std::fs::read(keeper.folder().join("vault")).unwrap();
    for (name, edit) in edits {
        keeper = keeper
            .restarted_after(|folder| {
                std::fs::write(folder.join("vault"), &original).unwrap();
                edit_header(&folder.join("vault"), |header| edit(&mut header["slots"][1]));
            })
            .await;
        let changed = std::fs::read(keeper.folder().join("vault")).unwrap();
        let (channel, _events) = keeper.login(first, &password(), None).await.unwrap();
        assert_eq!(refused(channel.unlock().await).code(), Some("vault_refused"), "{name}");
        assert_eq!(std::fs::read(keeper.folder().join("vault")).unwrap(), changed, "{name}");
    }
}
