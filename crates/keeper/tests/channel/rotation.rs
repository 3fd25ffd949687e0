//! Changing the vault's key, from the outside.

use client::{Channel, ClientError, Known};
use serde_json::json;
use vault::VaultFile;

use super::bench::{TestKeeper, password, refused};
use super::slots::edit_header;
use super::ways_in::phrase_slot;

async fn rotate(channel: &Channel) {
    channel.call("vault.rotate", json!({})).await.unwrap();
}

#[tokio::test]
async fn promise_05_every_way_in_opens_the_vault_after_its_key_was_changed_and_nothing_is_lost() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let phrase = client::Phrase::random().secret();
    let by_phrase = channel.add_slot(phrase_slot(&phrase)).await.unwrap();
    keeper.vault.put_record("chat/one", b"a word").await.unwrap();
    let sealer = keeper.vault.sealer("test").unwrap();
    let sealed = sealer.seal("x", 1, b"before").unwrap();
    let local_key = channel.unlock().await.unwrap().local_key;

    keeper.clock.forward(5 * 60 * 1000);
    assert_eq!(
        refused(channel.call("vault.rotate", json!({})).await).code(),
        Some("proof_needed")
    );
    channel.prove(slot, &password()).await.unwrap();
    rotate(&channel).await;
    // What was sealed before opens; what is sealed now is under the new key; handles go on.
    assert_eq!(&**sealer.open("x", 1, &sealed).unwrap(), b"before");
    let newer = sealer.seal("x", 2, b"after").unwrap();
    assert_ne!(sealed[1..17], newer[1..17], "the key's id");
    assert!(
        sealer
            .is_chunk_id(b"chunk", &sealer.chunk_id(b"chunk").unwrap())
            .unwrap()
    );
    // A second change waits for the end of the first.
    let again = refused(channel.call("vault.rotate", json!({})).await);
    assert_eq!(again.code(), Some("rotation_unfinished"));

    let keeper = keeper.restarted().await;
    for (slot, secret) in [(slot, password()), (by_phrase, phrase)] {
        let (channel, _events) = keeper.login(slot, &secret, None).await.unwrap();
        let opened = channel.unlock().await.unwrap();
        assert!(
            opened.local_key.expose() == local_key.expose(),
            "what clients keep stays readable"
        );
        let status = channel.call("vault.status", json!({})).await.unwrap();
        assert_eq!(status["rotation"]["unfinished"], json!(true));
        assert_eq!(&**keeper.vault.get_record("chat/one").unwrap().unwrap(), b"a word");
        assert_eq!(
            &**keeper.vault.sealer("test").unwrap().open("x", 1, &sealed).unwrap(),
            b"before"
        );
        keeper
            .vault
            .lock(keeper::vault_service::LockReason::Asked)
            .await
            .unwrap();
    }

    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    let number = keeper.vault.unfinished_rotation().unwrap().unwrap();
    let sealer = keeper.vault.sealer("test").unwrap();
    keeper.vault.finish_rotation(number + 1).await.unwrap();
    assert!(
        sealer.open("x", 1, &sealed).is_ok(),
        "another one's end is not this one's"
    );
    keeper.vault.finish_rotation(number).await.unwrap();
    assert!(sealer.open("x", 1, &sealed).is_err(), "the old key is gone");
    assert_eq!(&**sealer.open("x", 2, &newer).unwrap(), b"after");
    rotate(&channel).await;
}

#[tokio::test]
async fn promise_05_a_keeper_killed_before_the_changed_vault_took_its_place_has_the_one_before() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.vault.put_record("chat/one", b"a word").await.unwrap();
    let before = std::fs::read(keeper.folder().join("vault")).unwrap();
    rotate(&channel).await;
    let after = std::fs::read(keeper.folder().join("vault")).unwrap();
    // Any part of the new file is beside the old one, which is in force.
    for length in [0, 20, after.len() / 2, after.len()] {
        let folder = tempfile::tempdir().unwrap();
        let volume = folder.path().join("vault");
        std::fs::create_dir(&volume).unwrap();
        std::fs::write(volume.join("vault"), &before).unwrap();
        std::fs::write(volume.join("vault.new"), &after[..length]).unwrap();
        let clock: std::sync::Arc<super::bench::StillClock> = std::sync::Arc::default();
        let vault = keeper::vault_service::VaultService::open(&volume, clock).unwrap();
        assert_eq!(vault.cell().unwrap(), keeper.cell);
        assert!(!volume.join("vault.new").exists());
    }
    let keeper = keeper
        .restarted_after(|folder| std::fs::write(folder.join("vault"), &before).unwrap())
        .await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(keeper.vault.unfinished_rotation().unwrap(), None);
    assert_eq!(&**keeper.vault.get_record("chat/one").unwrap().unwrap(), b"a word");
}

#[tokio::test]
async fn promise_02_a_vault_of_before_its_key_was_changed_is_refused_after_it() {
    let (keeper, slot, channel, mut events) = TestKeeper::with_vault().await;
    let old = std::fs::read(keeper.folder().join("vault")).unwrap();
    rotate(&channel).await;
    let newest = keeper.vault.epoch().unwrap();
    while channel.known().epoch < newest {
        events.next().await.unwrap().unwrap();
    }
    let known: Known = channel.known();
    drop(channel);
    // The whole file set back: the client has seen a newer one.
    let keeper = keeper
        .restarted_after(|folder| std::fs::write(folder.join("vault"), &old).unwrap())
        .await;
    let (channel, _events) = keeper.login(slot, &password(), Some(known)).await.unwrap();
    let error = refused(channel.unlock().await);
    assert!(matches!(error, ClientError::RolledBack { .. }), "{error}");
}

#[tokio::test]
async fn promise_02_a_wrapped_key_of_before_the_change_does_not_fit_the_vault_of_after_it() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let read = |keeper: &TestKeeper| {
        let bytes = std::fs::read(keeper.folder().join("vault")).unwrap();
        let length = u32::from_be_bytes(bytes[15..19].try_into().unwrap()) as usize;
        serde_json::from_slice::<serde_json::Value>(&bytes[19..19 + length]).unwrap()
    };
    let old = read(&keeper);
    rotate(&channel).await;
    drop(channel);
    let keeper = keeper
        .restarted_after(|folder| {
            edit_header(&folder.join("vault"), |header| {
                header["slots"][0]["wrapped_key"] = old["slots"][0]["wrapped_key"].clone();
            });
        })
        .await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    // It opens, but to a key that this vault is not made with.
    assert_eq!(refused(channel.unlock().await).code(), Some("vault_refused"));
    // With the old key check too it is still not the old vault: the sealed part is of the new one.
    let keeper = keeper
        .restarted_after(|folder| {
            edit_header(&folder.join("vault"), |header| {
                header["key_check"] = old["key_check"].clone()
            });
        })
        .await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    assert_eq!(refused(channel.unlock().await).code(), Some("vault_refused"));
}

#[tokio::test]
async fn a_removed_way_in_and_an_old_data_key_do_not_open_what_came_after() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let phrase = client::Phrase::random().secret();
    let by_phrase = channel.add_slot(phrase_slot(&phrase)).await.unwrap();
    let with_it = VaultFile::decode(&std::fs::read(keeper.folder().join("vault")).unwrap()).unwrap();
    channel.remove_slot(by_phrase).await.unwrap();
    rotate(&channel).await;
    let after = VaultFile::decode(&std::fs::read(keeper.folder().join("vault")).unwrap()).unwrap();
    assert!(with_it.slot(by_phrase.uuid()).is_ok());
    assert!(after.slot(by_phrase.uuid()).is_err());
}

#[tokio::test]
async fn an_old_key_is_changed_by_itself_at_the_next_unlocking() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let policy = |days: u32| json!({"lock_after_minutes": null, "rotate_after_days": days});
    for days in [1, 3651] {
        let error = refused(channel.call("vault.set_policy", policy(days)).await);
        assert_eq!(error.code(), Some("out_of_range"));
        assert!(error.to_string().contains("ROTATE_AFTER_MOST"), "{error}");
    }
    channel.call("vault.set_policy", policy(30)).await.unwrap();
    for (passed, expected) in [(29 * DAY, false), (DAY, true)] {
        keeper
            .vault
            .lock(keeper::vault_service::LockReason::Asked)
            .await
            .unwrap();
        keeper.clock.forward(passed);
        let (channel, mut events) = keeper.login(slot, &password(), None).await.unwrap();
        let opened = channel.unlock().await.unwrap().epoch;
        // The use of the slot is one write, the change of the key the next.
        let last = opened + 1 + u64::from(expected);
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.event == "vault" && event.data["epoch"] == json!(last) {
                break;
            }
        }
        assert_eq!(keeper.vault.unfinished_rotation().unwrap().is_some(), expected);
    }
}
