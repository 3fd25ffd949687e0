use std::sync::Arc;

use axum::Extension;
use protocol::relay::{FromRelay, MailboxKey, Refusal};
use relay::{Carrier, RelayConfig, Waker};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use vault::Identity;

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
        let (id, sealed) = stream.next(content);
        sender.send(stream.to(), id, &sealed).await;
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
    let (id, sealed) = stream.next(b"four");
    sender.send(stream.to(), id, &sealed).await;
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
            let (id, sealed) = stream.next(b"x");
            sender.send(stream.to(), id, &sealed).await;
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
    // What comes next is the answer to a question, not another delivery.
    receiver
        .say(&protocol::relay::FromMailbox::Check {
            request: 1,
            issuer: key(&bob),
            capability: protocol::CapabilityId::new(),
        })
        .await;
    assert!(matches!(receiver.next().await, Said::Text(FromRelay::Checked { .. })));
    receiver.ack(numbers.clone()).await;
    for _ in protocol::limits::RELAY_WINDOW..400 {
        let Said::Deliver { number, .. } = receiver.next().await else {
            panic!()
        };
        assert!(number > *numbers.last().unwrap());
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
    let (sent, sealed) = stream.next(b"x");
    sender.send(stream.to(), sent, &sealed).await;
    sender.until_accepted(1).await;
    relay.stop().await;

    // Everything is too old for this one, and it looks when it starts.
    let config = RelayConfig {
        waiting_for_ms: -1_000,
        ..RelayConfig::default()
    };
    let relay = server.relay_with(config, Arc::new(relay::NobodyWakes)).await;
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

struct Told(mpsc::UnboundedSender<MailboxKey>);

impl Waker for Told {
    fn waiting(&self, mailbox: MailboxKey) {
        let _gone = self.0.send(mailbox);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_not_connected_is_to_be_woken_once() {
    let server = Server::new().await;
    let (told, mut woken) = mpsc::unbounded_channel();
    let relay = server.relay_with(RelayConfig::default(), Arc::new(Told(told))).await;
    let (ada, bob) = (Identity::random(), Identity::random());
    let mut sender = Peer::connect(&relay.socket, &ada).await;
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut stream = Stream::new(&ada, &bob);
    for _ in 0..5 {
        let (id, sealed) = stream.next(b"x");
        sender.send(stream.to(), id, &sealed).await;
    }
    sender.until_accepted(5).await;
    assert_eq!(woken.recv().await, Some(key(&bob)));
    assert!(woken.try_recv().is_err());
    assert_eq!(relay.relay.waiting(), [key(&bob)]);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_carries_a_connection_hears_whose_mailbox_was_proved_over_it_and_of_no_other() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (proved, mut heard) = mpsc::unbounded_channel();
    let carrier = Carrier::new(move |mailbox| {
        let _gone = proved.send(mailbox);
    });
    let socket = server.folder.path().join("carried.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let router = relay.relay.router().layer(Extension(carrier));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let (ada, bob) = (Identity::random(), Identity::random());
    // Without a carrier, and with a proof that is not of this connection.
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut liar = Peer::unproved(&socket).await.unwrap();
    let FromRelay::Challenge { relay: id, .. } = liar.welcome.clone() else {
        panic!()
    };
    liar.prove(&bob, &id, &[0; 32]).await;
    let Said::Text(FromRelay::Error { code, .. }) = liar.next().await else {
        panic!()
    };
    assert_eq!(code, Refusal::BadProof);
    let lookout = relay.relay.lookout();
    let mut sender = Peer::connect(&socket, &ada).await;
    assert_eq!(heard.recv().await, Some(key(&ada)));
    assert!(heard.try_recv().is_err());

    // What waits is seen until its receiver has come.
    assert!(!lookout.waits(&key(&bob)));
    let mut stream = Stream::new(&ada, &bob);
    let (id, sealed) = stream.next(b"x");
    sender.send(stream.to(), id, &sealed).await;
    sender.until_accepted(1).await;
    assert!(lookout.waits(&key(&bob)));
    let _receiver = Peer::connect(&socket, &bob).await;
    assert_eq!(heard.recv().await, Some(key(&bob)));
    assert!(!lookout.waits(&key(&bob)));
    serving.abort();
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_02_a_proof_of_another_connection_relay_or_key_is_refused() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let ada = Identity::random();
    for wrong in 0..3 {
        let mut peer = Peer::unproved(&relay.socket).await.unwrap();
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
