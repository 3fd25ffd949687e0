//! A channel that is up: frames in both directions, requests that run at once, and their cancellation.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use protocol::channel::{ChannelError, VaultState};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use vault::{FrameOpener, FrameSealer};
use zeroize::Zeroizing;

use super::close::Close;
use super::handshake::Established;
use super::host::{ChannelHost, Connection, Inner};
use super::methods::unknown_method;
use super::outgoing::{Queue, Subscriber};
use super::own_methods;
use super::tickets::Ticket;
use crate::limits::{CLOSE_GRACE, REQUESTS_AT_ONCE};

/// What may be asked for while the vault is not unlocked.
const ALWAYS: [&str; 3] = ["vault.create", "vault.unlock", "vault.status"];

/// A message of the client. The parameters stay as they are until it is known who reads them: some are secret, and are read
/// into memory that is wiped.
#[derive(Deserialize)]
pub(super) struct Incoming<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) params: Option<&'a RawValue>,
    cancel: Option<u64>,
}

pub(super) async fn run<S>(
    host: &ChannelHost,
    connection: &Connection,
    socket: WebSocketStream<S>,
    established: Established,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sink, stream) = socket.split();
    let (subscriber, queue) = Subscriber::new(connection.id);
    let sealer = FrameSealer::new(&established.keys.keeper_to_client);
    let opener = FrameOpener::new(&established.keys.client_to_keeper);
    // The first frame proves to the client that this keeper has the session key.
    host.inner.send_ready(&subscriber, established.slot);
    host.inner.opened(&subscriber, established.slot);
    let reader = Reader {
        host: Arc::clone(&host.inner),
        subscriber,
        opener,
        ticket: established.ticket,
        tasks: JoinSet::new(),
        requests: HashMap::new(),
        numbers: HashMap::new(),
    };
    tokio::join!(write(sink, queue, sealer), reader.run(stream));
}

/// Seals and sends what waits, until the channel is closed.
async fn write<S>(mut sink: SplitSink<WebSocketStream<S>, Message>, mut queue: Queue, mut sealer: FrameSealer)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(body) = queue.next().await {
        let Ok(frame) = sealer.seal(&body) else { break };
        let sent = tokio::select! {
            sent = sink.send(Message::binary(frame)) => sent.is_ok(),
            () = queue.closed() => false,
        };
        if !sent {
            break;
        }
        queue.sent(body.len());
    }
    let farewell = Message::Close(queue.why().map(Close::frame));
    let _ = tokio::time::timeout(CLOSE_GRACE, sink.send(farewell)).await;
    let _ = tokio::time::timeout(CLOSE_GRACE, sink.close()).await;
    queue.close();
}

struct Reader {
    host: Arc<Inner>,
    subscriber: Subscriber,
    opener: FrameOpener,
    /// What this channel was resumed with, until its client has spoken.
    ticket: Option<Ticket>,
    tasks: JoinSet<()>,
    /// By the number that the client gave it.
    requests: HashMap<u64, AbortHandle>,
    numbers: HashMap<Id, u64>,
}

impl Reader {
    /// Reads until the connection ends; what still runs then is dropped.
    async fn run<S>(mut self, mut stream: SplitStream<WebSocketStream<S>>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let subscriber = self.subscriber.clone();
        loop {
            let message = tokio::select! {
                biased;
                () = subscriber.closed() => break,
                Some(done) = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    self.ended(done.map_or_else(|error| error.id(), |(id, ())| id));
                    continue;
                }
                message = stream.next() => message,
            };
            let outcome = match message {
                Some(Ok(Message::Binary(frame))) => match self.opener.open(&frame) {
                    Ok(_) if !self.is_the_first() => Err(Close::TicketSpent),
                    Ok(body) => self.message(&body),
                    Err(error) => {
                        tracing::warn!(%error, "a channel is closed");
                        Err(Close::FrameRefused)
                    }
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                Some(Ok(Message::Text(_) | Message::Frame(_))) => Err(Close::Malformed),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
            };
            if let Err(why) = outcome {
                self.subscriber.close(Some(why));
                break;
            }
        }
        self.subscriber.close(None);
    }

    /// Of several channels that were resumed with one ticket, the first to speak is its client's.
    fn is_the_first(&mut self) -> bool {
        let ticket = self.ticket.take();
        ticket.is_none_or(|ticket| self.host.tickets.spend(&ticket))
    }

    fn ended(&mut self, task: Id) {
        if let Some(number) = self.numbers.remove(&task) {
            self.requests.remove(&number);
        }
    }

    fn message(&mut self, body: &Zeroizing<Vec<u8>>) -> Result<(), Close> {
        let message: Incoming<'_> = serde_json::from_slice(body).map_err(|_| Close::Malformed)?;
        match (message.id, message.method, message.cancel) {
            (Some(id), Some(method), None) => {
                self.request(id, &method, message.params);
                Ok(())
            }
            (None, None, Some(id)) => {
                if let Some(request) = self.requests.remove(&id) {
                    request.abort();
                    self.subscriber
                        .error(id, &ChannelError::new("cancelled", "The request was cancelled."));
                }
                Ok(())
            }
            _ => Err(Close::Malformed),
        }
    }

    fn request(&mut self, id: u64, method: &str, params: Option<&RawValue>) {
        if let Err(error) = self.accept(id, method, params) {
            self.subscriber.error(id, &error);
        }
    }

    fn accept(&mut self, id: u64, method: &str, params: Option<&RawValue>) -> Result<(), ChannelError> {
        if self.requests.contains_key(&id) {
            return Err(ChannelError::new(
                "malformed",
                "A request with this id is still running.",
            ));
        }
        if self.requests.len() >= REQUESTS_AT_ONCE {
            let text = format!("More than {REQUESTS_AT_ONCE} requests run at once (REQUESTS_AT_ONCE): wait for one.");
            return Err(ChannelError::new("too_many_requests", text));
        }
        if !ALWAYS.contains(&method) {
            match self.host.vault.state() {
                VaultState::Unlocked => {}
                VaultState::Locked => return Err(crate::vault_service::VaultError::Locked.into()),
                VaultState::New => return Err(crate::vault_service::VaultError::New.into()),
            }
        }
        if method != "vault.status" {
            self.host.vault.touch();
        }
        let subscriber = self.subscriber.clone();
        let task = if let Some(call) = own_methods::parse(method, params)? {
            let host = Arc::clone(&self.host);
            // Not to be stopped half-way by a client that goes away.
            let running = tokio::spawn(async move { call.answer(&host, &subscriber).await });
            let subscriber = self.subscriber.clone();
            self.tasks.spawn(async move {
                match running.await {
                    Ok(Ok(result)) => subscriber.result(id, &result),
                    Ok(Err(error)) => subscriber.error(id, &error),
                    Err(_) => subscriber.error(id, &internal()),
                };
            })
        } else if let Some(methods) = self.host.router.find_secret(method) {
            let (method, params) = (method.to_owned(), SecretParams::copy(params));
            // Not to be stopped half-way by a client that goes away.
            let caller = subscriber.clone();
            let running = tokio::spawn(async move { methods.call(&method, params.read()?, &caller).await });
            self.tasks.spawn(async move {
                match running.await {
                    Ok(Ok(result)) => subscriber.result(id, &result),
                    Ok(Err(error)) => subscriber.error(id, &error),
                    Err(_) => subscriber.error(id, &internal()),
                };
            })
        } else {
            let methods = self.host.router.find(method).ok_or_else(|| unknown_method(method))?;
            let params = params.map_or(Ok(serde_json::Value::Null), |params| serde_json::from_str(params.get()));
            let params = params.map_err(|_| ChannelError::new("malformed", "The parameters are not JSON."))?;
            let method = method.to_owned();
            self.tasks.spawn(async move {
                match methods.call(&method, params, &subscriber).await {
                    Ok(result) => match serde_json::to_vec(&result).map(Zeroizing::new) {
                        Ok(result) => subscriber.result(id, &result),
                        Err(_) => subscriber.error(id, &internal()),
                    },
                    Err(error) => subscriber.error(id, &error),
                };
            })
        };
        self.numbers.insert(task.id(), id);
        self.requests.insert(id, task);
        Ok(())
    }
}

/// Parameters that outlive their frame, in memory that is wiped.
struct SecretParams(Zeroizing<String>);

impl SecretParams {
    fn copy(params: Option<&RawValue>) -> Self {
        Self(Zeroizing::new(params.map_or("{}", RawValue::get).to_owned()))
    }

    fn read(&self) -> Result<&RawValue, ChannelError> {
        serde_json::from_str(&self.0).map_err(|_| ChannelError::new("malformed", "The parameters are not JSON."))
    }
}

fn internal() -> ChannelError {
    ChannelError::new("internal", "The keeper failed to answer; its log says why.")
}
