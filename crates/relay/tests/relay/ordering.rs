//! Whoever comes, goes, acknowledges or does not, in any order: each pair's envelopes arrive in order, and none is missing.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use vault::Identity;

use crate::support::{Peer, Running, Said, Seen, Server, Stream};

#[derive(Debug, Clone)]
enum Step {
    Send {
        sender: usize,
        receiver: usize,
        count: usize,
    },
    Receive {
        receiver: usize,
        acknowledge: bool,
    },
    Leave {
        receiver: usize,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize, 0..2_usize, 1..6_usize).prop_map(|(sender, receiver, count)| Step::Send { sender, receiver, count }),
        6 => (0..2_usize, any::<bool>()).prop_map(|(receiver, acknowledge)| Step::Receive { receiver, acknowledge }),
        2 => (0..2_usize).prop_map(|receiver| Step::Leave { receiver }),
        1 => Just(Step::Restart),
    ]
}

struct World<'a> {
    server: &'a Server,
    relay: Option<Running>,
    senders: [(Identity, Option<Peer>); 2],
    receivers: [(Identity, Option<Peer>); 2],
    streams: Vec<Stream>,
    seen: Vec<Seen>,
    sent: Vec<u64>,
}

impl<'a> World<'a> {
    async fn new(server: &'a Server) -> Self {
        let relay = server.relay().await;
        let people = || [(Identity::random(), None), (Identity::random(), None)];
        let (senders, receivers) = (people(), people());
        for (receiver, _) in &receivers {
            drop(Peer::connect(&relay.socket, receiver).await);
        }
        let pairs = senders
            .iter()
            .flat_map(|(from, _)| receivers.iter().map(move |(to, _)| Stream::new(from, to)));
        Self {
            streams: pairs.collect(),
            seen: (0..4).map(|_| Seen::nothing()).collect(),
            sent: vec![0; 4],
            server,
            relay: Some(relay),
            senders,
            receivers,
        }
    }

    async fn run(&mut self, step: Step) {
        let socket = self.relay.as_ref().unwrap().socket.clone();
        match step {
            Step::Send {
                sender,
                receiver,
                count,
            } => {
                let (identity, peer) = &mut self.senders[sender];
                if peer.is_none() {
                    *peer = Some(Peer::connect(&socket, identity).await);
                }
                let (peer, pair) = (peer.as_mut().unwrap(), sender * 2 + receiver);
                for _ in 0..count {
                    let (id, sealed) = self.streams[pair].next(b"x");
                    assert!(peer.send(self.streams[pair].to(), id, &sealed).await);
                }
                peer.until_accepted(count).await;
                self.sent[pair] += count as u64;
            }
            Step::Receive { receiver, acknowledge } => {
                if self.seen(receiver) < self.sent(receiver) {
                    self.receive(receiver, acknowledge).await;
                }
            }
            Step::Leave { receiver } => self.receivers[receiver].1 = None,
            Step::Restart => {
                self.relay.take().unwrap().stop().await;
                for (_, peer) in self.senders.iter_mut().chain(&mut self.receivers) {
                    *peer = None;
                }
                self.relay = Some(self.server.relay().await);
            }
        }
    }

    async fn receive(&mut self, receiver: usize, acknowledge: bool) {
        let socket = self.relay.as_ref().unwrap().socket.clone();
        let (identity, peer) = &mut self.receivers[receiver];
        if peer.is_none() {
            *peer = Some(Peer::connect(&socket, identity).await);
        }
        let Said::Deliver { number, id, sealed } = peer.as_mut().unwrap().next().await else {
            panic!("nothing came")
        };
        let opened = vault::open_envelope(identity.agreement(), id.uuid().as_bytes(), &sealed).unwrap();
        let sender = self
            .senders
            .iter()
            .position(|(from, _)| from.public() == opened.sender)
            .unwrap();
        // Fails when one is missing before it.
        self.seen[sender * 2 + receiver].take(identity, id, &sealed);
        if acknowledge {
            peer.as_mut().unwrap().ack(vec![number]).await;
        }
    }

    fn seen(&self, receiver: usize) -> u64 {
        self.seen[receiver].last + self.seen[2 + receiver].last
    }

    fn sent(&self, receiver: usize) -> u64 {
        self.sent[receiver] + self.sent[2 + receiver]
    }

    /// Everything that was accepted arrives in the end.
    async fn end(mut self) {
        for receiver in 0..2 {
            while self.seen(receiver) < self.sent(receiver) {
                self.receive(receiver, true).await;
            }
        }
        self.relay.take().unwrap().stop().await;
    }
}

#[test]
fn envelopes_of_each_pair_arrive_in_order_and_none_is_missing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = runtime.block_on(Server::new());
    let config = ProptestConfig {
        cases: 24,
        max_shrink_iters: 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&vec(step(), 1..40), |steps| {
        runtime.block_on(async {
            let mut world = World::new(&server).await;
            for step in steps {
                world.run(step).await;
            }
            world.end().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
