use std::time::Duration;

use protocol::CapabilityId;
use protocol::limits::EPOCH_REVOCATIONS;
use protocol::relay::epoch::EpochError;

use super::liar::{Liar, Lie};
use super::person::Person;
use crate::limits::{ISSUER_REVOKED, RELAY_ANSWER, RELAY_PUBLISH_AGAIN};
use crate::relay::{RelayError, RelayNotice, Revocations as _, Standing};

async fn two(lie: Lie) -> (Liar, Person, Person) {
    let relay = Liar::start(lie);
    let (ada, bob) = (Person::at(&relay.socket).await, Person::at(&relay.socket).await);
    // Both are connected once something has gone from the one to the other.
    let mut bob = bob;
    ada.send(&bob, b"hello").await;
    bob.take().await;
    (relay, ada, bob)
}

async fn revoked(bob: &mut Person) -> Vec<CapabilityId> {
    bob.until(|notice| match notice {
        RelayNotice::Revoked { capabilities, .. } => Some(capabilities.clone()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn promise_09_what_is_revoked_is_pushed_and_refused_and_stays_so_without_the_relay() {
    let (relay, ada, mut bob) = two(Lie::Honest).await;
    let (one, other) = (CapabilityId::new(), CapabilityId::new());
    assert_eq!(
        bob.relay.check(ada.key(), one).await.unwrap(),
        Standing::NotRevoked { as_of: 0 }
    );
    let with = vec![("sharing/test".to_owned(), Some(b"x".to_vec()))];
    ada.relay.publish(vec![one], with).await.unwrap();
    assert!(ada.vault.get_record("sharing/test").unwrap().is_some());
    assert_eq!(revoked(&mut bob).await, [one]);
    assert_eq!(bob.relay.check(ada.key(), one).await.unwrap(), Standing::Revoked);
    let standing = bob.relay.check(ada.key(), other).await.unwrap();
    assert!(matches!(standing, Standing::NotRevoked { as_of } if as_of > 0));
    bob.restart(&relay.socket.with_file_name("nowhere.sock")).await;
    assert_eq!(bob.relay.check(ada.key(), one).await.unwrap(), Standing::Revoked);
    // Unreachable means no.
    assert!(matches!(
        bob.relay.check(ada.key(), other).await,
        Err(RelayError::Unreachable)
    ));
}

#[tokio::test]
async fn promise_09_an_epoch_that_is_kept_back_is_noticed_and_every_check_says_no_until_it_is_there() {
    let (relay, ada, mut bob) = two(Lie::Skip(2)).await;
    bob.follows(&ada, &[]).await;
    let one = CapabilityId::new();
    for revoked in [vec![one], vec![CapabilityId::new()], Vec::new()] {
        ada.relay.publish(revoked, Vec::new()).await.unwrap();
    }
    bob.until(|notice| matches!(notice, RelayNotice::IssuerUnknown { .. }).then_some(()))
        .await;
    assert!(matches!(
        bob.relay.check(ada.key(), CapabilityId::new()).await,
        Err(RelayError::Epoch(_))
    ));
    // Nor is it forgotten at the next start, when the relay shows no later one and says that what Bob has is all that there is.
    relay.now(Lie::SkipAndSay(2));
    bob.restart(&relay.socket).await;
    ada.send(&bob, b"connected").await;
    bob.take().await;
    assert!(matches!(
        bob.relay.check(ada.key(), CapabilityId::new()).await,
        Err(RelayError::Epoch(EpochError::Gap { last: 1, .. }))
    ));
    assert!(bob.relay.has_seen_revoked(ada.key(), CapabilityId::new()).unwrap());
    // What is only doubted is not thrown away.
    assert!(bob.relay.is_revoked_for_good(ada.key(), one).unwrap());
    assert!(!bob.relay.is_revoked_for_good(ada.key(), CapabilityId::new()).unwrap());
    // Until all that was signed is there.
    relay.now(Lie::Honest);
    bob.restart(&relay.socket).await;
    ada.send(&bob, b"connected").await;
    bob.take().await;
    // The last of them revokes nothing, and is told of all the same.
    while !revoked(&mut bob).await.is_empty() {}
    assert!(!bob.relay.has_seen_revoked(ada.key(), CapabilityId::new()).unwrap());
    let standing = bob.relay.check(ada.key(), CapabilityId::new()).await.unwrap();
    assert!(matches!(standing, Standing::NotRevoked { as_of } if as_of > 0));
}

#[tokio::test]
async fn promise_09_a_relay_that_forgets_revocations_is_not_believed() {
    let (relay, ada, mut bob) = two(Lie::Honest).await;
    bob.follows(&ada, &[]).await;
    ada.relay.publish(vec![CapabilityId::new()], Vec::new()).await.unwrap();
    revoked(&mut bob).await;
    relay.now(Lie::NoneRevoked);
    assert!(matches!(
        bob.relay.check(ada.key(), CapabilityId::new()).await,
        Err(RelayError::RolledBack)
    ));
}

#[tokio::test]
async fn promise_09_a_revocation_that_a_relay_invents_is_named_and_not_believed() {
    let (_relay, ada, mut bob) = two(Lie::AllRevoked).await;
    let standing = bob.relay.check(ada.key(), CapabilityId::new()).await.unwrap();
    assert_eq!(standing, Standing::NotRevoked { as_of: 0 });
    assert!(bob.wrong().await.contains("has not revoked"));
}

#[tokio::test]
async fn promise_09_what_was_revoked_reaches_another_relay_that_knows_nothing() {
    let (relay, ada, mut bob) = two(Lie::Honest).await;
    let capability = CapabilityId::new();
    ada.relay.publish(vec![capability], Vec::new()).await.unwrap();
    bob.follows(&ada, &[]).await;
    assert_eq!(revoked(&mut bob).await, [capability]);
    relay.be_another();
    let carol = Person::at(&relay.socket).await;
    let mut carol = carol;
    carol.follows(&ada, &[]).await;
    // The issuer's keeper connects again, and brings all that it has revoked.
    assert_eq!(revoked(&mut carol).await, [capability]);
}

/// The vault as a backup of before anything was revoked leaves it; an earlier version did not remember that it was restored.
async fn restore(ada: &Person, remembered: bool) {
    let names = ada.vault.list_records("relay/epochs/").unwrap();
    let mut records: Vec<_> = names.into_iter().map(|name| (name, None)).collect();
    records.push((
        "relay/restored".to_owned(),
        remembered.then(|| br#"{"v":1,"revoked":[]}"#.to_vec()),
    ));
    ada.vault.put_records(records).await.unwrap();
}

/// Somebody knows what a vault has revoked, which is restored from before that, and reaches no relay.
async fn set_back(remembered: bool) -> (Liar, Person, Person, CapabilityId) {
    let (relay, mut ada, mut bob) = two(Lie::Honest).await;
    let one = CapabilityId::new();
    ada.relay.publish(vec![one], Vec::new()).await.unwrap();
    bob.follows(&ada, &[]).await;
    assert_eq!(revoked(&mut bob).await, [one]);
    ada.restart(&relay.socket.with_file_name("nowhere.sock")).await;
    restore(&ada, remembered).await;
    (relay, ada, bob, one)
}

#[tokio::test]
async fn promise_09_what_a_restored_vault_revokes_early_follows_what_it_had_revoked_before() {
    let (relay, mut ada, mut bob, one) = set_back(true).await;
    let other = CapabilityId::new();
    let with = vec![("sharing/test".to_owned(), Some(b"x".to_vec()))];
    ada.relay.publish(vec![other], with).await.unwrap();
    // It counts here at once, and no epoch was signed that the relay may have already.
    assert!(ada.vault.get_record("sharing/test").unwrap().is_some());
    assert!(ada.vault.list_records("relay/epochs/").unwrap().is_empty());
    ada.restart(&relay.socket).await;
    assert_eq!(revoked(&mut bob).await, [other]);
    // And what it had forgotten is refused here again.
    let known = ada.vault.list_records("share/revoked/").unwrap();
    assert_eq!(known, [format!("share/revoked/{one}")]);
    assert!(ada.vault.get_record("relay/restored").unwrap().is_none());
}

#[tokio::test]
async fn promise_09_a_vault_that_is_behind_its_relay_signs_nothing_before_it_has_caught_up() {
    let (relay, mut ada, _bob, _) = set_back(false).await;
    // The relay says how much it has, and brings nothing of it.
    relay.now(Lie::Skip(1));
    ada.restart(&relay.socket).await;
    while ada.vault.get_record("relay/restored").unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    ada.relay.publish(vec![CapabilityId::new()], Vec::new()).await.unwrap();
    assert!(ada.vault.list_records("relay/epochs/").unwrap().is_empty());
}

#[tokio::test]
async fn promise_09_a_vault_whose_own_revocations_went_two_ways_says_so() {
    // By an earlier version, which signed another first one.
    let (relay, mut ada, _bob, _) = set_back(false).await;
    ada.relay.publish(vec![CapabilityId::new()], Vec::new()).await.unwrap();
    ada.restart(&relay.socket).await;
    let said = ada.odd().await;
    assert!(said.contains("epoch 1 does not follow"), "{said}");
}

/// So many that Ada revokes, in as many epochs as it takes.
async fn revokes(ada: &Person, count: usize) -> Vec<CapabilityId> {
    let all: Vec<_> = (0..count).map(|_| CapabilityId::new()).collect();
    for some in all.chunks(EPOCH_REVOCATIONS) {
        ada.relay.publish(some.to_vec(), Vec::new()).await.unwrap();
    }
    all
}

/// Bytes of what Bob remembers of those whom he follows.
fn remembered(bob: &Person) -> usize {
    let names = bob.vault.list_records("relay/issuer/").unwrap().into_iter();
    names
        .map(|name| bob.vault.get_record(&name).unwrap().unwrap().len())
        .sum()
}

#[tokio::test]
async fn promise_12_who_revokes_without_end_fills_no_vault_and_what_is_held_is_refused() {
    let (_relay, ada, mut bob) = two(Lie::Honest).await;
    let held = CapabilityId::new();
    bob.follows(&ada, &[held]).await;
    revokes(&ada, 2 * EPOCH_REVOCATIONS).await;
    ada.relay.publish(vec![held], Vec::new()).await.unwrap();
    while revoked(&mut bob).await != [held] {}
    assert!(bob.relay.is_revoked_for_good(ada.key(), held).unwrap());
    let most = ISSUER_REVOKED * 45;
    assert!(remembered(&bob) < most, "{} bytes", remembered(&bob));
    // Once it is held no more it is forgotten with all others, and not before there are too many.
    bob.follows(&ada, &[]).await;
    assert!(bob.relay.is_revoked_for_good(ada.key(), held).unwrap());
    revokes(&ada, ISSUER_REVOKED).await;
    revoked(&mut bob).await;
    assert!(!bob.relay.is_revoked_for_good(ada.key(), held).unwrap());
}

#[tokio::test]
async fn promise_09_what_arrives_after_it_was_revoked_is_refused_though_it_was_not_remembered() {
    let (_relay, ada, mut bob) = two(Lie::Honest).await;
    let before = CapabilityId::new();
    bob.follows(&ada, &[before]).await;
    let early = revokes(&ada, EPOCH_REVOCATIONS + 1).await;
    while revoked(&mut bob).await.len() != 1 {}
    let late = early[0];
    assert!(!bob.relay.is_revoked_for_good(ada.key(), late).unwrap());
    // It arrives: until all was read again it counts as revoked, and nothing beside it does.
    bob.follows(&ada, &[before, late]).await;
    assert!(bob.relay.has_seen_revoked(ada.key(), late).unwrap());
    assert!(!bob.relay.has_seen_revoked(ada.key(), before).unwrap());
    while !bob.relay.is_revoked_for_good(ada.key(), late).unwrap() {
        revoked(&mut bob).await;
    }
    // What is asked for without having been told of.
    assert_eq!(bob.relay.check(ada.key(), early[1]).await.unwrap(), Standing::Revoked);
    let standing = bob.relay.check(ada.key(), CapabilityId::new()).await.unwrap();
    assert!(matches!(standing, Standing::NotRevoked { as_of } if as_of > 0));
    // Nobody has done anything wrong.
    while let Ok(notice) = bob.notices.try_recv() {
        assert!(!matches!(
            notice,
            RelayNotice::Wrong { .. } | RelayNotice::Odd { .. } | RelayNotice::IssuerUnknown { .. }
        ));
    }
}

#[tokio::test]
async fn promise_09_a_relay_that_does_not_bring_again_what_was_not_remembered_is_not_believed() {
    let (relay, ada, mut bob) = two(Lie::Honest).await;
    bob.follows(&ada, &[]).await;
    let early = revokes(&ada, EPOCH_REVOCATIONS + 1).await;
    while revoked(&mut bob).await.len() != 1 {}
    relay.now(Lie::SkipAndSay(1));
    let asked = bob.relay.check(ada.key(), early[0]).await;
    assert!(matches!(asked, Err(RelayError::RolledBack)), "{asked:?}");
    // Also after the next start.
    bob.restart(&relay.socket).await;
    assert!(bob.relay.has_seen_revoked(ada.key(), early[0]).unwrap());
}

#[tokio::test]
async fn promise_12_one_issuer_of_whom_nothing_can_be_remembered_ends_nothing_for_the_others() {
    let (relay, ada, mut bob) = two(Lie::Honest).await;
    bob.follows(&ada, &[]).await;
    let name = bob.vault.list_records("relay/issuer/").unwrap().remove(0);
    bob.vault.put_record(&name, br#"{"v":2}"#).await.unwrap();
    let connections = relay.connections();
    ada.relay.publish(vec![CapabilityId::new()], Vec::new()).await.unwrap();
    bob.until(|notice| matches!(notice, RelayNotice::IssuerUnknown { .. }).then_some(()))
        .await;
    ada.send(&bob, b"on the same connection").await;
    bob.take().await;
    assert_eq!(relay.connections(), connections);
    bob.restart(&relay.socket).await;
    ada.send(&bob, b"on the next one").await;
    bob.take().await;
    assert_eq!(relay.connections(), connections + 1);
    assert!(bob.relay.has_seen_revoked(ada.key(), CapabilityId::new()).is_err());
}

#[tokio::test]
async fn promise_02_a_relay_that_says_it_has_revocations_and_does_not_bring_them_is_named() {
    let (relay, mut ada, _bob, _) = set_back(false).await;
    relay.now(Lie::Skip(1));
    ada.restart(&relay.socket).await;
    while ada.vault.get_record("relay/restored").unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    tokio::time::advance(RELAY_ANSWER + Duration::from_secs(2)).await;
    tokio::time::resume();
    let said = ada.wrong().await;
    assert!(said.contains("has 1 of this vault's revocations"), "{said}");
}

#[tokio::test]
async fn promise_02_a_relay_that_says_it_has_taken_revocations_that_were_not_sent_is_named_and_not_believed() {
    let (relay, mut ada, bob) = two(Lie::Published).await;
    let said = ada.wrong().await;
    assert!(said.contains("which were not sent"), "{said}");
    relay.now(Lie::Honest);
    let one = CapabilityId::new();
    ada.relay.publish(vec![one], Vec::new()).await.unwrap();
    let known = async {
        while !matches!(bob.relay.check(ada.key(), one).await, Ok(Standing::Revoked)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let known = tokio::time::timeout(Duration::from_secs(5), known).await;
    known.expect("it was published on this connection");
}

#[tokio::test]
async fn promise_09_what_a_relay_has_no_room_for_is_said_counts_here_and_is_told_later_on_the_same_connection() {
    let (relay, ada, mut bob) = two(Lie::Full).await;
    let mut ada = ada;
    bob.follows(&ada, &[]).await;
    let (one, other) = (CapabilityId::new(), CapabilityId::new());
    let with = vec![("sharing/test".to_owned(), Some(b"x".to_vec()))];
    ada.relay.publish(vec![one], with).await.unwrap();
    assert!(ada.vault.get_record("sharing/test").unwrap().is_some());
    ada.until(|notice| matches!(notice, RelayNotice::NotTold).then_some(()))
        .await;
    // What is revoked next is not brought before its time, which is said, and messages go on.
    ada.relay.publish(vec![other], Vec::new()).await.unwrap();
    ada.until(|notice| matches!(notice, RelayNotice::NotTold).then_some(()))
        .await;
    ada.send(&bob, b"goes on").await;
    bob.take().await;
    assert_eq!(relay.swallowed(), 1);
    let connections = relay.connections();
    relay.now(Lie::Honest);
    let minute = Duration::from_secs(60);
    let mut passed = Duration::ZERO;
    while passed < RELAY_PUBLISH_AGAIN {
        tokio::time::pause();
        tokio::time::advance(minute).await;
        tokio::time::resume();
        // It is heard of meanwhile.
        ada.send(&bob, b"still there").await;
        bob.take().await;
        passed += minute;
    }
    assert_eq!(revoked(&mut bob).await, [one]);
    assert_eq!(revoked(&mut bob).await, [other]);
    assert_eq!(relay.connections(), connections);
    // Nobody has done anything wrong.
    while let Ok(notice) = ada.notices.try_recv() {
        assert!(!matches!(notice, RelayNotice::Wrong { .. } | RelayNotice::Odd { .. }));
    }
}
