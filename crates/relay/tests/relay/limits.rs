use std::num::NonZeroU32;

use protocol::EnvelopeId;
use protocol::relay::epoch::EpochHead;
use protocol::relay::{FromRelay, MailboxKey, Refusal};
use relay::RelayConfig;
use relay::limits::{UNUSED_DAYS, WAITING, WAITING_OF_ONE_SENDER};
use vault::Identity;

use crate::isolation::connect;
use crate::revocations::{epoch, publish};
use crate::support::{Peer, Said, Server, Stream, key};

async fn refusal(peer: &mut Peer) -> (EnvelopeId, Refusal) {
    loop {
        match peer.next().await {
            Said::Text(FromRelay::Refused { id, code, .. }) => return (id, code),
            Said::Accepted(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_what_no_mailbox_or_no_size_is_is_refused_and_the_connection_stays() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    let mut stream = Stream::new(&ada, &bob);
    let (id, sealed) = stream.next(b"x");
    sender.send(MailboxKey([3; 32]), id, &sealed).await;
    assert_eq!(refusal(&mut sender).await, (id, Refusal::NoSuchMailbox));
    sender.send(key(&ada), id, &sealed[1..]).await;
    assert_eq!(refusal(&mut sender).await, (id, Refusal::Size));
    sender.send(key(&ada), id, &sealed).await;
    sender.until_accepted(1).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_a_full_mailbox_refuses_takes_no_more_and_takes_again_when_it_was_emptied() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let bob = Identity::random();
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut last = None;
    for sender in 0..WAITING / WAITING_OF_ONE_SENDER {
        let ada = Identity::random();
        let mut peer = Peer::connect(&relay.socket, &ada).await;
        let mut stream = Stream::new(&ada, &bob);
        for _ in 0..WAITING_OF_ONE_SENDER {
            peer.sends(&mut stream, b"x").await;
        }
        peer.until_accepted(WAITING_OF_ONE_SENDER as usize).await;
        if sender == 0 {
            let (id, _) = peer.sends(&mut stream, b"x").await;
            assert_eq!(refusal(&mut peer).await, (id, Refusal::TooManyOfYours));
        }
        last = Some((peer, stream));
    }
    let carol = Identity::random();
    let mut peer = Peer::connect(&relay.socket, &carol).await;
    let (id, sealed) = Stream::new(&carol, &bob).next(b"x");
    peer.send(key(&bob), id, &sealed).await;
    assert_eq!(refusal(&mut peer).await, (id, Refusal::MailboxFull));

    // The limits hold after a restart, too.
    drop(last);
    relay.stop().await;
    let relay = server.relay().await;
    let mut peer = Peer::connect(&relay.socket, &carol).await;
    peer.send(key(&bob), id, &sealed).await;
    assert_eq!(refusal(&mut peer).await, (id, Refusal::MailboxFull));
    let mut receiver = Peer::connect(&relay.socket, &bob).await;
    for _ in 0..WAITING {
        let Said::Deliver { number, .. } = receiver.next().await else {
            panic!()
        };
        receiver.ack(vec![number]).await;
    }
    // Taken again as soon as the acknowledgements are written.
    loop {
        peer.send(key(&bob), id, &sealed).await;
        match peer.next().await {
            Said::Accepted(ids) => break assert_eq!(ids, [id]),
            Said::Text(FromRelay::Refused { code, .. }) => assert_eq!(code, Refusal::MailboxFull),
            other => panic!("{other:?}"),
        }
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_what_is_refused_for_its_size_is_read_as_slowly_as_what_is_taken() {
    const WRONG: usize = 60;
    let server = Server::new().await;
    let slowly = RelayConfig {
        sent_per_second: NonZeroU32::MIN,
        sent_burst: NonZeroU32::new(5).unwrap(),
        ..RelayConfig::default()
    };
    let relay = server.relay_with(slowly).await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut flood = Peer::connect(&relay.socket, &ada).await;
    let mut other = Peer::connect(&relay.socket, &bob).await;
    for _ in 0..WRONG {
        flood.send(key(&bob), EnvelopeId::new(), b"of no size").await;
    }
    let (id, sealed) = Stream::new(&bob, &ada).next(b"x");
    other.send(key(&ada), id, &sealed).await;
    // What somebody else sends is there long before all of them were read.
    let mut refused = 0;
    loop {
        match flood.next().await {
            Said::Text(FromRelay::Refused {
                code: Refusal::Size, ..
            }) => refused += 1,
            Said::Deliver { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused < WRONG, "{refused} refusals at once");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_what_is_not_understood_ends_the_connection_with_a_reason() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let mut peer = Peer::connect(&relay.socket, &Identity::random()).await;
    peer.socket_send(vec![0x7f]).await;
    let Said::Text(FromRelay::Error { code, .. }) = peer.next().await else {
        panic!()
    };
    assert_eq!(code, Refusal::Malformed);
    assert_eq!(peer.next().await, Said::Gone);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_no_mailbox_is_made_over_a_connection_whose_carrier_lets_none_be_and_each_that_is_there_is_opened() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    drop(Peer::connect(&relay.socket, &ada).await);
    let mut comes_back = Peer::opening_none(&relay.socket).await;
    let welcomed = comes_back.answered(&ada).await;
    assert!(
        matches!(welcomed, Said::Text(FromRelay::Welcome { .. })),
        "{welcomed:?}"
    );
    let mut new = Peer::opening_none(&relay.socket).await;
    let Said::Text(FromRelay::Error { code, message }) = new.answered(&bob).await else {
        panic!()
    };
    assert_eq!(code, Refusal::LimitReached);
    assert!(
        message.contains("RELAY_MAILBOXES") && message.contains("later"),
        "{message}"
    );
    assert_eq!(mailboxes(&server).await, [key(&ada)]);
    relay.stop().await;
}

async fn asked<T>(server: &Server, query: &'static str) -> Vec<T>
where
    T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'a> sqlx::Decode<'a, sqlx::Postgres>,
{
    let mut own = connect(server, "holdfast_relay", "holdfast_relay").await.unwrap();
    sqlx::query_scalar(query).fetch_all(&mut own).await.unwrap()
}

async fn mailboxes(server: &Server) -> Vec<MailboxKey> {
    let keys: Vec<Vec<u8>> = asked(server, "SELECT key FROM relay.mailboxes ORDER BY key").await;
    keys.into_iter()
        .map(|key| MailboxKey(key.try_into().unwrap()))
        .collect()
}

/// Makes it so long ago that anybody was connected.
async fn nobody_came_for(server: &Server, days: i32) {
    let mut own = connect(server, "holdfast_relay", "holdfast_relay").await.unwrap();
    sqlx::query("UPDATE relay.mailboxes SET seen = current_date - $1")
        .bind(days)
        .execute(&mut own)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_05_a_mailbox_that_nobody_uses_is_let_go_and_none_of_which_there_is_anything() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let people: Vec<_> = (0..5).map(|_| Identity::random()).collect();
    for each in &people {
        drop(Peer::connect(&relay.socket, each).await);
    }
    let [ada, bob, carol, dave, eve] = &people[..] else {
        panic!()
    };
    // What Ada has sent waits for Bob, and Carol has revoked; of Dave and Eve there is nothing.
    let mut sender = Peer::connect(&relay.socket, ada).await;
    sender.sends(&mut Stream::new(ada, bob), b"x").await;
    sender.until_accepted(1).await;
    let mut issuer = Peer::connect(&relay.socket, carol).await;
    let first = epoch(carol, &mut EpochHead::default(), vec![]);
    assert_eq!(publish(&mut issuer, first).await, FromRelay::Published { number: 1 });
    nobody_came_for(&server, UNUSED_DAYS).await;
    relay.stop().await;
    let relay = server.relay().await;
    assert_eq!(mailboxes(&server).await.len(), 5, "before its time");

    nobody_came_for(&server, UNUSED_DAYS + 1).await;
    let _comes_back = Peer::connect(&relay.socket, dave).await;
    let came = "SELECT key FROM relay.mailboxes WHERE seen = current_date";
    while asked::<Vec<u8>>(&server, came).await.is_empty() {
        tokio::task::yield_now().await;
    }
    relay.stop().await;
    let relay = server.relay().await;
    let mut those: Vec<_> = [ada, bob, carol, dave].map(key).into();
    those.sort();
    assert_eq!(mailboxes(&server).await, those);
    // Who was let go is there again when they come.
    let comes_back = Peer::connect(&relay.socket, eve).await;
    assert_eq!(comes_back.welcome, FromRelay::Welcome { waiting: 0, epoch: 0 });
    assert!(matches!(
        Peer::connect(&relay.socket, bob).await.next().await,
        Said::Deliver { .. }
    ));
    relay.stop().await;
}
