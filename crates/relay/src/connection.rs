//! One keeper's connection: it shows that a mailbox is its own, then sends, fetches and acknowledges until it breaks.

mod epochs;
mod receiving;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use protocol::CarrierId;
use protocol::limits::RELAY_WINDOW;
use protocol::relay::{FromMailbox, FromRelay, PROOF_PURPOSE, Refusal, VERSION, proof_message};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

use crate::mailbox::Mailbox;
use crate::{Shared, limits, store};

static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// What a connection is to write. Bounded by what may be in flight: the window of deliveries, and of what was sent.
#[derive(Clone)]
pub(crate) struct Outgoing(mpsc::UnboundedSender<Out>);

enum Out {
    Binary(Bytes),
    Text(Utf8Bytes),
    /// The last message: the connection ends after it.
    Last(Utf8Bytes),
}

impl Outgoing {
    /// A connection that ended meanwhile takes nothing.
    pub fn binary(&self, message: Bytes) {
        let _ended = self.0.send(Out::Binary(message));
    }

    fn text(&self, message: &FromRelay) {
        if let Some(text) = text(message) {
            let _ended = self.0.send(Out::Text(text));
        }
    }

    /// Another connection counts.
    pub fn replaced(&self) {
        self.end(Refused::new(Refusal::Replaced, "this mailbox was connected again"));
    }

    fn end(&self, Refused { code, message }: Refused) {
        let last = text(&FromRelay::Error { code, message }).unwrap_or_default();
        let _ended = self.0.send(Out::Last(last));
    }
}

fn text(message: &FromRelay) -> Option<Utf8Bytes> {
    serde_json::to_string(message).ok().map(Into::into)
}

/// A task that ends with whoever holds this.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Leaves the seat, however the connection ends.
struct Seated {
    mailbox: Arc<Mailbox>,
    connection: u64,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.mailbox.leave(self.connection);
    }
}

/// Why a connection is ended by us.
struct Refused {
    code: Refusal,
    message: String,
}

impl Refused {
    fn new(code: Refusal, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// Serves one connection, over which a mailbox may be made where it `opens`.
pub(crate) async fn serve(shared: Arc<Shared>, mut socket: WebSocket, carrier: Option<CarrierId>, opens: bool) {
    let proved = tokio::time::timeout(limits::PROOF, prove(&shared, &mut socket, opens)).await;
    let mailbox = match proved {
        Ok(Ok(Some(mailbox))) => mailbox,
        Ok(Ok(None)) => return,
        Ok(Err(refused)) => return close(socket, refused).await,
        Err(_) => return close(socket, Refused::new(Refusal::BadProof, "no proof in time")).await,
    };
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let (outgoing, to_write) = mpsc::unbounded_channel();
    let outgoing = Outgoing(outgoing);
    let feed = Arc::new(Notify::new());
    let (sink, stream) = socket.split();
    let epochs = epochs::Followed::new(Arc::clone(&shared), Arc::clone(&mailbox));
    let (epoch_frames, to_push) = mpsc::channel(limits::EPOCH_QUEUE);

    let epoch = shared.revocations.newest(mailbox.id);
    let waiting = mailbox.waiting();
    outgoing.text(&FromRelay::Welcome {
        waiting: waiting.into(),
        epoch,
    });
    // After the welcome: whatever was there before it is replaced now.
    mailbox.sit(connection, outgoing.clone(), Arc::clone(&feed), carrier);
    let _seated = Seated {
        mailbox: Arc::clone(&mailbox),
        connection,
    };
    info!(mailbox = %mailbox.key, connection, waiting, "connected");
    // After it is seated: from here on nobody is told that something waits for it.
    if let Some(carrier) = carrier {
        shared.news.opened(mailbox.key, carrier);
    }
    tokio::spawn(note_seen(Arc::clone(&shared), Arc::clone(&mailbox)));
    let feeding = feed_waiting(Arc::clone(&shared), Arc::clone(&mailbox), connection, feed);
    let _feeder = Ends(tokio::spawn(feeding).abort_handle());
    let _pusher = Ends(tokio::spawn(epochs.clone().push(epoch_frames)).abort_handle());
    let receiving = receiving::Receiving {
        shared: Arc::clone(&shared),
        mailbox: Arc::clone(&mailbox),
        connection,
        outgoing,
        window: Arc::new(Semaphore::new(RELAY_WINDOW)),
        epochs,
    };
    tokio::select! {
        () = write(sink, to_write, to_push) => {}
        () = receive(receiving, stream) => {}
        () = shared.end.cancelled() => {}
    }
    info!(mailbox = %mailbox.key, connection, "gone");
}

/// The handshake: none if the keeper left.
async fn prove(shared: &Shared, socket: &mut WebSocket, opens: bool) -> Result<Option<Arc<Mailbox>>, Refused> {
    let mut challenge = [0; 32];
    getrandom::fill(&mut challenge).map_err(|_| Refused::new(Refusal::Unavailable, "no random numbers"))?;
    let hello = FromRelay::Challenge {
        version: VERSION,
        relay: shared.relay.to_vec(),
        challenge: challenge.to_vec(),
    };
    let Some(hello) = text(&hello) else { return Ok(None) };
    if socket.send(Message::Text(hello)).await.is_err() {
        return Ok(None);
    }
    let answer = loop {
        match socket.recv().await {
            Some(Ok(Message::Text(answer))) => break answer,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(Refused::new(Refusal::Malformed, "the proof comes first")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
        }
    };
    let (key, signature) = match serde_json::from_str(&answer) {
        Ok(FromMailbox::Prove {
            version: VERSION,
            key,
            signature,
        }) => (key, signature),
        Ok(FromMailbox::Prove { version, .. }) => {
            let words = format!("version {version} is not spoken here; this relay speaks {VERSION}");
            return Err(Refused::new(Refusal::Malformed, words));
        }
        _ => return Err(Refused::new(Refusal::Malformed, "the proof comes first")),
    };
    let message = proof_message(&shared.relay, &challenge);
    let right = <[u8; 64]>::try_from(signature).is_ok_and(|signature| key.signed(PROOF_PURPOSE, &message, &signature));
    if !right {
        return Err(Refused::new(
            Refusal::BadProof,
            "the proof is not signed by this key for this connection",
        ));
    }
    if let Some(mailbox) = shared.mailboxes.get(&key) {
        return Ok(Some(mailbox));
    }
    if !opens {
        let words = "no new mailbox is made over this connection: too many were made from where it comes (RELAY_MAILBOXES). Try again later";
        return Err(Refused::new(Refusal::LimitReached, words));
    }
    if shared.mailboxes.count() >= limits::MAILBOXES {
        let words = format!("this relay has MAILBOXES ({}) already", limits::MAILBOXES);
        return Err(Refused::new(Refusal::LimitReached, words));
    }
    match store::mailbox(shared.database.pool(), &key).await {
        Ok(id) => Ok(Some(shared.mailboxes.add(key, id))),
        Err(error) => {
            warn!(%error, "a mailbox could not be made");
            Err(Refused::new(
                Refusal::Unavailable,
                "the relay's database does not answer",
            ))
        }
    }
}

async fn close(mut socket: WebSocket, refused: Refused) {
    debug!(code = ?refused.code, "refused a connection");
    let Refused { code, message } = refused;
    let last = text(&FromRelay::Error { code, message });
    let ending = async {
        if let Some(last) = last {
            // The connection may be gone already.
            let _gone = socket.send(Message::Text(last)).await;
        }
        let frame = CloseFrame {
            code: close_code::POLICY,
            reason: Utf8Bytes::default(),
        };
        let _gone = socket.send(Message::Close(Some(frame))).await;
    };
    let _stalled = tokio::time::timeout(limits::PROOF, ending).await;
}

/// That somebody came. Nothing that waits for them waits for this.
async fn note_seen(shared: Arc<Shared>, mailbox: Arc<Mailbox>) {
    if let Err(error) = store::seen(shared.database.pool(), mailbox.id).await {
        debug!(%error, mailbox = %mailbox.key, "that somebody came is not noted");
    }
}

/// Hands over what waits in the database, whenever there is room for more.
async fn feed_waiting(shared: Arc<Shared>, mailbox: Arc<Mailbox>, connection: u64, feed: Arc<Notify>) {
    loop {
        feed.notified().await;
        while let Some(asked) = mailbox.to_feed(connection) {
            match store::waiting(shared.database.pool(), mailbox.id, asked).await {
                Ok(read) => mailbox.feed(connection, asked, &read),
                Err(error) => {
                    warn!(%error, mailbox = %mailbox.key, "what waits could not be read; it is tried again");
                    tokio::time::sleep(limits::DATABASE_RETRY).await;
                }
            }
        }
    }
}

/// Writes what there is, and flushes when there is no more. Ends when the other side does not take it.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut outgoing: mpsc::UnboundedReceiver<Out>,
    mut epochs: mpsc::Receiver<Utf8Bytes>,
) {
    let mut ping = tokio::time::interval(limits::SILENCE / 3);
    ping.reset();
    let mut some = Vec::with_capacity(64);
    loop {
        let mut last = false;
        let written = tokio::select! {
            count = outgoing.recv_many(&mut some, 64) => {
                if count == 0 {
                    return;
                }
                let writing = async {
                    for out in some.drain(..) {
                        let message = match out {
                            Out::Binary(bytes) => Message::Binary(bytes),
                            Out::Text(text) => Message::Text(text),
                            Out::Last(text) => {
                                last = true;
                                Message::Text(text)
                            }
                        };
                        sink.feed(message).await?;
                    }
                    sink.flush().await
                };
                tokio::time::timeout(limits::STALLED, writing).await
            }
            Some(epoch) = epochs.recv() => tokio::time::timeout(limits::STALLED, sink.send(Message::Text(epoch))).await,
            _ = ping.tick() => tokio::time::timeout(limits::STALLED, sink.send(Message::Ping(Bytes::new()))).await,
        };
        if last || !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

/// Reads until the keeper leaves, is silent, or says what is not understood.
async fn receive(mut receiving: receiving::Receiving, mut stream: SplitStream<WebSocket>) {
    loop {
        let message = match tokio::time::timeout(limits::SILENCE, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(_)) | None) | Err(_) => return,
        };
        let taken = match message {
            Message::Binary(frame) => receiving.frame(frame).await,
            Message::Text(text) => receiving.text(&text).await,
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => return,
        };
        if let Err(refused) = taken {
            receiving.outgoing.end(refused);
            // The other half ends the connection once that is written.
            return std::future::pending().await;
        }
    }
}
