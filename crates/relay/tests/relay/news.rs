//! What is told to who carries the connections: in this process, and to who presents the token.

use protocol::relay::news::News;
use protocol::relay::{FromRelay, Refusal};
use protocol::{CarrierId, b64};
use relay::Listening;
use relay::limits::NEWS_LISTENERS;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use uuid::Uuid;
use vault::Identity;

use crate::support::{Peer, Running, Said, Server, Stream, key, news_token};

fn carrier() -> CarrierId {
    Uuid::new_v4().into()
}

fn waits(of: &Identity) -> News {
    News::Waits { mailbox: key(of) }
}

fn opened(carrier: CarrierId, of: &Identity) -> News {
    News::Opened {
        carrier,
        mailbox: key(of),
    }
}

fn listen(relay: &Running) -> Listening {
    relay.relay.lookout().listen().unwrap()
}

/// Ada, connected, who writes to Bob, who was connected once.
struct Two {
    ada: Identity,
    bob: Identity,
    sender: Peer,
    stream: Stream,
}

impl Two {
    async fn at(relay: &Running) -> Self {
        let (ada, bob) = (Identity::random(), Identity::random());
        drop(Peer::connect(&relay.socket, &bob).await);
        Self {
            sender: Peer::connect(&relay.socket, &ada).await,
            stream: Stream::new(&ada, &bob),
            ada,
            bob,
        }
    }

    async fn sends(&mut self, count: usize) {
        for _ in 0..count {
            self.sender.sends(&mut self.stream, b"x").await;
        }
        self.sender.until_accepted(count).await;
    }
}

/// That nothing comes any more: what somebody else's connection says comes next.
async fn nothing_but_another(relay: &Running, listening: &mut Listening) {
    let (other, id) = (Identity::random(), carrier());
    let _peer = Peer::carried(&relay.socket, &other, id).await;
    assert_eq!(listening.next().await, Some(opened(id, &other)));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_something_waits_for_who_is_not_connected_is_told_once() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let mut listening = listen(&relay);
    let mut two = Two::at(&relay).await;
    two.sends(1).await;
    assert_eq!(listening.next().await, Some(waits(&two.bob)));
    // Whoever listens anew is told how things are, also by a relay that was started meanwhile.
    assert_eq!(listen(&relay).next().await, Some(waits(&two.bob)));
    two.sends(5).await;
    nothing_but_another(&relay, &mut listening).await;
    relay.stop().await;
    assert_eq!(listening.next().await, None);
    let relay = server.relay().await;
    assert_eq!(listen(&relay).next().await, Some(waits(&two.bob)));

    // Who has come, and left again, is news again.
    let receiver = Peer::connect(&relay.socket, &two.bob).await;
    let mut listening = listen(&relay);
    nothing_but_another(&relay, &mut listening).await;
    drop(receiver);
    let mut stream = Stream::new(&Identity::random(), &two.bob);
    let mut sender = Peer::connect(&relay.socket, &Identity::random()).await;
    loop {
        // Until the relay knows that he has left.
        sender.sends(&mut stream, b"x").await;
        sender.until_accepted(1).await;
        let told = tokio::time::timeout(std::time::Duration::from_millis(100), listening.next()).await;
        if let Ok(told) = told {
            assert_eq!(told, Some(waits(&two.bob)));
            break;
        }
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_03_whose_mailbox_it_is_is_told_of_the_connection_that_proved_it_and_of_no_other() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let mut listening = listen(&relay);
    let (ada, bob) = (Identity::random(), Identity::random());
    // A connection that nobody carries, and a proof that is not of its connection.
    drop(Peer::connect(&relay.socket, &bob).await);
    let mut liar = Peer::unproved(&relay.socket, Some(carrier())).await.unwrap();
    let FromRelay::Challenge { relay: id, .. } = liar.welcome.clone() else {
        panic!()
    };
    liar.prove(&bob, &id, &[0; 32]).await;
    let Said::Text(FromRelay::Error { code, .. }) = liar.next().await else {
        panic!()
    };
    assert_eq!(code, Refusal::BadProof);
    let (first, second) = (carrier(), carrier());
    let replaced = Peer::carried(&relay.socket, &ada, first).await;
    assert_eq!(listening.next().await, Some(opened(first, &ada)));

    // Who listens later hears of the connection that counts.
    let _counts = Peer::carried(&relay.socket, &ada, second).await;
    assert_eq!(listening.next().await, Some(opened(second, &ada)));
    drop(replaced);
    assert_eq!(listen(&relay).next().await, Some(opened(second, &ada)));
    nothing_but_another(&relay, &mut listening).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_what_is_not_listened_to_is_kept_as_how_things_are_and_not_as_what_happened() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let mut listening = listen(&relay);
    let mut two = Two::at(&relay).await;
    let mut last = carrier();
    for _ in 0..20 {
        two.sends(1).await;
        last = carrier();
        let mut receiver = Peer::carried(&relay.socket, &two.bob, last).await;
        let Said::Deliver { number, .. } = receiver.next().await else {
            panic!()
        };
        receiver.ack(vec![number]).await;
        // What was acknowledged is gone when what came after it is kept.
        receiver.sends(&mut Stream::new(&two.bob, &two.ada), b"x").await;
        receiver.until_accepted(1).await;
    }
    // Twenty times something waited and was fetched: nothing of it is left but whose the mailbox was last.
    assert_eq!(listening.next().await, Some(opened(last, &two.bob)));
    relay.stop().await;
}

/// A request for the news, and what comes.
struct Asked {
    status: u16,
    lines: Lines<BufReader<UnixStream>>,
}

impl Asked {
    async fn with(relay: &Running, authorization: &str) -> Self {
        let mut stream = UnixStream::connect(&relay.socket).await.unwrap();
        let head = format!("GET /relay/news HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n{authorization}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next_line().await.unwrap().unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, lines }
    }

    async fn rightly(relay: &Running) -> Self {
        Self::with(relay, &format!("authorization: Bearer {}\r\n", news_token())).await
    }

    async fn next(&mut self) -> News {
        loop {
            let line = self.lines.next_line().await.unwrap().unwrap();
            if let Some(data) = line.strip_prefix("data:") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_03_the_news_are_told_to_who_presents_the_token_alone() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let mut two = Two::at(&relay).await;
    two.sends(1).await;
    let right = news_token();
    let wrong = [
        String::new(),
        format!("authorization: {right}\r\n"),
        format!("authorization: Basic {right}\r\n"),
        format!("authorization: Bearer {}\r\n", b64::encode([8; 32])),
        format!("authorization: Bearer {}\r\n", &right[1..]),
        "authorization: Bearer \r\n".to_owned(),
    ];
    for wrong in wrong {
        assert_eq!(Asked::with(&relay, &wrong).await.status, 401, "{wrong}");
    }
    let mut asked = Asked::rightly(&relay).await;
    assert_eq!(asked.status, 200);
    assert_eq!(asked.next().await, waits(&two.bob));
    // And what comes later.
    let id = carrier();
    let _receiver = Peer::carried(&relay.socket, &two.bob, id).await;
    assert_eq!(asked.next().await, opened(id, &two.bob));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_12_more_than_so_many_listeners_are_refused_by_name_until_one_leaves() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let mut listeners = Vec::new();
    for _ in 0..NEWS_LISTENERS {
        listeners.push(listen(&relay));
    }
    let mut refused = Asked::rightly(&relay).await;
    assert_eq!(refused.status, 503);
    let mut words = String::new();
    while !words.contains("NEWS_LISTENERS") {
        words = refused.lines.next_line().await.unwrap().expect("it says why");
    }
    listeners.pop();
    assert_eq!(Asked::rightly(&relay).await.status, 200);
    relay.stop().await;
}
