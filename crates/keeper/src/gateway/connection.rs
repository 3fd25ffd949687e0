use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{SinkExt as _, StreamExt as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::error::WireError;
use super::event::parse;
use super::{GatewayError, GatewayEvent, PROTOCOL};
use crate::limits;

/// A live, authenticated connection to OpenClaw.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Message>,
    next_id: AtomicU64,
    open: watch::Receiver<bool>,
    version: String,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the reading task and the callers both touch.
struct Shared {
    pending: Mutex<HashMap<String, oneshot::Sender<Frame>>>,
    events: broadcast::Sender<GatewayEvent>,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<Frame>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Anything that the Gateway sends.
#[derive(Deserialize)]
pub(super) struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    ok: bool,
    #[serde(default)]
    pub(super) event: String,
    #[serde(default)]
    pub(super) payload: Value,
    #[serde(default)]
    error: Option<WireError>,
}

impl Gateway {
    /// Opens the WebSocket on `stream` and authenticates with the Gateway's token.
    ///
    /// # Errors
    /// [`GatewayError::Starting`] while OpenClaw is not ready yet: dial again after the time it names.
    pub async fn connect<S>(stream: S, token: &SecretString) -> Result<Self, GatewayError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        timeout(limits::GATEWAY_CONNECT, Self::handshake(stream, token))
            .await
            .map_err(|_| GatewayError::TimedOut {
                method: "connect".to_owned(),
                after: limits::GATEWAY_CONNECT,
            })?
    }

    async fn handshake<S>(stream: S, token: &SecretString) -> Result<Self, GatewayError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = WebSocketConfig::default()
            .max_message_size(Some(limits::GATEWAY_MESSAGE_BYTES))
            .max_frame_size(Some(limits::GATEWAY_MESSAGE_BYTES));
        let uri = format!("ws://127.0.0.1:{}/", protocol::bridge::GATEWAY_PORT);
        let (mut socket, _) = tokio_tungstenite::client_async_with_config(uri, stream, Some(config))
            .await
            .map_err(|_| GatewayError::Closed)?;

        let challenge = next_frame(&mut socket).await?;
        if challenge.event != "connect.challenge" {
            return Err(GatewayError::Protocol("no challenge came first".to_owned()));
        }
        let connect = json!({"type": "req", "id": "connect", "method": "connect", "params": {
            "minProtocol": PROTOCOL, "maxProtocol": PROTOCOL,
            "client": {"id": "gateway-client", "version": env!("CARGO_PKG_VERSION"), "platform": "linux", "mode": "backend"},
            "role": "operator",
            "scopes": ["operator.read", "operator.write", "operator.admin", "operator.approvals"],
            "caps": ["tool-events", "approvals", "exec-approvals"],
            "auth": {"token": token.expose_secret()},
        }});
        socket
            .send(Message::text(connect.to_string()))
            .await
            .map_err(|_| GatewayError::Closed)?;
        let hello = loop {
            let frame = next_frame(&mut socket).await?;
            if frame.kind == "res" {
                break frame;
            }
        };
        if !hello.ok {
            return Err(hello.error.unwrap_or_default().of("connect"));
        }
        if hello.payload["protocol"].as_u64() != Some(PROTOCOL) {
            return Err(GatewayError::Protocol(format!(
                "version {} instead of {PROTOCOL}",
                hello.payload["protocol"]
            )));
        }
        let version = hello.payload["server"]["version"]
            .as_str()
            .unwrap_or("unknown")
            .to_owned();
        Ok(Self::run(socket, version))
    }

    fn run<S>(socket: WebSocketStream<S>, version: String) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            events: broadcast::Sender::new(limits::GATEWAY_EVENTS),
        });
        let (outgoing, requests) = mpsc::channel(limits::GATEWAY_REQUESTS);
        let (closing, open) = watch::channel(true);
        let task = tokio::spawn(carry(socket, requests, Arc::clone(&shared), closing)).abort_handle();
        Self {
            inner: Arc::new(Inner {
                shared,
                outgoing,
                next_id: AtomicU64::new(1),
                open,
                version,
                task,
            }),
        }
    }

    /// OpenClaw's own version, as it said in its greeting.
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// What happens from now on. A receiver that lags must read [`Self::history`] again.
    pub fn events(&self) -> broadcast::Receiver<GatewayEvent> {
        self.inner.shared.events.subscribe()
    }

    /// Whether the connection is still there.
    pub fn is_open(&self) -> bool {
        *self.inner.open.borrow() && self.inner.open.has_changed().is_ok()
    }

    /// Ends when the connection is gone.
    pub async fn closed(&self) {
        let mut open = self.inner.open.clone();
        // An error means that the task is gone, and with it the connection.
        let _ = open.wait_for(|open| !open).await;
    }

    /// One request of OpenClaw's protocol. What has to do with conversations waits while the home is being sealed: OpenClaw
    /// refuses it then, and takes it a moment later.
    ///
    /// # Errors
    /// As [`GatewayError`] says; [`GatewayError::Closed`] leaves open whether it was carried out.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, GatewayError> {
        let waits = method.starts_with("chat.") || method.starts_with("sessions.");
        let started = Instant::now();
        loop {
            match self.call_once(method, params.clone()).await {
                Err(error) if waits && error.is_suspension() && started.elapsed() < limits::GATEWAY_SUSPENDED => {
                    sleep(limits::GATEWAY_RETRY).await;
                }
                answer => return answer,
            }
        }
    }

    async fn call_once(&self, method: &str, params: Value) -> Result<Value, GatewayError> {
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed).to_string();
        let (answer, answered) = oneshot::channel();
        self.inner.shared.pending().insert(id.clone(), answer);
        let guard = Forget {
            shared: &self.inner.shared,
            id: &id,
        };
        let request = json!({"type": "req", "id": id, "method": method, "params": params});
        self.inner
            .outgoing
            .send(Message::text(request.to_string()))
            .await
            .map_err(|_| GatewayError::Closed)?;
        let frame = timeout(limits::GATEWAY_ANSWER, answered)
            .await
            .map_err(|_| GatewayError::TimedOut {
                method: method.to_owned(),
                after: limits::GATEWAY_ANSWER,
            })?
            .map_err(|_| GatewayError::Closed)?;
        drop(guard);
        if frame.ok {
            Ok(frame.payload)
        } else {
            Err(frame.error.unwrap_or_default().of(method))
        }
    }
}

/// Forgets a request whose caller went away.
struct Forget<'a> {
    shared: &'a Shared,
    id: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.pending().remove(self.id);
    }
}

/// Carries frames both ways until either side ends.
async fn carry<S>(
    socket: WebSocketStream<S>,
    mut requests: mpsc::Receiver<Message>,
    shared: Arc<Shared>,
    closing: watch::Sender<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(message) => if sink.send(message).await.is_err() { break },
                None => break,
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str::<Frame>(&text) {
                    Ok(frame) => deliver(&shared, frame),
                    Err(error) => tracing::warn!(%error, "OpenClaw sent a frame that cannot be read"),
                },
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    closing.send_replace(false);
    shared.pending().clear();
    let _ = shared.events.send(GatewayEvent::Closed);
}

fn deliver(shared: &Shared, frame: Frame) {
    match frame.kind.as_str() {
        "res" => {
            if let Some(caller) = shared.pending().remove(&frame.id) {
                // A caller that went away does not want the answer.
                let _ = caller.send(frame);
            }
        }
        "event" => {
            if let Some(event) = parse(&frame.event, frame.payload) {
                // Nobody listening is fine: history holds what happened.
                let _ = shared.events.send(event);
            }
        }
        _ => {}
    }
}

async fn next_frame<S>(socket: &mut WebSocketStream<S>) -> Result<Frame, GatewayError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(|error| GatewayError::Protocol(error.to_string()));
            }
            Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return Err(GatewayError::Closed),
            Some(Ok(_)) => {}
        }
    }
}
