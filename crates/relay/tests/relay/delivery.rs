use protocol::CapabilityId;
use protocol::relay::{FromMailbox, FromRelay, Refusal};
use relay::RelayConfig;
use relay::limits::{SWEEP_ROWS, WAITING_OF_ONE_SENDER};
use sqlx::{Connection as _, PgConnection, Postgres};
use vault::Identity;

use crate::isolation;
use crate::support::{Peer, Said, Seen, Server, Stream, key};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_reaches_who_is_connected_and_who_comes_later_in_order() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut stream = Stream::new(&ada, &bob);
    for content in [&b"one"[..], b"two", &[3; 5000]] {
        sender.sends(&mut stream, content).await;
    }
    sender.until_accepted(3).await;

    let mut receiver = Peer::connect(&relay.socket, &bob).await;
    assert_eq!(receiver.welcome, FromRelay::Welcome { waiting: 3, epoch: 0 });
    let mut seen = Seen::nothing();
    for _ in 0..3 {
        let Said::Deliver { number, id, sealed } = receiver.next().await else {
            panic!()
        };
        assert!(seen.take(&bob, id, &sealed));
        receiver.ack(vec![number]).await;
    }
    sender.sends(&mut stream, b"four").await;
    let Said::Deliver { id, sealed, .. } = receiver.next().await else {
        panic!()
    };
    assert!(seen.take(&bob, id, &sealed));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_acknowledged_comes_again_and_what_was_does_not() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    let mut receiver = Peer::connect(&relay.socket, &bob).await;
    let mut stream = Stream::new(&ada, &bob);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (id, sealed) = stream.next(b"x");
        ids.push(id);
        sender.send(stream.to(), id, &sealed).await;
    }
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let Said::Deliver { number, .. } = receiver.next().await else {
            panic!()
        };
        numbers.push(number);
    }
    receiver.ack(vec![numbers[0], numbers[2]]).await;
    // The relay has read the acknowledgement when it answers what came after it.
    let (id, sealed) = Stream::new(&bob, &ada).next(b"x");
    receiver.send(key(&ada), id, &sealed).await;
    receiver.until_accepted(1).await;
    drop(receiver);
    relay.stop().await;

    let relay = server.relay().await;
    let mut receiver = Peer::connect(&relay.socket, &bob).await;
    assert_eq!(receiver.welcome, FromRelay::Welcome { waiting: 1, epoch: 0 });
    let Said::Deliver { number, id, .. } = receiver.next().await else {
        panic!()
    };
    assert_eq!((number, id), (numbers[1], ids[1]));
    // What comes now is behind all that there was.
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    let (last, _) = sender.sends(&mut stream, b"x").await;
    let Said::Deliver { number, id, .. } = receiver.next().await else {
        panic!()
    };
    assert_eq!(id, last);
    assert!(number > numbers[2]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_while_it_waits_is_one() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    let mut stream = Stream::new(&ada, &bob);
    let (first, sealed) = sender.sends(&mut stream, b"x").await;
    sender.until_accepted(1).await;
    for _ in 1..WAITING_OF_ONE_SENDER {
        sender.sends(&mut stream, b"x").await;
    }
    sender.until_accepted(WAITING_OF_ONE_SENDER as usize - 1).await;
    // As if nothing had been heard of it, also where there is no room for another; and by a relay that was started meanwhile.
    sender.send(stream.to(), first, &sealed).await;
    sender.until_accepted(1).await;
    relay.stop().await;
    let relay = server.relay().await;
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    sender.send(stream.to(), first, &sealed).await;
    sender.until_accepted(1).await;
    let mut receiver = Peer::connect(&relay.socket, &bob).await;
    let waiting = u64::from(WAITING_OF_ONE_SENDER);
    assert_eq!(receiver.welcome, FromRelay::Welcome { waiting, epoch: 0 });
    let mut numbers = Vec::new();
    for _ in 0..waiting {
        let Said::Deliver { number, .. } = receiver.next().await else {
            panic!()
        };
        numbers.push(number);
    }
    receiver.ack(numbers).await;
    // What was acknowledged is gone when what came after it is kept.
    let (id, other) = Stream::new(&bob, &ada).next(b"x");
    receiver.send(key(&ada), id, &other).await;
    receiver.until_accepted(1).await;
    // Fetched, it is forgotten: what comes under its id is another.
    sender.send(stream.to(), first, &sealed).await;
    let Said::Deliver { id, .. } = receiver.next().await else {
        panic!()
    };
    assert_eq!(id, first);
    relay.stop().await;
}

/// Until this is rolled back, what is written waits; what is read does not.
async fn writes_wait(owner: &mut PgConnection) -> sqlx::Transaction<'_, Postgres> {
    let mut held = owner.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE relay.envelopes IN EXCLUSIVE MODE")
        .execute(&mut *held)
        .await
        .unwrap();
    held
}

/// Until the relay has something to write.
async fn somebody_waits(held: &mut PgConnection) {
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)";
    while !sqlx::query_scalar::<_, bool>(waits)
        .fetch_one(&mut *held)
        .await
        .unwrap()
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Something that is answered once all that was said before it was read.
fn a_question(about: &Identity) -> FromMailbox {
    FromMailbox::Check {
        request: 1,
        issuer: key(about),
        capability: CapabilityId::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_while_the_database_does_not_answer_is_one() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut stream = Stream::new(&ada, &bob);
    let (before, after) = (stream.next(b"x"), stream.next(b"x"));
    let mut owner = isolation::connect(&server, "holdfast_relay", "holdfast").await.unwrap();
    let mut held = writes_wait(&mut owner).await;
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    sender.send(stream.to(), before.0, &before.1).await;
    // The first commit is under way: what comes now is written by the next one.
    somebody_waits(&mut held).await;
    // Nothing is said to be kept that is not durable.
    sender.say(&a_question(&bob)).await;
    assert!(matches!(sender.next().await, Said::Text(FromRelay::Checked { .. })));
    // More often than there is room for.
    for _ in 0..3 {
        let mut sender = Peer::connect(&relay.socket, &ada).await;
        for _ in 0..WAITING_OF_ONE_SENDER / 5 {
            sender.send(stream.to(), before.0, &before.1).await;
            sender.send(stream.to(), after.0, &after.1).await;
        }
        // All of it was read when this is answered.
        sender.say(&a_question(&bob)).await;
        assert!(matches!(sender.next().await, Said::Text(FromRelay::Checked { .. })));
    }
    held.rollback().await.unwrap();
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    sender.send(stream.to(), after.0, &after.1).await;
    sender.until_accepted(1).await;
    let receiver = Peer::connect(&relay.socket, &bob).await;
    assert_eq!(receiver.welcome, FromRelay::Welcome { waiting: 2, epoch: 0 });
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM relay.envelopes")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(kept, 2);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_acknowledge_gets_a_window_and_the_rest_when_it_does() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let bob = Identity::random();
    let mut receiver = Peer::connect(&relay.socket, &bob).await;
    // More than the window, of more than one sender: none may have so many waiting.
    let mut streams = Vec::new();
    for _ in 0..2 {
        let ada = Identity::random();
        let mut sender = Peer::connect(&relay.socket, &ada).await;
        let mut stream = Stream::new(&ada, &bob);
        for _ in 0..200 {
            sender.sends(&mut stream, b"x").await;
        }
        sender.until_accepted(200).await;
        streams.push(sender);
    }
    let mut numbers = Vec::new();
    for _ in 0..protocol::limits::RELAY_WINDOW {
        let Said::Deliver { number, .. } = receiver.next().await else {
            panic!()
        };
        numbers.push(number);
    }
    // What comes next is the answer to a question, not another delivery; and what was not delivered is not acknowledged.
    receiver.ack(vec![numbers.last().unwrap() + 1]).await;
    // Whatever was acknowledged is gone when what came after it is kept.
    let carol = Identity::random();
    drop(Peer::connect(&relay.socket, &carol).await);
    let (id, sealed) = Stream::new(&bob, &carol).next(b"x");
    receiver.send(key(&carol), id, &sealed).await;
    receiver.until_accepted(1).await;
    receiver.say(&a_question(&bob)).await;
    assert!(matches!(receiver.next().await, Said::Text(FromRelay::Checked { .. })));
    receiver.ack(numbers.clone()).await;
    for _ in protocol::limits::RELAY_WINDOW..400 {
        let Said::Deliver { number, .. } = receiver.next().await else {
            panic!()
        };
        assert_eq!(number, numbers.last().unwrap() + 1);
        numbers.push(number);
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_fetched_goes_back_to_its_sender() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut stream = Stream::new(&ada, &bob);
    let (sent, _) = sender.sends(&mut stream, b"x").await;
    sender.until_accepted(1).await;
    relay.stop().await;

    // Everything is too old for this one, and it looks when it starts.
    let config = RelayConfig {
        waiting_for_ms: -1_000,
        ..RelayConfig::default()
    };
    let relay = server.relay_with(config).await;
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    let Said::Returned { number, id, to } = sender.next().await else {
        panic!()
    };
    assert_eq!((id, to), (sent, key(&bob)));
    sender.ack(vec![number]).await;
    let receiver = Peer::connect(&relay.socket, &bob).await;
    assert_eq!(receiver.welcome, FromRelay::Welcome { waiting: 0, epoch: 0 });
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_what_is_fetched_while_it_goes_back_counts_down_once() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut stream = Stream::new(&ada, &bob);
    let (first, _) = sender.sends(&mut stream, b"x").await;
    for _ in 0..2 {
        sender.sends(&mut stream, b"x").await;
    }
    sender.until_accepted(3).await;
    drop(sender);
    relay.stop().await;

    // The first goes back; before that is written, it is fetched.
    let mut owner = isolation::connect(&server, "holdfast_relay", "holdfast").await.unwrap();
    sqlx::raw_sql("UPDATE relay.envelopes SET at = 0 WHERE number = (SELECT min(number) FROM relay.envelopes)")
        .execute(&mut owner)
        .await
        .unwrap();
    let mut held = writes_wait(&mut owner).await;
    let relay = server.relay().await;
    somebody_waits(&mut held).await;
    let mut receiver = Peer::connect(&relay.socket, &bob).await;
    let Said::Deliver { number, id, .. } = receiver.next().await else {
        panic!()
    };
    assert_eq!(id, first);
    receiver.ack(vec![number]).await;
    for _ in 0..2 {
        assert!(matches!(receiver.next().await, Said::Deliver { .. }));
    }
    // The acknowledgement was read when this is answered.
    receiver.say(&a_question(&bob)).await;
    assert!(matches!(receiver.next().await, Said::Text(FromRelay::Checked { .. })));
    drop(receiver);
    held.rollback().await.unwrap();

    let mut sender = Peer::connect(&relay.socket, &ada).await;
    assert!(matches!(sender.next().await, Said::Returned { id, .. } if id == first));
    sender.sends(&mut stream, b"x").await;
    sender.until_accepted(1).await;
    let receiver = Peer::connect(&relay.socket, &bob).await;
    assert_eq!(receiver.welcome, FromRelay::Welcome { waiting: 3, epoch: 0 });
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_what_expires_all_at_once_goes_back_all_at_once() {
    const MANY: usize = SWEEP_ROWS + 500;
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    for identity in [&ada, &bob] {
        drop(Peer::connect(&relay.socket, identity).await);
    }
    relay.stop().await;
    // More than may wait in one mailbox: as if it were many.
    let mut owner = isolation::connect(&server, "holdfast_relay", "holdfast").await.unwrap();
    let many = "INSERT INTO relay.envelopes (mailbox, number, sender, id, at, sealed)
        SELECT receiver.id, number, sender.id, gen_random_uuid(), 0, decode(repeat('00', 564), 'hex')
        FROM relay.mailboxes receiver, relay.mailboxes sender, generate_series(1, $3::bigint) number
        WHERE receiver.key = $1 AND sender.key = $2";
    let many = sqlx::query(many)
        .bind(key(&bob).0.to_vec())
        .bind(key(&ada).0.to_vec())
        .bind(i64::try_from(MANY).unwrap());
    many.execute(&mut owner).await.unwrap();
    let relay = server.relay().await;
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    for _ in 0..MANY {
        let Said::Returned { number, .. } = sender.next().await else {
            panic!()
        };
        sender.ack(vec![number]).await;
    }
    // What was written before is counted when what comes after it is kept.
    let carol = Identity::random();
    drop(Peer::connect(&relay.socket, &carol).await);
    let (id, sealed) = Stream::new(&ada, &carol).next(b"x");
    sender.send(key(&carol), id, &sealed).await;
    sender.until_accepted(1).await;
    let receiver = Peer::connect(&relay.socket, &bob).await;
    assert_eq!(receiver.welcome, FromRelay::Welcome { waiting: 0, epoch: 0 });
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_02_a_proof_of_another_connection_relay_or_key_is_refused() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let ada = Identity::random();
    for wrong in 0..3 {
        let mut peer = Peer::unproved(&relay.socket, None).await.unwrap();
        let FromRelay::Challenge {
            relay: mut id,
            mut challenge,
            ..
        } = peer.welcome.clone()
        else {
            panic!()
        };
        match wrong {
            0 => id[0] ^= 1,
            1 => challenge[0] ^= 1,
            _ => {
                // Signed by one, said to be of another.
                let message = protocol::relay::proof_message(&id.try_into().unwrap(), &challenge.try_into().unwrap());
                peer.say(&protocol::relay::FromMailbox::Prove {
                    version: protocol::relay::VERSION,
                    key: key(&ada),
                    signature: Identity::random()
                        .sign_for(protocol::relay::PROOF_PURPOSE, &message)
                        .to_vec(),
                })
                .await;
                let Said::Text(FromRelay::Error { code, .. }) = peer.next().await else {
                    panic!()
                };
                assert_eq!(code, Refusal::BadProof);
                continue;
            }
        }
        peer.prove(&ada, &id, &challenge).await;
        let Said::Text(FromRelay::Error { code, .. }) = peer.next().await else {
            panic!()
        };
        assert_eq!(code, Refusal::BadProof);
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_takes_the_place_of_the_first() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let ada = Identity::random();
    let mut first = Peer::connect(&relay.socket, &ada).await;
    let _second = Peer::connect(&relay.socket, &ada).await;
    let Said::Text(FromRelay::Error { code, .. }) = first.next().await else {
        panic!()
    };
    assert_eq!(code, Refusal::Replaced);
    relay.stop().await;
}
