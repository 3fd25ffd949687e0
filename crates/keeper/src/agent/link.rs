//! The bridge's connections: one for control, one for each dial. The keeper listens, so that it never opens a path that
//! the agent can write. Anything in the agent's container can connect here and pretend to be the bridge; it can harm
//! nothing but its own conversation.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use protocol::bridge::{BRIDGE_SOCKET, FromBridge, Opening, ToBridge};
use protocol::limits::BRIDGE_LINE_BYTES;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::task::AbortOnDropHandle;

use super::AgentError;
use crate::gateway::GatewayError;
use crate::limits;

/// Longest first line of a connection.
const OPENING_BYTES: usize = 64;

/// The listening side.
pub struct Link {
    shared: Arc<Shared>,
    next_id: AtomicU64,
    /// The number of the last scrub that left nothing. One runs at a time: each is a process of its own beside OpenClaw.
    scrubbed: tokio::sync::Mutex<u64>,
    _accepting: AbortOnDropHandle<()>,
}

/// How OpenClaw ended.
#[derive(Debug, Clone)]
pub struct Ended {
    pub how: String,
    pub last_output: String,
}

impl From<Ended> for AgentError {
    fn from(ended: Ended) -> Self {
        Self::Ended {
            how: ended.how,
            last_output: ended.last_output,
        }
    }
}

struct Shared {
    connected: watch::Sender<bool>,
    control: Mutex<Option<mpsc::Sender<ToBridge>>>,
    dials: Asked<Result<UnixStream, String>>,
    scrubs: Asked<bool>,
    started: broadcast::Sender<u32>,
    ended: broadcast::Sender<Ended>,
}

/// What the bridge was asked for, by the number that its answer says.
struct Asked<T>(Mutex<HashMap<u64, oneshot::Sender<T>>>);

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Asked<T> {
    fn ask(&self, id: u64) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        self.lock().insert(id, sender);
        receiver
    }

    /// A caller that gave up does not want it.
    fn answer(&self, id: u64, answer: T) {
        if let Some(asked) = self.lock().remove(&id) {
            let _ = asked.send(answer);
        }
    }

    fn forget(&self, id: u64) {
        self.lock().remove(&id);
    }

    fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Binds the socket, in place of one that an earlier keeper left.
    pub fn listen(folder: &Path) -> std::io::Result<Self> {
        let path = folder.join(BRIDGE_SOCKET);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&path)?;
        // The folder is what separates: only the agent's container has it. The agent has another uid than the keeper.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666))?;
        let shared = Arc::new(Shared {
            connected: watch::Sender::new(false),
            control: Mutex::new(None),
            dials: Asked::default(),
            scrubs: Asked::default(),
            started: broadcast::Sender::new(4),
            ended: broadcast::Sender::new(4),
        });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::clone(&shared))));
        Ok(Self {
            shared,
            next_id: AtomicU64::new(1),
            scrubbed: tokio::sync::Mutex::default(),
            _accepting: accepting,
        })
    }

    /// Whether a bridge is there.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.shared.connected.subscribe()
    }

    /// Each end of OpenClaw from now on.
    pub fn ends(&self) -> broadcast::Receiver<Ended> {
        self.shared.ended.subscribe()
    }

    /// Asks the bridge for something.
    pub async fn send(&self, message: ToBridge) -> Result<(), AgentError> {
        let control = self.shared.control().clone().ok_or(AgentError::Absent)?;
        control.send(message).await.map_err(|_| AgentError::Absent)
    }

    /// A new connection to OpenClaw's port.
    pub async fn dial(&self) -> Result<UnixStream, AgentError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let receiver = self.shared.dials.ask(id);
        let dialled = async {
            self.send(ToBridge::Dial { id }).await?;
            timeout(limits::BRIDGE_DIAL, receiver)
                .await
                .ok()
                .and_then(Result::ok)
                .and_then(Result::ok)
                .ok_or(AgentError::Gateway(GatewayError::Closed))
        }
        .await;
        self.shared.dials.forget(id);
        dialled
    }

    /// Has what OpenClaw has deleted taken out of its files.
    pub async fn scrub(&self) -> Result<(), AgentError> {
        let asked = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut scrubbed = self.scrubbed.lock().await;
        if *scrubbed > asked {
            // It began after what this one asks for was deleted.
            return Ok(());
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.scrub_once(id).await?;
        *scrubbed = id;
        Ok(())
    }

    async fn scrub_once(&self, id: u64) -> Result<(), AgentError> {
        let receiver = self.shared.scrubs.ask(id);
        let patience = limits::SCRUB + limits::BRIDGE_DIAL;
        let scrubbed = async {
            self.send(ToBridge::Scrub { id }).await?;
            let answer = timeout(patience, receiver)
                .await
                .map_err(|_| AgentError::Slow(patience))?;
            match answer.map_err(|_| AgentError::Absent)? {
                true => Ok(()),
                false => Err(AgentError::NotScrubbed),
            }
        }
        .await;
        self.shared.scrubs.forget(id);
        scrubbed
    }
}

impl Shared {
    fn control(&self) -> MutexGuard<'_, Option<mpsc::Sender<ToBridge>>> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Out of descriptors: those that end make room.
                    tokio::time::sleep(limits::BRIDGE_RETRY_LONGEST).await;
                    continue;
                };
                if connections.len() < limits::BRIDGE_CONNECTIONS {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        if let Ok(Ok((opening, stream))) = timeout(limits::BRIDGE_OPENING, opening(stream)).await {
                            match opening {
                                Opening::Control => control(stream, &shared).await,
                                Opening::Dial(id) => shared.dials.answer(id, Ok(stream)),
                            }
                        }
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Reads the first line, and not a byte more: what follows belongs to whoever gets the connection.
async fn opening(mut stream: UnixStream) -> std::io::Result<(Opening, UnixStream)> {
    let mut line = Vec::with_capacity(OPENING_BYTES);
    loop {
        let byte = stream.read_u8().await?;
        if byte == b'\n' {
            return Ok((serde_json::from_slice(&line)?, stream));
        }
        line.push(byte);
        if line.len() > OPENING_BYTES {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
}

/// Serves one control connection to its end; a second one beside it is refused.
async fn control(stream: UnixStream, shared: &Shared) {
    let (sender, requests) = mpsc::channel(64);
    {
        let mut current = shared.control();
        if current.is_some() {
            tracing::warn!("a second control connection was refused");
            return;
        }
        *current = Some(sender);
    }
    let _gone = Gone(shared);
    shared.connected.send_replace(true);
    let (read, write) = stream.into_split();
    tokio::select! {
        () = requests_out(write, requests) => {}
        () = reports_in(read, shared) => {}
    }
}

/// Cleans up after a control connection, however it ends.
struct Gone<'a>(&'a Shared);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        *self.0.control() = None;
        self.0.dials.clear();
        self.0.scrubs.clear();
        self.0.connected.send_replace(false);
    }
}

async fn requests_out(mut write: OwnedWriteHalf, mut requests: mpsc::Receiver<ToBridge>) {
    while let Some(request) = requests.recv().await {
        let mut line = serde_json::to_vec(&request).expect("a plain enum serialises");
        line.push(b'\n');
        if write.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn reports_in(read: OwnedReadHalf, shared: &Shared) {
    let mut lines = FramedRead::new(read, LinesCodec::new_with_max_length(BRIDGE_LINE_BYTES));
    while let Some(Ok(line)) = lines.next().await {
        match serde_json::from_str(&line) {
            Ok(FromBridge::Started { pid }) => {
                tracing::info!(pid, "OpenClaw is started");
                let _ = shared.started.send(pid);
            }
            Ok(FromBridge::DialFailed { id, message }) => shared.dials.answer(id, Err(message)),
            Ok(FromBridge::Scrubbed { id, done }) => shared.scrubs.answer(id, done),
            Ok(FromBridge::Exited {
                code,
                signal,
                last_output,
            }) => {
                let how = match (code, signal) {
                    (Some(code), _) => format!("with code {code}"),
                    (None, Some(9)) => "by signal 9 (out of memory, or killed)".to_owned(),
                    (None, Some(signal)) => format!("by signal {signal}"),
                    (None, None) => "without saying why".to_owned(),
                };
                let _ = shared.ended.send(Ended { how, last_output });
            }
            Err(_) => {
                tracing::warn!("the bridge sent a line that cannot be understood");
                return;
            }
        }
    }
}
