//! What whoever has the volume can do to a vault that is locked: nothing that goes unnoticed.

use client::{NewSlot, Phrase};
use protocol::channel::SlotKind;
use serde_json::Value;

use super::bench::{TestKeeper, password, refused};

/// Rewrites the header of the vault file, which is in clear.
pub fn edit_header(file: &std::path::Path, edit: impl FnOnce(&mut Value)) {
    let bytes = std::fs::read(file).unwrap();
    let length = u32::from_be_bytes(bytes[15..19].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[19..19 + length]).unwrap();
    edit(&mut header);
    let json = serde_json::to_vec(&header).unwrap();
    let length = u32::try_from(json.len()).unwrap().to_be_bytes();
    let sealed = &bytes[19 + u32::from_be_bytes(bytes[15..19].try_into().unwrap()) as usize..];
    std::fs::write(file, [&bytes[..15], &length, &json, sealed].concat()).unwrap();
}

fn swap(slots: &mut Value, field: &str) {
    let first = slots[0][field].take();
    let second = slots[1][field].take();
    slots[0][field] = second;
    slots[1][field] = first;
}

#[tokio::test]
async fn promise_02_swapped_or_edited_slots_are_refused_by_name_and_nothing_is_overwritten() {
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit, &[&str]); 6] = [
        (
            "wrapped keys swapped",
            |header| swap(&mut header["slots"], "wrapped_key"),
            &["wrong_key"],
        ),
        ("ids swapped", |header| swap(&mut header["slots"], "id"), &["wrong"]),
        (
            "kinds swapped",
            |header| swap(&mut header["slots"], "kind"),
            &["wrong_key"],
        ),
        (
            "registrations swapped",
            |header| swap(&mut header["slots"], "registration"),
            &["wrong"],
        ),
        (
            "a slot taken away",
            |header| {
                header["slots"].as_array_mut().unwrap().pop();
            },
            &["vault_refused"],
        ),
        (
            "the epoch raised",
            |header| header["epoch"] = 1000.into(),
            &["vault_refused"],
        ),
    ];
    let (mut keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let phrase = Phrase::random();
    let new = NewSlot {
        kind: SlotKind::RecoveryPhrase,
        name: None,
        passkey: None,
        secret: &phrase.secret(),
        replaces: None,
    };
    channel.add_slot(new).await.unwrap();
    let original = std::fs::read(keeper.folder().join("vault")).unwrap();
    for (name, edit, codes) in edits {
        keeper.clock.forward(60 * 60 * 1000);
        keeper = keeper
            .restarted_after(|folder| {
                std::fs::write(folder.join("vault"), &original).unwrap();
                edit_header(&folder.join("vault"), edit);
            })
            .await;
        let before = std::fs::read(keeper.folder().join("vault")).unwrap();
        let code = match keeper.login(slot, &password(), None).await {
            Err(error) => {
                assert!(
                    matches!(error, client::ClientError::WrongSecretOrKeeper { .. }),
                    "{name}: {error}"
                );
                "wrong".to_owned()
            }
            Ok((channel, _events)) => {
                let error = refused(channel.unlock().await);
                // Nothing can be written into a vault that does not open.
                assert!(keeper.vault.put_record("chat/x", b"x").await.is_err());
                error.code().unwrap_or_default().to_owned()
            }
        };
        assert!(codes.contains(&code.as_str()), "{name}: {code}");
        assert_eq!(std::fs::read(keeper.folder().join("vault")).unwrap(), before, "{name}");
    }
}

#[tokio::test]
async fn promise_02_a_slot_planted_by_whoever_has_the_volume_opens_nothing() {
    // A vault of the attacker's own making, for the same cell, with a password that he knows.
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    drop(channel);
    let cell = keeper.cell.uuid();
    let setup_and_slot = std::sync::Mutex::new(None);
    let keeper = keeper
        .restarted_after(|folder| {
            let file = vault::VaultFile::decode(&std::fs::read(folder.join("vault")).unwrap()).unwrap();
            let setup = file.server_setup().unwrap();
            let slot = protocol::SlotId::new();
            let names = vault::opaque::Names {
                cell,
                slot: slot.uuid(),
            };
            let secret = client::password_secret("the attacker's").unwrap();
            let (registration, request) = vault::opaque::ClientRegistration::start(&secret).unwrap();
            let response = setup.registration_response(&request, &names).unwrap();
            let registered = registration.finish(&response, &names).unwrap();
            edit_header(&folder.join("vault"), |header| {
                let mut planted = header["slots"][0].clone();
                planted["id"] = serde_json::json!(slot);
                planted["registration"] = serde_json::json!(protocol::b64::encode(&registered.record));
                let kek = vault::keys::kek(&registered.export_key, slot.uuid());
                let wrapped = vault::wrap_data_key(
                    &vault::DataKey::random(),
                    &kek,
                    slot.uuid(),
                    vault::SlotKind::Password,
                    cell,
                );
                planted["wrapped_key"] = serde_json::json!(protocol::b64::encode(wrapped));
                header["slots"].as_array_mut().unwrap().push(planted);
            });
            *setup_and_slot.lock().unwrap() = Some((slot, secret));
        })
        .await;
    let (slot, secret) = setup_and_slot.into_inner().unwrap().unwrap();
    let (channel, _events) = keeper.login(slot, &secret, None).await.unwrap();
    assert_eq!(refused(channel.unlock().await).code(), Some("vault_refused"));
    assert_eq!(keeper.vault.state(), protocol::channel::VaultState::Locked);
}
