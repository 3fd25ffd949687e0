use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use protocol::CapabilityId;
use protocol::relay::epoch::{Epoch, EpochHead, PURPOSE, SignedEpoch};
use protocol::relay::{Following, FromMailbox, FromRelay, Refusal};
use relay::RelayConfig;
use relay::limits::{EPOCH_BYTES, EPOCHS_A_DAY, EPOCHS_AT_ONCE};
use vault::Identity;

use crate::isolation::connect;
use crate::support::{Peer, Said, Server, key};

pub fn epoch(issuer: &Identity, head: &mut EpochHead, revoked: Vec<CapabilityId>) -> Vec<u8> {
    let epoch = Epoch {
        issuer: key(issuer),
        number: head.number + 1,
        previous: head.hash,
        at: 7,
        revoked,
    };
    let signature = issuer.sign_for(PURPOSE, &epoch.to_sign());
    let signed = SignedEpoch::new(epoch, signature).unwrap();
    signed.follow(head).unwrap();
    signed.encode()
}

pub async fn publish(peer: &mut Peer, epoch: Vec<u8>) -> FromRelay {
    peer.say(&FromMailbox::Publish { epoch }).await;
    let Said::Text(answer) = peer.next().await else {
        panic!()
    };
    answer
}

async fn revoked(peer: &mut Peer, issuer: &Identity, capability: CapabilityId) -> bool {
    let issuer = key(issuer);
    peer.say(&FromMailbox::Check {
        request: 1,
        issuer,
        capability,
    })
    .await;
    match peer.next().await {
        Said::Text(FromRelay::Checked { revoked, .. }) => revoked,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_what_is_revoked_is_pushed_checked_and_survives_a_restart() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut issuer = Peer::connect(&relay.socket, &ada).await;
    let mut holder = Peer::connect(&relay.socket, &bob).await;
    let mut head = EpochHead::default();
    let (one, two, never) = (CapabilityId::new(), CapabilityId::new(), CapabilityId::new());
    let first = epoch(&ada, &mut head, vec![one]);
    assert_eq!(
        publish(&mut issuer, first.clone()).await,
        FromRelay::Published { number: 1 }
    );
    // Once more is the same.
    assert_eq!(
        publish(&mut issuer, first.clone()).await,
        FromRelay::Published { number: 1 }
    );
    let issuers = vec![Following {
        issuer: key(&ada),
        after: 0,
    }];
    holder.say(&FromMailbox::Follow { issuers }).await;
    assert_eq!(holder.next().await, Said::Text(FromRelay::Epoch { epoch: first }));
    let second = epoch(&ada, &mut head, vec![two]);
    publish(&mut issuer, second.clone()).await;
    assert_eq!(holder.next().await, Said::Text(FromRelay::Epoch { epoch: second }));
    relay.stop().await;

    let relay = server.relay().await;
    let mut holder = Peer::connect(&relay.socket, &bob).await;
    assert!(revoked(&mut holder, &ada, one).await);
    assert!(revoked(&mut holder, &ada, two).await);
    assert!(!revoked(&mut holder, &ada, never).await);
    // Another issuer's capability of the same name is another capability.
    assert!(!revoked(&mut holder, &bob, one).await);
    let issuer = Peer::connect(&relay.socket, &ada).await;
    assert_eq!(issuer.welcome, FromRelay::Welcome { waiting: 0, epoch: 2 });
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_who_follows_an_issuer_that_comes_later_is_told_what_they_revoke() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob, eve) = (Identity::random(), Identity::random(), Identity::random());
    let mut holder = Peer::connect(&relay.socket, &bob).await;
    let following = |issuer: &Identity| Following {
        issuer: key(issuer),
        after: 0,
    };
    let issuers = vec![following(&ada), following(&eve)];
    holder.say(&FromMailbox::Follow { issuers }).await;
    holder.say(&FromMailbox::Unfollow { issuer: key(&eve) }).await;
    // Answered after the ones before.
    assert!(!revoked(&mut holder, &ada, CapabilityId::new()).await);
    for issuer in [&eve, &ada] {
        let mut comes = Peer::connect(&relay.socket, issuer).await;
        let first = epoch(issuer, &mut EpochHead::default(), vec![CapabilityId::new()]);
        let published = publish(&mut comes, first.clone()).await;
        assert_eq!(published, FromRelay::Published { number: 1 });
        if key(issuer) == key(&ada) {
            assert_eq!(holder.next().await, Said::Text(FromRelay::Epoch { epoch: first }));
        }
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_an_epoch_whose_issuer_went_as_it_was_kept_is_pushed_when_it_is_published_again() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut issuer = Peer::connect(&relay.socket, &ada).await;
    let mut holder = Peer::connect(&relay.socket, &bob).await;
    let issuers = vec![Following {
        issuer: key(&ada),
        after: 0,
    }];
    holder.say(&FromMailbox::Follow { issuers }).await;
    // Answered after the one before: now it is followed.
    let revoked_one = CapabilityId::new();
    assert!(!revoked(&mut holder, &ada, revoked_one).await);
    // What is left of a publication whose connection ended right behind its commit.
    let kept = epoch(&ada, &mut EpochHead::default(), vec![revoked_one]);
    let mut own = connect(&server, "holdfast_relay", "holdfast_relay").await.unwrap();
    sqlx::query(
        "INSERT INTO relay.epochs (issuer, number, at, hash, epoch) SELECT id, 1, 7, $2, $3 FROM relay.mailboxes WHERE key = $1",
    )
    .bind(&key(&ada).0[..])
    .bind(&SignedEpoch::decode(&kept).unwrap().hash()[..])
    .bind(&kept)
    .execute(&mut own)
    .await
    .unwrap();
    assert_eq!(
        publish(&mut issuer, kept.clone()).await,
        FromRelay::Published { number: 1 }
    );
    assert_eq!(holder.next().await, Said::Text(FromRelay::Epoch { epoch: kept }));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_an_epoch_that_is_forged_skips_one_or_forks_is_not_kept() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, mallory) = (Identity::random(), Identity::random());
    let mut issuer = Peer::connect(&relay.socket, &ada).await;
    let mut head = EpochHead::default();
    let taken = CapabilityId::new();
    let of_mallory = epoch(&mallory, &mut EpochHead::default(), vec![taken]);
    let skipping = epoch(
        &ada,
        &mut EpochHead {
            number: 1,
            hash: [1; 32],
        },
        vec![taken],
    );
    let mut forged = epoch(&ada, &mut head.clone(), vec![taken]);
    forged[40] ^= 1;
    for wrong in [of_mallory, skipping, forged] {
        let FromRelay::NotPublished { code, number: 0, .. } = publish(&mut issuer, wrong).await else {
            panic!()
        };
        assert_eq!(code, Refusal::BadEpoch);
    }
    publish(&mut issuer, epoch(&ada, &mut head, vec![])).await;
    let fork = epoch(&ada, &mut EpochHead::default(), vec![taken]);
    assert!(matches!(
        publish(&mut issuer, fork).await,
        FromRelay::NotPublished { number: 1, .. }
    ));
    assert!(!revoked(&mut issuer, &ada, taken).await);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_09_a_check_fails_when_the_database_is_away() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let ada = Identity::random();
    let mut issuer = Peer::connect(&relay.socket, &ada).await;
    let capability = CapabilityId::new();
    publish(&mut issuer, epoch(&ada, &mut EpochHead::default(), vec![capability])).await;
    server.cluster.stop().await;
    issuer
        .say(&FromMailbox::Check {
            request: 5,
            issuer: key(&ada),
            capability,
        })
        .await;
    let Said::Text(answer) = issuer.next().await else {
        panic!()
    };
    assert_eq!(
        answer,
        FromRelay::NotChecked {
            request: 5,
            code: Refusal::Unavailable
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_whoever_publishes_or_follows_without_end_is_read_more_slowly_and_told_no_no() {
    let server = Server::new().await;
    let slow = RelayConfig {
        sent_per_second: NonZeroU32::MIN,
        sent_burst: NonZeroU32::MIN,
        ..RelayConfig::default()
    };
    let relay = server.relay_with(slow).await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let (mut peer, mut follower) = (
        Peer::connect(&relay.socket, &ada).await,
        Peer::connect(&relay.socket, &bob).await,
    );
    // One at once, and one a second from then on: no machine is too slow for that.
    let began = Instant::now();
    let mut head = EpochHead::default();
    for number in 1..=3 {
        let next = epoch(&ada, &mut head, vec![CapabilityId::new()]);
        assert_eq!(publish(&mut peer, next).await, FromRelay::Published { number });
    }
    assert!(began.elapsed() > Duration::from_millis(1_900));
    // Of whom it follows, as slowly; and it is heard meanwhile, however many they are.
    let mut issuers: Vec<_> = (0..500).map(|_| key(&Identity::random())).collect();
    for _ in 0..3 {
        let issuer = Identity::random();
        let mut peer = Peer::connect(&relay.socket, &issuer).await;
        let first = epoch(&issuer, &mut EpochHead::default(), vec![CapabilityId::new()]);
        assert_eq!(publish(&mut peer, first).await, FromRelay::Published { number: 1 });
        issuers.push(key(&issuer));
    }
    let began = Instant::now();
    let issuers = issuers
        .into_iter()
        .map(|issuer| Following { issuer, after: 0 })
        .collect();
    follower.say(&FromMailbox::Follow { issuers }).await;
    follower.say(&FromMailbox::Publish { epoch: vec![1] }).await;
    let (mut epochs, mut heard) = (0, false);
    while epochs < 3 || !heard {
        match tokio::time::timeout(Duration::from_secs(60), follower.next()).await {
            Ok(Said::Text(FromRelay::Epoch { .. })) => epochs += 1,
            Ok(Said::Text(FromRelay::NotPublished { .. })) => heard = true,
            other => panic!("{other:?}"),
        }
    }
    assert!(began.elapsed() > Duration::from_millis(1_900));
    relay.stop().await;
}

/// Sets what is counted of the one mailbox that there is.
async fn count(server: &Server, column: &'static str, value: i64) {
    let mut own = connect(server, "holdfast_relay", "holdfast_relay").await.unwrap();
    let set = format!("UPDATE relay.mailboxes SET {column} = {value}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut own).await.unwrap();
}

fn refused(answer: FromRelay) -> (u64, String) {
    match answer {
        FromRelay::NotPublished {
            number,
            code: Refusal::LimitReached,
            message,
        } => (number, message),
        other => panic!("{other:?}"),
    }
}

fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_a_mailbox_publishes_so_many_epochs_in_a_day_also_across_a_restart() {
    const EVERY_MS: i64 = 24 * 60 * 60 * 1000 / EPOCHS_A_DAY;
    let server = Server::new().await;
    let relay = server.relay().await;
    let ada = Identity::random();
    let mut issuer = Peer::connect(&relay.socket, &ada).await;
    let mut head = EpochHead::default();
    let revoked_one = CapabilityId::new();
    let mut next = || epoch(&ada, &mut head, vec![revoked_one]);
    // Two more may be published now.
    let used = now_ms() + EVERY_MS * (EPOCHS_AT_ONCE - 2);
    count(&server, "epochs_until", used).await;
    for number in 1..=2 {
        assert_eq!(publish(&mut issuer, next()).await, FromRelay::Published { number });
    }
    let third = next();
    let (number, words) = refused(publish(&mut issuer, third.clone()).await);
    assert_eq!(number, 2);
    assert!(
        words.contains("EPOCHS_A_DAY (2000)") && words.contains("again later"),
        "{words}"
    );
    relay.stop().await;

    let relay = server.relay().await;
    let mut issuer = Peer::connect(&relay.socket, &ada).await;
    assert_eq!(issuer.welcome, FromRelay::Welcome { waiting: 0, epoch: 2 });
    refused(publish(&mut issuer, third.clone()).await);
    // What is refused is not counted, and the next one has its time.
    count(&server, "epochs_until", used).await;
    assert_eq!(
        publish(&mut issuer, third.clone()).await,
        FromRelay::Published { number: 3 }
    );
    // What is brought again takes nothing.
    count(&server, "epochs_until", used + 2 * EVERY_MS).await;
    assert_eq!(publish(&mut issuer, third).await, FromRelay::Published { number: 3 });
    // A clock that was years ahead when something was published keeps nobody out.
    count(&server, "epochs_until", used + 365 * 24 * 60 * 60 * 1000).await;
    assert_eq!(publish(&mut issuer, next()).await, FromRelay::Published { number: 4 });
    // Others have a number of their own.
    let bob = Identity::random();
    let mut other = Peer::connect(&relay.socket, &bob).await;
    let first = epoch(&bob, &mut EpochHead::default(), vec![revoked_one]);
    assert_eq!(publish(&mut other, first).await, FromRelay::Published { number: 1 });
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_the_epochs_of_a_mailbox_take_so_many_bytes_in_all() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let ada = Identity::random();
    let mut issuer = Peer::connect(&relay.socket, &ada).await;
    let mut head = EpochHead::default();
    let first = epoch(&ada, &mut head, vec![CapabilityId::new()]);
    let length = i64::try_from(first.len()).unwrap();
    // The one takes the last of them.
    count(&server, "epoch_bytes", EPOCH_BYTES - length).await;
    assert_eq!(publish(&mut issuer, first).await, FromRelay::Published { number: 1 });
    let next = epoch(&ada, &mut head, vec![]);
    let (number, words) = refused(publish(&mut issuer, next).await);
    assert_eq!(number, 1);
    assert!(words.contains("EPOCH_BYTES (8388608)"), "{words}");
    relay.stop().await;
}
