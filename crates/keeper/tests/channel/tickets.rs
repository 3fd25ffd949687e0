use client::ClientError;
use keeper::vault_service::LockReason;
use protocol::channel::{SlotKind, VaultState};
use serde_json::json;

use super::bench::{TestKeeper, password, refused};

#[tokio::test]
async fn a_ticket_brings_a_client_back_without_the_password_once() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let ticket = channel.ticket().unwrap();
    let known = channel.known();
    drop(channel);
    let (back, _events) = keeper
        .handshake(Some(known.clone()))
        .await
        .resume(&ticket)
        .await
        .unwrap();
    assert_eq!(back.vault(), VaultState::Unlocked);
    assert_eq!(back.call("test.echo", json!(3)).await.unwrap(), json!(3));
    // It cannot open a vault: it has no key.
    assert!(matches!(back.unlock().await, Err(ClientError::NoKey)));
    let next = back.ticket().unwrap();
    assert!(keeper.handshake(None).await.resume(&next).await.is_ok());
}

#[tokio::test]
async fn promise_02_a_stale_ticket_is_refused() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let used = channel.ticket().unwrap();
    let (back, _more) = keeper.handshake(None).await.resume(&used).await.unwrap();
    back.call("test.echo", json!(1)).await.unwrap();
    let again = keeper.handshake(None).await.resume(&used).await;
    assert_eq!(refused(again).code(), Some("ticket_unknown"), "used before");

    let before_lock = back.ticket().unwrap();
    keeper.vault.lock(LockReason::Asked).await.unwrap();
    let locked = keeper.handshake(None).await.resume(&before_lock).await;
    assert_eq!(refused(locked).code(), Some("ticket_unknown"), "the vault is locked");
    let (channel, _again) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    let unlocked_again = keeper.handshake(None).await.resume(&before_lock).await;
    assert_eq!(
        refused(unlocked_again).code(),
        Some("ticket_unknown"),
        "it was locked since"
    );

    let (second, _events) = keeper.login(slot, &password(), None).await.unwrap();
    let of_old_slot = second.ticket().unwrap();
    let own = channel.ticket().unwrap();
    let secret = client::password_secret("a new one").unwrap();
    channel
        .add_slot(client::NewSlot {
            kind: SlotKind::Password,
            name: None,
            passkey: None,
            secret: &secret,
            replaces: Some(slot),
        })
        .await
        .unwrap();
    for stale in [&of_old_slot, &own] {
        let replaced = keeper.handshake(None).await.resume(stale).await;
        assert_eq!(
            refused(replaced).code(),
            Some("ticket_unknown"),
            "its slot was replaced"
        );
    }
    // Whoever replaced it was given a new one.
    let fresh = channel.ticket().unwrap();
    assert!(keeper.handshake(None).await.resume(&fresh).await.is_ok());
}

#[tokio::test]
async fn a_client_that_was_left_before_it_spoke_comes_back_with_the_same_ticket() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let ticket = channel.ticket().unwrap();
    let left = keeper.handshake(None).await.resume(&ticket).await.unwrap();
    drop(left);
    let (back, _events) = keeper.handshake(None).await.resume(&ticket).await.unwrap();
    assert_eq!(back.call("test.echo", json!(1)).await.unwrap(), json!(1));
}

#[tokio::test]
async fn promise_02_of_two_channels_with_one_ticket_only_the_first_to_speak_is_answered() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let ticket = channel.ticket().unwrap();
    let (one, _events) = keeper.handshake(None).await.resume(&ticket).await.unwrap();
    let (other, _more) = keeper.handshake(None).await.resume(&ticket).await.unwrap();
    assert_eq!(other.call("test.echo", json!(1)).await.unwrap(), json!(1));
    assert!(matches!(
        one.call("test.echo", json!(1)).await,
        Err(ClientError::Closed(_))
    ));
    assert_eq!(other.call("test.echo", json!(2)).await.unwrap(), json!(2));
}

#[tokio::test]
async fn promise_02_a_ticket_without_its_secret_opens_nothing() {
    use super::middle::{rewrite, through};
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let ticket = channel.ticket().unwrap();
    // The platform answers with a nonce of its own: the two ends come to different keys.
    let socket = through(&keeper, |_, message| {
        let other = rewrite(&message, "resumed", |value| {
            value["nonce"] = json!(protocol::b64::encode([9; 32]));
        });
        vec![other.unwrap_or(message)]
    })
    .await;
    let outcome = client::Handshake::open(socket, None)
        .await
        .unwrap()
        .resume(&ticket)
        .await;
    assert!(matches!(refused(outcome), ClientError::Unproved));
}
