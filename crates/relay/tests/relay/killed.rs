//! Whatever is killed: what was accepted arrives, once to the application, in order.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use protocol::EnvelopeId;
use protocol::relay::news::News;
use tokio::sync::watch;
use vault::Identity;

use crate::support::{Peer, Process, Said, Seen, Server, Stream, key};

const MESSAGES: usize = 1200;

/// Sends until all is accepted, again what was not, to whatever relay is there.
async fn send_all(
    socket: PathBuf,
    ada: Identity,
    bob: Identity,
    progress: watch::Sender<usize>,
    mut received: watch::Receiver<u64>,
) {
    let mut stream = Stream::new(&ada, &bob);
    let mut unaccepted: VecDeque<(EnvelopeId, Vec<u8>)> = VecDeque::new();
    let (mut made, mut accepted) = (0, 0);
    while accepted < MESSAGES {
        let Some(mut peer) = reconnect(&socket, &ada).await else {
            continue;
        };
        let mut broken = false;
        for (id, sealed) in &unaccepted {
            broken |= !peer.send(stream.to(), *id, sealed).await;
        }
        while !broken && accepted < MESSAGES {
            // Fewer than may wait for one receiver, so that nothing is refused.
            let fits = |made: usize, received: u64| made as u64 - received < 100;
            if unaccepted.is_empty() {
                received.wait_for(|received| fits(made, *received)).await.unwrap();
            }
            while made < MESSAGES && unaccepted.len() < 50 && fits(made, *received.borrow()) {
                let (id, sealed) = stream.next(&made.to_be_bytes());
                broken |= !peer.send(stream.to(), id, &sealed).await;
                unaccepted.push_back((id, sealed));
                made += 1;
            }
            match peer.next().await {
                Said::Accepted(ids) => {
                    for id in ids {
                        let (first, _) = unaccepted.pop_front().unwrap();
                        assert_eq!(first, id, "accepted in another order than it was sent");
                        accepted += 1;
                    }
                    progress.send_replace(accepted);
                }
                Said::Gone => broken = true,
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn receive_all(socket: PathBuf, bob: Identity, received: watch::Sender<u64>) {
    let mut seen = Seen::nothing();
    while seen.last < MESSAGES as u64 {
        let Some(mut peer) = reconnect(&socket, &bob).await else {
            continue;
        };
        while seen.last < MESSAGES as u64 {
            let Said::Deliver { number, id, sealed } = peer.next().await else {
                break;
            };
            // An assertion in here fails if one is missing; one that comes again is not new.
            seen.take(&bob, id, &sealed);
            received.send_replace(seen.last);
            if !peer.ack(vec![number]).await {
                break;
            }
        }
    }
}

async fn reconnect(socket: &Path, identity: &Identity) -> Option<Peer> {
    let peer = Peer::try_connect(socket, identity).await;
    if peer.is_none() {
        // A relay that is not there cannot tell when it is.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    peer
}

fn copy(identity: &Identity) -> Identity {
    Identity::decode(&identity.encode()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_05_kill_9_of_the_relay_loses_nothing_that_was_accepted_and_repeats_nothing() {
    let server = Server::new().await;
    let socket = server.folder.path().join("relay.sock");
    let mut relay = Process::start(&server).await;
    let (ada, bob) = (Identity::random(), Identity::random());
    while Peer::try_connect(&socket, &bob).await.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (progress, mut so_far) = watch::channel(0);
    let (received, behind) = watch::channel(0);
    let sending = tokio::spawn(send_all(socket.clone(), copy(&ada), copy(&bob), progress, behind));
    let receiving = tokio::spawn(receive_all(socket.clone(), copy(&bob), received));
    for part in 1..5 {
        so_far
            .wait_for(|accepted| *accepted > MESSAGES * part / 5)
            .await
            .unwrap();
        relay.kill_9().await;
        relay = Process::start(&server).await;
    }
    sending.await.unwrap();
    receiving.await.unwrap();
    relay.kill_9().await;
    // Nothing is left but what was taken and not acknowledged in time.
    let relay = server.relay().await;
    let mut listening = relay.relay.lookout().listen().unwrap();
    relay.stop().await;
    while let Some(news) = listening.next().await {
        assert_eq!(news, News::Waits { mailbox: key(&bob) });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_05_kill_9_of_postgresql_loses_nothing_that_was_accepted_and_repeats_nothing() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let (ada, bob) = (Identity::random(), Identity::random());
    drop(Peer::connect(&relay.socket, &bob).await);
    let (progress, mut so_far) = watch::channel(0);
    let (received, behind) = watch::channel(0);
    let sending = tokio::spawn(send_all(relay.socket.clone(), copy(&ada), copy(&bob), progress, behind));
    let receiving = tokio::spawn(receive_all(relay.socket.clone(), copy(&bob), received));
    let mut pid = server.cluster.pid();
    for part in 1..4 {
        so_far
            .wait_for(|accepted| *accepted > MESSAGES * part / 4)
            .await
            .unwrap();
        let now = pid.wait_for(Option::is_some).await.unwrap().unwrap();
        let process = rustix::process::Pid::from_raw(now).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        pid.wait_for(|pid| *pid != Some(now)).await.unwrap();
    }
    sending.await.unwrap();
    receiving.await.unwrap();
    relay.stop().await;
}
