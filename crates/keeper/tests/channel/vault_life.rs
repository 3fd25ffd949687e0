use std::sync::Arc;

use client::{ClientError, Handshake, Phrase, password_secret};
use futures::future::BoxFuture;
use keeper::vault_service::{BeforeLock, LockReason, VaultError, VaultService};
use protocol::channel::{SlotKind, VaultState};
use serde_json::json;
use tokio::sync::Semaphore;

use super::bench::{PASSWORD, TestKeeper, password, refused};

#[tokio::test]
async fn a_vault_made_with_the_claim_opens_again_after_a_restart_with_what_was_put_in() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let made = channel.unlock().await.unwrap();
    keeper.vault.put_record("chat/one", b"a word").await.unwrap();
    let known = channel.known();
    assert_eq!(keeper.vault.claim(), None);

    let keeper = keeper.restarted().await;
    assert_eq!(keeper.vault.state(), VaultState::Locked);
    assert!(matches!(keeper.vault.get_record("chat/one"), Err(VaultError::Locked)));
    let (channel, _events) = keeper.login(slot, &password(), Some(known)).await.unwrap();
    let opened = channel.unlock().await.unwrap();
    assert!(opened.local_key.expose() == made.local_key.expose());
    // The record, and that the slot was used.
    assert!(opened.epoch > made.epoch);
    assert_eq!(
        keeper.vault.get_record("chat/one").unwrap().unwrap().as_slice(),
        b"a word"
    );
}

#[tokio::test]
async fn a_vault_is_made_only_with_the_claim_and_only_once() {
    let keeper = TestKeeper::new().await;
    let mut handshake = keeper.handshake(None).await;
    let wrong = handshake.register(&[7; 32], SlotKind::Password, &password()).await;
    assert_eq!(refused(wrong).code(), Some("claim_refused"));
    let claim = keeper.claim();
    let registered = handshake
        .register(&claim, SlotKind::Password, &password())
        .await
        .unwrap();
    let (channel, _events) = handshake.login(registered.slot, &password()).await.unwrap();
    let early = channel.call("model.get", json!({})).await;
    assert_eq!(refused(early).code(), Some("vault_new"));
    channel.create_vault().await.unwrap();
    assert_eq!(refused(channel.create_vault().await).code(), Some("vault_exists"));

    let mut late = keeper.handshake(None).await;
    assert_eq!(late.hello().vault, VaultState::Unlocked);
    let again = late.register(&claim, SlotKind::Password, &password()).await;
    assert_eq!(refused(again).code(), Some("vault_exists"));
}

#[tokio::test]
async fn nothing_but_opening_it_is_answered_while_the_vault_is_locked() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    let (fresh, _events) = keeper.login(slot, &password(), None).await.unwrap();
    for channel in [&channel, &fresh] {
        for method in [
            "test.echo",
            "model.get",
            "slot.register_start",
            "vault.lock",
            "chat.list",
        ] {
            let outcome = channel.call(method, json!({})).await;
            assert_eq!(refused(outcome).code(), Some("vault_locked"), "{method}");
        }
        let status = channel.call("vault.status", json!({})).await.unwrap();
        assert_eq!(status["vault"], "locked");
        assert_eq!(status["epoch"], json!(null));
    }
    fresh.unlock().await.unwrap();
    assert_eq!(channel.call("test.echo", json!(1)).await.unwrap(), json!(1));
}

/// Sealing that takes until it is let go on.
struct Sealing {
    begun: Semaphore,
    go_on: Semaphore,
    saves: bool,
}

impl BeforeLock for Sealing {
    fn before_lock(&self, _: LockReason) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            self.begun.add_permits(1);
            self.go_on.acquire().await.unwrap().forget();
            self.saves
        })
    }
}

#[tokio::test]
async fn who_comes_back_while_the_vault_is_being_locked_is_let_in_after_it_and_not_thrown_out() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let sealing = Arc::new(Sealing {
        begun: Semaphore::new(0),
        go_on: Semaphore::new(0),
        saves: true,
    });
    keeper.vault.before_lock(Arc::clone(&sealing) as Arc<dyn BeforeLock>);
    let locking = async {
        channel.call("vault.lock", json!({})).await.unwrap();
    };
    let coming_back = async {
        sealing.begun.acquire().await.unwrap().forget();
        let (back, _events) = keeper.login(slot, &password(), None).await.unwrap();
        let let_in = async {
            back.unlock().await.unwrap();
            back.call("test.echo", json!(1)).await.unwrap()
        };
        // The keeper answers this one after it has taken up the other.
        let meanwhile = async {
            let status = back.call("vault.status", json!({})).await.unwrap();
            assert_eq!(status["vault"], "unlocked");
            sealing.go_on.add_permits(1);
        };
        tokio::join!(let_in, meanwhile).0
    };
    let ((), echo) = tokio::join!(locking, coming_back);
    assert_eq!(echo, json!(1));
    assert_eq!(keeper.vault.state(), VaultState::Unlocked);
}

#[tokio::test]
async fn nothing_is_answered_before_hello_and_nothing_of_another_version() {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;

    let keeper = TestKeeper::new().await;
    let first = [
        (
            r#"{"type":"login_start","slot":"0198a2c4-0000-7000-8000-000000000001","request":""}"#,
            "malformed",
        ),
        (r#"{"type":"hello","version":2}"#, "version"),
        (r#"{"type":"hello"}"#, "malformed"),
        ("hello", "malformed"),
    ];
    for (message, code) in first {
        let mut socket = keeper.connect().await;
        socket.send(Message::text(message)).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap();
        let answer: serde_json::Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
        assert_eq!(answer["code"], code, "{message}");
        let Some(Ok(Message::Close(Some(close)))) = socket.next().await else {
            panic!("it was not closed after {message}");
        };
        assert_eq!(u16::from(close.code), 4000);
    }
}

#[tokio::test]
async fn the_phrase_opens_the_vault_and_replaces_a_forgotten_password() {
    let (keeper, slot, channel, mut events) = TestKeeper::with_vault().await;
    let phrase = Phrase::random();
    let phrase_slot = channel
        .add_slot(client::NewSlot {
            kind: SlotKind::RecoveryPhrase,
            name: None,
            passkey: None,
            secret: &phrase.secret(),
            replaces: None,
        })
        .await
        .unwrap();
    let status = channel.call("vault.status", json!({})).await.unwrap();
    assert_eq!(status["phrase_confirmed"], json!(false));
    channel
        .call("slot.confirm_phrase", json!({"slot": phrase_slot}))
        .await
        .unwrap();

    let (by_phrase, _other) = keeper.login(phrase_slot, &phrase.secret(), None).await.unwrap();
    by_phrase.unlock().await.unwrap();
    let status = by_phrase.call("vault.status", json!({})).await.unwrap();
    assert_eq!(status["phrase_confirmed"], json!(true));
    let new_password = password_secret("another one altogether").unwrap();
    let replaced = by_phrase
        .add_slot(client::NewSlot {
            kind: SlotKind::Password,
            name: None,
            passkey: None,
            secret: &new_password,
            replaces: Some(slot),
        })
        .await
        .unwrap();

    let end = super::bench::end_of(&mut events).await;
    assert!(
        matches!(&end, ClientError::Closed(Some(reason)) if reason.contains("replaced")),
        "whoever came in with the old password has to leave: {end}"
    );
    assert_eq!(
        refused(keeper.login(slot, &password(), None).await).code(),
        Some("unknown_slot")
    );
    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(replaced, &new_password, None).await.unwrap();
    channel.unlock().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_may_be_tried_again_on_the_same_connection() {
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    let mut handshake = keeper.handshake(None).await;
    let wrong = refused(handshake.login(slot, &password_secret("wrong").unwrap()).await);
    assert!(matches!(
        wrong,
        ClientError::WrongSecretOrKeeper {
            retry_after_ms: Some(0)
        }
    ));
    assert!(handshake.login(slot, &password()).await.is_ok());
}

#[tokio::test]
async fn the_model_s_key_is_kept_in_the_vault_and_never_told() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    assert_eq!(
        channel.call("model.get", json!({})).await.unwrap(),
        json!({"configured": false})
    );
    let settings = json!({"kind": "openai", "base_url": "https://models.example/v1", "key": "sk-canary", "model": "m"});
    channel.call("model.set", settings).await.unwrap();
    let told = channel.call("model.get", json!({})).await.unwrap();
    assert_eq!(
        told,
        json!({"configured": true, "kind": "openai", "base_url": "https://models.example/v1", "model": "m"})
    );
    // Without a key the one stored stays, but only for the address that it belongs to.
    let other_model = json!({"kind": "openai", "base_url": "https://models.example/v1", "model": "n"});
    channel.call("model.set", other_model).await.unwrap();
    let elsewhere = json!({"kind": "openai", "base_url": "https://elsewhere.example/v1", "model": "n"});
    let outcome = channel.call("model.set", elsewhere).await;
    assert_eq!(refused(outcome).code(), Some("model_invalid"));

    let keeper = keeper.restarted().await;
    for entry in std::fs::read_dir(keeper.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for canary in ["sk-canary", "models.example", PASSWORD] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()));
        }
    }
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    use secrecy::ExposeSecret as _;
    let stored = keeper.vault.model().unwrap().unwrap();
    assert_eq!(stored.key.expose_secret(), "sk-canary");
    assert_eq!(stored.model, "n");
}

#[tokio::test]
async fn a_volume_of_another_cell_is_refused_and_so_is_a_second_keeper_on_it() {
    let (keeper, ..) = TestKeeper::with_vault().await;
    let wrong = keeper.vault.bind_cell(protocol::CellId::new()).await;
    assert!(matches!(wrong, Err(VaultError::WrongCell)));
    let second = VaultService::open(&keeper.folder(), std::sync::Arc::new(keeper::clock::SystemClock));
    assert!(matches!(second, Err(VaultError::InUse)));
}

#[tokio::test]
async fn a_write_that_fails_changes_nothing_and_what_it_left_is_dropped() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.vault.put_record("chat/kept", b"kept").await.unwrap();
    let obstacle = keeper.folder().join("vault.new");
    std::fs::create_dir(&obstacle).unwrap();
    let failed = keeper.vault.put_record("chat/lost", b"lost").await;
    assert!(matches!(failed, Err(VaultError::Disk(_))));
    assert_eq!(keeper.vault.get_record("chat/lost").unwrap(), None);
    let epoch = keeper.vault.epoch();
    std::fs::remove_dir(&obstacle).unwrap();
    keeper.vault.put_record("chat/next", b"next").await.unwrap();
    assert_eq!(keeper.vault.epoch(), epoch.map(|epoch| epoch + 1));
    let known = channel.known();

    let keeper = keeper
        .restarted_after(|folder| std::fs::write(folder.join("vault.new"), b"half a va").unwrap())
        .await;
    // Looked at before the vault is opened: that a slot was used is a write of its own.
    assert!(!keeper.folder().join("vault.new").exists());
    let (channel, _events) = keeper.login(slot, &password(), Some(known)).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(keeper.vault.list_records("chat/").unwrap(), ["chat/kept", "chat/next"]);
}

#[tokio::test]
async fn a_file_that_is_not_understood_is_refused_and_left_alone() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("vault");
    for content in [
        &b""[..],
        b"not a vault",
        b"holdfast-vault\x02\0\0\0\x02{}",
        b"holdfast-vault\x01\0\0\0\xff{}",
    ] {
        std::fs::write(&file, content).unwrap();
        let opened = VaultService::open(dir.path(), std::sync::Arc::new(keeper::clock::SystemClock));
        assert!(matches!(opened, Err(VaultError::Refused(_))));
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
}

#[tokio::test]
async fn a_client_that_expects_another_cell_says_so() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let mut known = channel.known();
    known.cell = protocol::CellId::new();
    let outcome = Handshake::open(keeper.connect().await, Some(known)).await;
    assert!(matches!(refused(outcome), ClientError::AnotherCell { .. }));
}

#[tokio::test]
async fn a_lock_before_which_not_all_was_saved_says_so_to_who_asked_and_to_everybody_else() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let (_other, mut events) = keeper.login(slot, &password(), None).await.unwrap();
    keeper.vault.before_lock(Arc::new(Sealing {
        begun: Semaphore::new(0),
        go_on: Semaphore::new(1),
        saves: false,
    }));
    let answer = channel.call("vault.lock", json!({})).await.unwrap();
    assert_eq!(answer["saved"], false);
    let told = loop {
        let event = events.next().await.unwrap().unwrap();
        if event.data["vault"] == "locked" {
            break event.data;
        }
    };
    assert_eq!(told, json!({"vault": "locked", "reason": "asked", "saved": false}));
}
