use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use protocol::relay::MailboxKey;
use protocol::{CapabilityId, UserId};
use vault::Identity;

use super::liar::{Liar, Lie};
use super::person::Person;
use crate::clock::SystemClock;
use crate::contacts::Contacts;
use crate::limits::{RELAY_ANSWER, RELAY_SILENCE, RELAY_STRANGERS};
use crate::relay::records::{To, put_to};
use crate::relay::service::Asked;
use crate::relay::{Courier as _, Outgoing, RelayError, RelayNotice, Revocations as _, Standing, Topic};
use crate::vault_service::LockReason;

#[tokio::test]
async fn messages_arrive_in_order_and_once_and_are_gone_from_the_relay() {
    let relay = Liar::start(Lie::Honest);
    let (ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    for number in 0..5_u8 {
        ada.send(&bob, &[number]).await;
    }
    for number in 0..5 {
        let received = bob.arriving.recv().await.unwrap();
        assert_eq!(
            (received.content.as_slice(), &received.from),
            (&[number][..], &ada.identity)
        );
        received.ack(Vec::new()).await.unwrap();
    }
    // The relay's word that it took them may come later than they do.
    while !ada.vault.list_records("relay/out/").unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_large_message_goes_in_parts_and_an_empty_one_goes_too() {
    let relay = Liar::start(Lie::Honest);
    let (ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    let large: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    ada.send(&bob, &large).await;
    ada.send(&bob, b"").await;
    assert_eq!(bob.take().await, large);
    assert_eq!(bob.take().await, b"");
}

#[tokio::test]
async fn promise_05_what_was_sent_before_the_relay_is_there_goes_when_it_is() {
    let relay = Liar::start(Lie::Honest);
    let mut bob = Person::at(&relay.socket).await;
    let nowhere = relay.socket.with_file_name("nowhere.sock");
    let mut ada = Person::at(&nowhere).await;
    let sent = ada.send(&bob, b"early").await;
    ada.restart(&relay.socket).await;
    assert_eq!(bob.take().await, b"early");
    ada.until(|notice| (*notice == RelayNotice::Accepted { id: sent }).then_some(()))
        .await;
}

#[tokio::test]
async fn a_message_of_a_topic_that_is_not_known_here_is_let_go_and_what_follows_it_arrives() {
    let relay = Liar::start(Lie::Honest);
    let mut bob = Person::at(&relay.socket).await;
    let mut ada = Person::at(&relay.socket.with_file_name("nowhere.sock")).await;
    ada.send(&bob, b"of a later version").await;
    let name = ada.vault.list_records("relay/out/").unwrap().remove(0);
    let out = String::from_utf8(ada.vault.get_record(&name).unwrap().unwrap().to_vec()).unwrap();
    let later = out.replace(r#""topic":1,"#, r#""topic":3,"#);
    assert_ne!(later, out);
    ada.vault.put_record(&name, later.as_bytes()).await.unwrap();
    ada.send(&bob, b"known").await;
    ada.restart(&relay.socket).await;
    assert_eq!(bob.take().await, b"known");
    // Nor does it wait at the relay.
    while relay.waiting(bob.key()) > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_message_that_nobody_could_take_is_given_to_whoever_can_later() {
    let relay = Liar::start(Lie::Honest);
    let (mut ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    ada.send(&bob, b"connected").await;
    bob.take().await;
    bob.follows(&ada, &[]).await;
    bob.arriving.close();
    let sent = ada.send(&bob, b"early").await;
    ada.until(|notice| (*notice == RelayNotice::Accepted { id: sent }).then_some(()))
        .await;
    // What comes after it on the same connection.
    ada.relay.publish(vec![CapabilityId::new()], Vec::new()).await.unwrap();
    bob.until(|notice| matches!(notice, RelayNotice::Revoked { .. }).then_some(()))
        .await;
    bob.arriving = bob.relay.receive(Topic::Sharing);
    assert_eq!(bob.take().await, b"early");
}

#[tokio::test]
async fn promise_05_a_message_comes_again_until_it_was_taken_and_then_never() {
    let relay = Liar::start(Lie::Honest);
    let (ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    ada.send(&bob, b"one").await;
    let lost = bob.arriving.recv().await.unwrap();
    bob.restart(&relay.socket).await;
    // What it was handed to is gone: it was not taken.
    assert!(lost.ack(Vec::new()).await.is_err());
    relay.now(Lie::Keep);
    let record = vec![("sharing/test".to_owned(), Some(b"done".to_vec()))];
    assert_eq!(bob.take_with(record).await, b"one");
    assert_eq!(
        bob.vault.get_record("sharing/test").unwrap().unwrap().as_slice(),
        b"done"
    );

    // The relay brings again what was acknowledged: it is seen that it is old.
    ada.send(&bob, b"two").await;
    assert_eq!(bob.take().await, b"two");
    bob.restart(&relay.socket).await;
    assert_eq!(relay.waiting(bob.key()), 2);
    ada.send(&bob, b"three").await;
    assert_eq!(bob.take().await, b"three");
}

#[tokio::test]
async fn promise_05_what_was_given_up_before_it_was_written_down_is_not_written_and_comes_again() {
    let relay = Liar::start(Lie::Honest);
    let (ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    ada.send(&bob, b"one").await;
    ada.send(&bob, b"two").await;
    let record = |value: &[u8]| vec![("sharing/test".to_owned(), Some(value.to_vec()))];
    let received = bob.arriving.recv().await.unwrap();
    // It is on its way to be written down, and whoever took it does not wait for that.
    assert!(received.ack(record(b"late")).now_or_never().is_none());
    assert_eq!(bob.take_with(record(b"in time")).await, b"one");
    assert_eq!(bob.take().await, b"two");
    let written = bob.vault.get_record("sharing/test").unwrap().unwrap();
    assert_eq!(written.as_slice(), b"in time");
}

#[tokio::test]
async fn a_message_that_is_refused_is_lost_and_said_to_be_and_the_next_one_arrives() {
    let relay = Liar::start(Lie::Refuse(2));
    let (mut ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    ada.send(&bob, b"one").await;
    let refused = ada.send(&bob, b"two").await;
    ada.send(&bob, b"three").await;
    let lost = ada
        .until(|notice| match notice {
            RelayNotice::Lost { id, .. } => Some(*id),
            _ => None,
        })
        .await;
    assert_eq!(lost, refused);
    assert_eq!(bob.take().await, b"one");
    assert_eq!(bob.take().await, b"three");
    // Nothing is missing: the sender says that it has given it up.
    assert!(bob.notices.is_empty());
}

#[tokio::test]
async fn a_locked_vault_receives_nothing() {
    let relay = Liar::start(Lie::Honest);
    let (ada, bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    bob.vault.lock(LockReason::Asked).await.unwrap();
    let mut ada = ada;
    let id = ada.send(&bob, b"one").await;
    ada.until(|notice| (*notice == RelayNotice::Accepted { id }).then_some(()))
        .await;
    assert_eq!(relay.waiting(bob.key()), 1);
    assert!(bob.arriving.is_empty());
}

#[tokio::test]
async fn promise_02_a_lock_ends_a_connection_whose_relay_reads_no_more() {
    let relay = Liar::start(Lie::Honest);
    let (ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    ada.send(&bob, b"one").await;
    assert_eq!(bob.take().await, b"one");
    relay.now(Lie::Deaf);
    // More than a socket holds, each to somebody else: one receiver has one on its way.
    for _ in 0..20 {
        let message = Outgoing {
            to: Identity::random().public(),
            topic: Topic::Sharing,
            content: vec![0; 60_000].into(),
            with: Vec::new(),
        };
        ada.relay.send(message).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        ada.relay.shared.ask(Asked::Unfollow(bob.key())).is_ok(),
        "it is connected"
    );
    ada.vault.lock(LockReason::Asked).await.unwrap();
    let ended = async {
        while ada.relay.shared.ask(Asked::Unfollow(bob.key())).is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Sooner than a relay is given up that does not answer.
    let ended = tokio::time::timeout(RELAY_ANSWER / 2, ended).await;
    ended.expect("nothing of an open vault is left with the relay");
}

#[tokio::test]
async fn a_relay_that_reads_no_more_is_left_and_the_next_connection_goes_on() {
    let relay = Liar::start(Lie::Honest);
    let (mut ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    bob.send(&ada, b"one").await;
    let held = ada.arriving.recv().await.unwrap();

    relay.now(Lie::Deaf);
    // More questions than a socket holds.
    let capability = CapabilityId::new();
    let questions = (0..5_000).map(|_| ada.relay.check(bob.key(), capability));
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        held.ack(Vec::new()).await
    };
    let (answers, acknowledged) = tokio::join!(join_all(questions), later);
    assert!(matches!(answers.last(), Some(Err(RelayError::Unreachable))));
    assert!(matches!(acknowledged, Err(RelayError::Unreachable | RelayError::Ended)));

    relay.now(Lie::Honest);
    ada.send(&bob, b"two").await;
    let two = tokio::time::timeout(Duration::from_secs(60), bob.take()).await;
    assert_eq!(two.expect("a new connection carries it"), b"two");
}

/// Until it is so, with the relay.
async fn until(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    waited.expect("in a minute");
}

#[tokio::test]
async fn promise_05_what_a_relay_takes_without_a_word_is_sent_again() {
    let relay = Liar::start(Lie::Honest);
    let (ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    ada.send(&bob, b"one").await;
    assert_eq!(bob.take().await, b"one");
    relay.now(Lie::Mute);
    ada.send(&bob, b"two").await;
    until(|| relay.swallowed() > 0).await;
    relay.now(Lie::Honest);
    let two = tokio::time::timeout(Duration::from_secs(60), bob.take()).await;
    assert_eq!(two.expect("a new connection carries it"), b"two");
}

#[tokio::test]
async fn a_revocation_that_a_relay_takes_without_a_word_is_told_again() {
    let relay = Liar::start(Lie::Honest);
    let (mut ada, bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    bob.send(&ada, b"one").await;
    assert_eq!(ada.take().await, b"one");
    relay.now(Lie::Mute);
    let revoked = CapabilityId::new();
    bob.relay.publish(vec![revoked], Vec::new()).await.unwrap();
    until(|| relay.swallowed() > 0).await;
    relay.now(Lie::Honest);
    let known = async {
        while !matches!(ada.relay.check(bob.key(), revoked).await, Ok(Standing::Revoked)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let known = tokio::time::timeout(Duration::from_secs(60), known).await;
    known.expect("a new connection carries it");
}

#[tokio::test]
async fn a_relay_of_which_nothing_is_heard_any_more_is_left() {
    let relay = Liar::start(Lie::Honest);
    let (mut ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    let sent = ada.send(&bob, b"one").await;
    assert_eq!(bob.take().await, b"one");
    // Nothing is under way any more.
    ada.until(|notice| (*notice == RelayNotice::Accepted { id: sent }).then_some(()))
        .await;
    let before = relay.connections();
    tokio::time::pause();
    tokio::time::advance(RELAY_SILENCE + Duration::from_secs(2)).await;
    tokio::time::resume();
    until(|| relay.connections() > before).await;
    ada.send(&bob, b"two").await;
    assert_eq!(bob.take().await, b"two");
}

#[tokio::test]
async fn promise_12_strangers_of_whom_one_message_came_fill_no_vault() {
    let relay = Liar::start(Lie::Honest);
    let (ada, mut bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    let (carol, dora) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    let contacts = Contacts::new(bob.vault.clone(), Arc::new(SystemClock));
    contacts
        .pin(UserId::new(), "Ada", &ada.identity.encode())
        .await
        .unwrap();
    bob.follows(&dora, &[]).await;
    // Ada is a contact, Dora is followed; all others have sent one message, as nobody knows when.
    let name = |of: &str, key: &MailboxKey| {
        let key: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("relay/{of}/{key}")
    };
    let from = br#"{"v":1,"stream":1,"last":1,"link":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#.to_vec();
    let strangers: Vec<_> = (0..RELAY_STRANGERS as u64)
        .map(|number| MailboxKey([number.to_be_bytes(); 4].concat().try_into().unwrap()))
        .collect();
    let all = strangers
        .iter()
        .chain([&ada, &dora].map(Person::key).iter())
        .map(|key| (name("from", key), Some(from.clone())))
        .collect();
    bob.vault.put_records(all).await.unwrap();
    let to = To::new(&carol.identity, 0);
    for stranger in &strangers[..2] {
        bob.vault.put_records(vec![put_to(stranger, &to)]).await.unwrap();
    }

    carol.send(&bob, b"hello").await;
    assert_eq!(bob.take().await, b"hello");
    let is_there = |of: &str, key: &MailboxKey| bob.vault.get_record(&name(of, key)).unwrap().is_some();
    assert_eq!(
        bob.vault.list_records("relay/from/").unwrap().len(),
        RELAY_STRANGERS + 2
    );
    assert!(is_there("from", &ada.key()) && is_there("from", &dora.key()) && is_there("from", &carol.key()));
    assert!(!is_there("from", &strangers[0]) && !is_there("to", &strangers[0]));
    assert!(is_there("from", &strangers[1]) && is_there("to", &strangers[1]));
}
