//! What waits to be sent on one channel: bounded, and never waited for by whoever sends.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use protocol::channel::ChannelError;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::close::Close;
use crate::limits::{OUTGOING_BYTES, OUTGOING_MESSAGES};

/// What a frame adds to its JSON.
const FRAME_OVERHEAD: usize = 26;
const LARGEST: usize = protocol::limits::FRAME_BYTES - FRAME_OVERHEAD;

/// One open channel, to send events to. Cheap to clone; does not keep the channel open.
#[derive(Clone)]
pub struct Subscriber {
    inner: Arc<Outgoing>,
}

struct Outgoing {
    id: u64,
    queue: mpsc::Sender<Zeroizing<Vec<u8>>>,
    waiting: AtomicUsize,
    closing: CancellationToken,
    why: OnceLock<Close>,
}

/// The other end of the queue.
pub(super) struct Queue {
    receiver: mpsc::Receiver<Zeroizing<Vec<u8>>>,
    outgoing: Arc<Outgoing>,
}

#[derive(Serialize)]
struct Event<'a, T> {
    event: &'a str,
    data: &'a T,
}

#[derive(Serialize)]
struct Failure<'a> {
    id: u64,
    error: &'a ChannelError,
}

/// An event as bytes, to be sent to many.
pub(super) fn event_bytes(event: &str, data: &impl Serialize) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = serde_json::to_vec(&Event { event, data }).map(Zeroizing::new);
    match bytes {
        Ok(bytes) if bytes.len() <= LARGEST => Some(bytes),
        Ok(bytes) => {
            tracing::error!(
                event,
                bytes = bytes.len(),
                "an event does not fit a frame (FRAME_BYTES); it was dropped"
            );
            None
        }
        Err(error) => {
            tracing::error!(event, %error, "an event does not serialise; it was dropped");
            None
        }
    }
}

impl Subscriber {
    pub(super) fn new(id: u64) -> (Self, Queue) {
        let (queue, receiver) = mpsc::channel(OUTGOING_MESSAGES);
        let outgoing = Arc::new(Outgoing {
            id,
            queue,
            waiting: AtomicUsize::new(0),
            closing: CancellationToken::new(),
            why: OnceLock::new(),
        });
        let subscriber = Self {
            inner: Arc::clone(&outgoing),
        };
        (subscriber, Queue { receiver, outgoing })
    }

    /// A number of its own for each channel of this keeper.
    pub fn id(&self) -> u64 {
        self.inner.id
    }

    /// Sends an event. Never waits: a client that reads too slowly is closed instead. False when the channel is gone or the
    /// event does not fit a frame.
    pub fn event(&self, event: &str, data: &impl Serialize) -> bool {
        event_bytes(event, data).is_some_and(|bytes| self.send(bytes))
    }

    /// Ends when the channel is closed.
    pub async fn closed(&self) {
        self.inner.closing.cancelled().await;
    }

    /// Whether the channel is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.closing.is_cancelled()
    }

    pub(super) fn send(&self, bytes: Zeroizing<Vec<u8>>) -> bool {
        if self.is_closed() {
            return false;
        }
        let length = bytes.len();
        let waiting = self.inner.waiting.fetch_add(length, Ordering::Relaxed) + length;
        if waiting > OUTGOING_BYTES || self.inner.queue.try_send(bytes).is_err() {
            self.close(Some(Close::TooSlow));
            return false;
        }
        true
    }

    /// Answers a request with a result that is JSON already.
    pub(super) fn result(&self, id: u64, result: &[u8]) -> bool {
        let head = format!("{{\"id\":{id},\"result\":");
        let length = head.len() + result.len() + 1;
        if length > LARGEST {
            let text = format!("The answer has {length} bytes, more than a frame carries (FRAME_BYTES): ask for less.");
            return self.error(id, &ChannelError::new("too_large", text));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(result);
        bytes.push(b'}');
        self.send(bytes)
    }

    pub(super) fn error(&self, id: u64, error: &ChannelError) -> bool {
        serde_json::to_vec(&Failure { id, error }).is_ok_and(|bytes| self.send(Zeroizing::new(bytes)))
    }

    /// Closes the channel; the first reason is the one that is told.
    pub(super) fn close(&self, why: Option<Close>) {
        if let Some(why) = why {
            let _ = self.inner.why.set(why);
        }
        self.inner.closing.cancel();
    }
}

impl Queue {
    /// The next message; none when the channel is to be closed.
    pub async fn next(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        let closing = self.outgoing.closing.clone();
        tokio::select! {
            biased;
            () = closing.cancelled() => None,
            bytes = self.receiver.recv() => bytes,
        }
    }

    /// A message of this length has left.
    pub fn sent(&self, length: usize) {
        self.outgoing.waiting.fetch_sub(length, Ordering::Relaxed);
    }

    pub async fn closed(&self) {
        self.outgoing.closing.cancelled().await;
    }

    /// Nothing more is sent.
    pub fn close(&self) {
        self.outgoing.closing.cancel();
    }

    pub fn why(&self) -> Option<Close> {
        self.outgoing.why.get().copied()
    }
}
