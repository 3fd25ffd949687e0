//! Two WebSockets as one. Each message is taken from one side and written to the other before the next is read, so that
//! a slow reader slows its writer, and at most one message a direction is held.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, timeout};

use super::{Admission, close};
use crate::cell::Shared;
use crate::limits;
use crate::service::KeeperChannel;

type Sink = SplitSink<WebSocket, Message>;
type Source = SplitStream<WebSocket>;

/// How a side ended, which the other side is told.
struct Ending {
    code: u16,
    reason: String,
}

impl Ending {
    fn new(code: u16, reason: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
        }
    }
}

/// Forwards until either side ends, then ends the other.
pub(super) async fn join(client: WebSocket, keeper: KeeperChannel, shared: &Shared, admission: &dyn Admission) {
    let KeeperChannel { socket, permit } = keeper;
    let (mut to_client, mut from_client) = client.split();
    let (mut to_keeper, mut from_keeper) = socket.split();
    let ending = tokio::select! {
        ending = up(&mut from_client, &mut to_keeper, shared, admission) => ending,
        ending = down(&mut from_keeper, &mut to_client, shared) => ending,
        () = admission.ended() => Ending::new(close::SESSION_ENDED, "this session is over"),
    };
    drop(permit);
    let say = |ending: &Ending| {
        Message::Close(Some(CloseFrame {
            code: ending.code,
            reason: ending.reason.as_str().into(),
        }))
    };
    let _ = tokio::join!(
        timeout(limits::DIAL, to_client.send(say(&ending))),
        timeout(limits::DIAL, to_keeper.send(say(&ending))),
    );
    // Lets the other side's close frame arrive, so that what was sent before is not lost to a reset.
    let _ = tokio::join!(
        timeout(Duration::from_secs(1), drain(&mut from_client)),
        timeout(Duration::from_secs(1), drain(&mut from_keeper)),
    );
}

async fn drain(source: &mut Source) {
    while let Some(Ok(_)) = source.next().await {}
}

/// From the client to the keeper. Counts as use of the cell and of the session.
async fn up(from: &mut Source, to: &mut Sink, shared: &Shared, admission: &dyn Admission) -> Ending {
    loop {
        let message = match timeout(limits::CLIENT_SILENCE, from.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return broken(&error, close_code::AWAY, "the client is gone"),
            Ok(None) => return Ending::new(close_code::AWAY, "the client is gone"),
            Err(_) => return Ending::new(close::SILENT, "the client is silent"),
        };
        match message {
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(frame) => return closed(frame, close_code::NORMAL),
            message => {
                shared.client_wrote();
                admission.used();
                if !matches!(timeout(limits::FORWARD, to.send(message)).await, Ok(Ok(()))) {
                    return Ending::new(close::KEEPER_GONE, "the keeper is gone");
                }
            }
        }
    }
}

/// From the keeper to the client, with pings while it is quiet.
async fn down(from: &mut Source, to: &mut Sink, shared: &Shared) -> Ending {
    let mut ping = Instant::now() + limits::PING_EVERY;
    loop {
        let message = tokio::select! {
            message = from.next() => match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => return broken(&error, close::KEEPER_GONE, "the keeper is gone"),
                None => return Ending::new(close::KEEPER_GONE, "the keeper is gone"),
            },
            () = tokio::time::sleep_until(ping) => {
                ping = Instant::now() + limits::PING_EVERY;
                Message::Ping(Bytes::new())
            }
        };
        match message {
            Message::Pong(_) => continue,
            Message::Close(frame) => return closed(frame, close::KEEPER_GONE),
            Message::Ping(_) => {}
            _ => shared.activity.keeper_wrote(),
        }
        if !matches!(timeout(limits::FORWARD, to.send(message)).await, Ok(Ok(()))) {
            return Ending::new(close_code::AWAY, "the client is gone");
        }
    }
}

fn closed(frame: Option<CloseFrame>, otherwise: u16) -> Ending {
    match frame {
        Some(frame) => Ending::new(frame.code, &frame.reason),
        None => Ending::new(otherwise, ""),
    }
}

/// A message beyond the limit is named; everything else is a side that went away.
fn broken(error: &axum::Error, otherwise: u16, reason: &str) -> Ending {
    // axum hides the kind of the error; a test of the proxy fails when the words change.
    if error.to_string().contains("too long") {
        return Ending::new(close_code::SIZE, "a message is larger than FRAME_BYTES");
    }
    Ending::new(otherwise, reason)
}
