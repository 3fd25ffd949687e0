//! What a platform can do to frames that it cannot read: each is found by the end that it was meant for.

use std::sync::{Arc, Mutex};

use client::{Channel, ClientError, Events, Handshake};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use vault::FrameError;

use super::bench::{TestKeeper, end_of, password};
use super::middle::{Way, through};

/// What is done to the frames of one direction, once it is switched on.
type Attack = fn(&mut Vec<Message>, Message) -> Vec<Message>;

/// How the end that it was meant for names it.
type Named = fn(&FrameError) -> bool;

const ATTACKS: [(&str, Attack, Named); 6] = [
    (
        "replayed",
        |_, frame| vec![frame.clone(), frame],
        |error| matches!(error, FrameError::OutOfOrder { .. }),
    ),
    (
        "reordered",
        |held, frame| match held.pop() {
            Some(earlier) => vec![frame, earlier],
            None => {
                held.push(frame);
                vec![]
            }
        },
        |error| matches!(error, FrameError::OutOfOrder { .. }),
    ),
    (
        "dropped",
        |held, frame| {
            held.push(frame.clone());
            if held.len() == 1 { vec![] } else { vec![frame] }
        },
        |error| matches!(error, FrameError::OutOfOrder { .. }),
    ),
    (
        "cut",
        |_, frame| {
            let bytes = frame.into_data();
            vec![Message::binary(bytes.slice(..bytes.len() - 1))]
        },
        |error| matches!(error, FrameError::Tampered),
    ),
    (
        "cut to nothing",
        |_, frame| vec![Message::binary(frame.into_data().slice(..4))],
        |error| matches!(error, FrameError::Truncated(_)),
    ),
    (
        "changed",
        |_, frame| {
            let mut bytes = frame.into_data().to_vec();
            let last = bytes.len() - 20;
            bytes[last] ^= 1;
            vec![Message::binary(bytes)]
        },
        |error| matches!(error, FrameError::Tampered),
    ),
];

async fn attacked(keeper: &TestKeeper, slot: protocol::SlotId, way: Way, attack: Attack) -> (Channel, Events, Switch) {
    let on = Switch::default();
    let switch = on.clone();
    let mut held = Vec::new();
    let socket = through(keeper, move |direction, message| {
        if direction == way && message.is_binary() && *switch.0.lock().unwrap() {
            attack(&mut held, message)
        } else {
            vec![message]
        }
    })
    .await;
    let (channel, events) = Handshake::open(socket, None)
        .await
        .unwrap()
        .login(slot, &password())
        .await
        .unwrap();
    // Both directions work before the attack begins.
    assert_eq!(channel.call("test.echo", json!(0)).await.unwrap(), json!(0));
    (channel, events, on)
}

#[derive(Clone, Default)]
struct Switch(Arc<Mutex<bool>>);

impl Switch {
    fn on(&self) {
        *self.0.lock().unwrap() = true;
    }
}

#[tokio::test]
async fn promise_02_a_keeper_refuses_frames_that_were_replayed_reordered_dropped_cut_or_changed() {
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    for (name, attack, _) in ATTACKS {
        let (channel, mut events, switch) = attacked(&keeper, slot, Way::ToKeeper, attack).await;
        switch.on();
        let calls = futures::future::join_all((1..=2).map(|n| channel.call("test.echo", json!(n))));
        let (answers, end) = tokio::join!(calls, end_of(&mut events));
        assert!(answers.iter().any(Result::is_err), "{name}");
        assert!(
            matches!(&end, ClientError::Closed(Some(reason)) if reason.contains("frame was refused")),
            "{name}: {end}"
        );
    }
}

#[tokio::test]
async fn promise_02_a_client_refuses_frames_that_were_replayed_reordered_dropped_cut_or_changed() {
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    for (name, attack, expected) in ATTACKS {
        let (channel, mut events, switch) = attacked(&keeper, slot, Way::ToClient, attack).await;
        switch.on();
        let calls = futures::future::join_all((1..=2).map(|n| channel.call("test.echo", json!(n))));
        let (answers, end) = tokio::join!(calls, end_of(&mut events));
        assert!(answers.iter().any(Result::is_err), "{name}");
        assert!(
            matches!(&end, ClientError::Frame(error) if expected(error)),
            "{name}: {end}"
        );
    }
}

#[tokio::test]
async fn promise_02_a_frame_of_one_direction_is_refused_in_the_other() {
    let (keeper, slot, ..) = TestKeeper::with_vault().await;
    let (near, far) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(false)));
    let (first, sent) = (Arc::clone(&near), Arc::clone(&far));
    // The keeper's first frame is sent back to it in place of the client's first.
    let socket = through(&keeper, move |way, message| match way {
        Way::ToClient => {
            if message.is_binary() {
                first.lock().unwrap().get_or_insert(message.clone());
            }
            vec![message]
        }
        Way::ToKeeper if message.is_binary() => {
            *sent.lock().unwrap() = true;
            vec![first.lock().unwrap().clone().unwrap()]
        }
        Way::ToKeeper => vec![message],
    })
    .await;
    let mut handshake = Handshake::open(socket, None).await.unwrap();
    let (channel, mut events) = handshake.login(slot, &password()).await.unwrap();
    let (answer, end) = tokio::join!(channel.call("test.echo", json!(1)), end_of(&mut events));
    assert!(answer.is_err());
    assert!(*far.lock().unwrap());
    assert!(
        matches!(&end, ClientError::Closed(Some(reason)) if reason.contains("frame was refused")),
        "{end}"
    );
}
