//! What needs a fresh proof of a way in, and what counts as one.

use client::{Channel, ClientError, ClientSecret, NewSlot, password_secret};
use protocol::SlotId;
use protocol::channel::SlotKind;
use serde_json::json;

use super::bench::{TestKeeper, password, refused};
use super::ways_in::phrase_slot;

const FIVE_MINUTES: i64 = 5 * 60 * 1000;

/// A channel that was resumed: its client has proved nothing but that it has a ticket.
async fn resumed(keeper: &TestKeeper, channel: &Channel) -> Channel {
    let ticket = channel.ticket().unwrap();
    let mut handshake = keeper.handshake(Some(channel.known())).await;
    handshake.resume(&ticket).await.unwrap().0
}

async fn adds_a_phrase(channel: &Channel) -> Result<SlotId, ClientError> {
    channel.add_slot(phrase_slot(&client::Phrase::random().secret())).await
}

fn assert_asks_for_proof<T>(outcome: Result<T, ClientError>) {
    assert_eq!(refused(outcome).code(), Some("proof_needed"));
}

#[tokio::test]
async fn ways_in_are_added_and_removed_only_after_a_fresh_proof() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    // Logging in was one; five minutes later it is none any more.
    keeper.clock.forward(FIVE_MINUTES - 1);
    let phrase = adds_a_phrase(&channel).await.unwrap();
    keeper.clock.forward(1);
    assert_asks_for_proof(channel.remove_slot(phrase).await);
    assert_asks_for_proof(adds_a_phrase(&channel).await);
    assert_eq!(
        channel.call("vault.status", json!({})).await.unwrap()["proof_until"],
        json!(null)
    );

    channel.prove(slot, &password()).await.unwrap();
    let until = channel.call("vault.status", json!({})).await.unwrap()["proof_until"].clone();
    assert_eq!(until, json!(2 * FIVE_MINUTES));
    channel.remove_slot(phrase).await.unwrap();
    adds_a_phrase(&channel).await.unwrap();
    // A clock that is set back makes no proof of an old one.
    keeper.clock.forward(-FIVE_MINUTES);
    assert_asks_for_proof(adds_a_phrase(&channel).await);
}

#[tokio::test]
async fn a_proof_is_good_on_its_own_channel_only() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let other = resumed(&keeper, &channel).await;
    assert_asks_for_proof(adds_a_phrase(&other).await);
    other.prove(slot, &password()).await.unwrap();
    adds_a_phrase(&other).await.unwrap();
    // What was asked on one channel is not finished on another.
    let third = resumed(&keeper, &other).await;
    let (login, request) = vault::opaque::ClientLogin::start(&password()).unwrap();
    let params = json!({"slot": slot, "request": protocol::b64::encode(request)});
    let answer = other.call("slot.prove_start", params).await.unwrap();
    let response = protocol::b64::decode(answer["response"].as_str().unwrap()).unwrap();
    let names = vault::opaque::Names {
        cell: keeper.cell.uuid(),
        slot: slot.uuid(),
    };
    let finish = login.finish(&response, &names).unwrap().finish;
    let params = json!({"slot": slot, "finish": protocol::b64::encode(finish)});
    assert!(third.call("slot.prove_finish", params.clone()).await.is_err());
    assert_asks_for_proof(adds_a_phrase(&third).await);
    // And it is finished once.
    other.call("slot.prove_finish", params.clone()).await.unwrap();
    assert!(other.call("slot.prove_finish", params).await.is_err());
}

#[tokio::test]
async fn a_proof_ends_with_a_lock_and_with_its_slot() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let phrase = client::Phrase::random().secret();
    let phrase_id = channel.add_slot(phrase_slot(&phrase)).await.unwrap();
    let (second, _more) = keeper.login(phrase_id, &phrase, None).await.unwrap();
    second.unlock().await.unwrap();
    let third = resumed(&keeper, &second).await;
    third.prove(phrase_id, &phrase).await.unwrap();
    // The phrase is taken away by the one who came in with the password: it proves nothing any more.
    let replaced = resumed(&keeper, &channel).await;
    replaced.prove(phrase_id, &phrase).await.unwrap();
    channel.remove_slot(phrase_id).await.unwrap();
    assert_asks_for_proof(adds_a_phrase(&replaced).await);

    replaced.prove(slot, &password()).await.unwrap();
    keeper
        .vault
        .lock(keeper::vault_service::LockReason::Asked)
        .await
        .unwrap();
    let (again, _events_again) = keeper.login(slot, &password(), None).await.unwrap();
    again.unlock().await.unwrap();
    assert_asks_for_proof(adds_a_phrase(&replaced).await);
    adds_a_phrase(&again).await.unwrap();
}

#[tokio::test]
async fn a_wrong_secret_proves_nothing_and_is_counted() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let other = resumed(&keeper, &channel).await;
    let wrong = password_secret("a guess").unwrap();
    for _ in 0..4 {
        let error = refused(other.prove(slot, &wrong).await);
        assert!(matches!(error, ClientError::WrongSecretOrKeeper { .. }), "{error}");
    }
    assert_eq!(refused(other.prove(slot, &wrong).await).code(), Some("backoff"));
    assert_asks_for_proof(adds_a_phrase(&other).await);
    // It is the same count as that of the front door.
    let error = refused(keeper.login(slot, &password(), None).await);
    assert_eq!(error.code(), Some("backoff"));
}

/// A password in place of the old one.
fn new_password(secret: &ClientSecret, replaces: SlotId) -> NewSlot<'_> {
    NewSlot {
        kind: SlotKind::Password,
        name: None,
        passkey: None,
        secret,
        replaces: Some(replaces),
    }
}

#[tokio::test]
async fn a_new_password_ends_the_old_one_and_changes_nothing_but_the_wrap() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.vault.put_record("chat/x", b"kept").await.unwrap();
    let before = keeper.vault.sealer("test").unwrap();
    let sealed = before.seal("x", 1, b"sealed before").unwrap();
    let secret = password_secret("another password").unwrap();
    let new = channel.add_slot(new_password(&secret, slot)).await.unwrap();
    assert_eq!(
        refused(keeper.login(slot, &password(), None).await).code(),
        Some("unknown_slot")
    );
    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(new, &secret, None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(&**keeper.vault.get_record("chat/x").unwrap().unwrap(), b"kept");
    // The same data key: what was sealed before opens.
    assert_eq!(
        &**keeper.vault.sealer("test").unwrap().open("x", 1, &sealed).unwrap(),
        b"sealed before"
    );
}
