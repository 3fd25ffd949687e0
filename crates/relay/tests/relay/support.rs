//! A PostgreSQL, a relay in this process or in one of its own, and keepers' ends of connections.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures::{SinkExt as _, StreamExt as _};
use management::postgres::{Cluster, Settings};
use protocol::relay::frame::{MailboxFrame, RelayFrame};
use protocol::relay::news::{CARRIER, OPENS, OPENS_NONE};
use protocol::relay::{FromMailbox, FromRelay, MailboxKey, PROOF_PURPOSE, VERSION, proof_message};
use protocol::{CarrierId, EnvelopeId, b64};
use relay::{Database, NewsToken, Relay, RelayConfig, Source};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};
use vault::{Identity, Place, PublicIdentity, envelope_link, open_envelope, seal_envelope};

/// A cluster of its own, with the relay's database.
pub struct Server {
    pub folder: TempDir,
    pub cluster: Cluster,
}

impl Server {
    pub async fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new()
            .prefix("holdfast-relay-")
            // PostgreSQL's user walks through it.
            .permissions(std::fs::Permissions::from_mode(0o711))
            .tempdir()
            .unwrap();
        let cluster = Cluster::start(Settings::new(folder.path())).await.unwrap();
        cluster.create_database("holdfast_relay").await.unwrap();
        Self { folder, cluster }
    }

    pub fn source(&self) -> Source {
        embedded(self.folder.path())
    }

    pub async fn relay(&self) -> Running {
        self.relay_with(RelayConfig::default()).await
    }

    pub async fn relay_with(&self, config: RelayConfig) -> Running {
        let socket = self.folder.path().join("relay.sock");
        let database = Database::open(&self.source()).await.unwrap();
        let relay = Relay::start(config, database).await.unwrap();
        let serving = serve(&relay, &socket);
        Running { relay, socket, serving }
    }
}

fn embedded(folder: &Path) -> Source {
    Source::Embedded {
        socket: folder.join("postgres/run"),
        database: "holdfast_relay".into(),
        owner: "holdfast".into(),
    }
}

fn serve(relay: &Relay, socket: &Path) -> JoinHandle<()> {
    let _none = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).unwrap();
    let token = NewsToken::parse(&news_token()).unwrap();
    let router = relay.router().merge(relay.news_router(token));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
}

/// What hears the news.
pub fn news_token() -> String {
    b64::encode([7; 32])
}

/// A relay in this process.
pub struct Running {
    pub relay: Relay,
    pub socket: PathBuf,
    serving: JoinHandle<()>,
}

impl Running {
    pub async fn stop(self) {
        self.serving.abort();
        self.relay.stop().await;
    }
}

/// A relay in a process of its own, to be killed.
pub struct Process(pub Child);

const IN_FOLDER: &str = "RELAY_TEST_FOLDER";

impl Process {
    /// This test's program again, as the relay.
    pub async fn start(server: &Server) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["support::the_relay_as_a_process", "--exact", "--ignored", "--nocapture"])
            .env(IN_FOLDER, server.folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self(child)
    }

    pub async fn kill_9(mut self) {
        self.0.kill().await.unwrap();
    }
}

#[tokio::test]
#[ignore = "the process that other tests start"]
async fn the_relay_as_a_process() {
    let Some(folder) = std::env::var_os(IN_FOLDER).map(PathBuf::from) else {
        return;
    };
    let database = Database::open(&embedded(&folder)).await.unwrap();
    let unlimited = RelayConfig {
        sent_per_second: std::num::NonZeroU32::new(1_000_000).unwrap(),
        sent_burst: std::num::NonZeroU32::new(1_000_000).unwrap(),
        ..RelayConfig::default()
    };
    let relay = Relay::start(unlimited, database).await.unwrap();
    serve(&relay, &folder.join("relay.sock")).await.unwrap();
}

/// A keeper's end.
pub struct Peer {
    pub socket: WebSocketStream<UnixStream>,
    pub welcome: FromRelay,
}

/// What the relay said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Accepted(Vec<EnvelopeId>),
    Deliver {
        number: u64,
        id: EnvelopeId,
        sealed: Vec<u8>,
    },
    Returned {
        number: u64,
        id: EnvelopeId,
        to: MailboxKey,
    },
    Text(FromRelay),
    Gone,
}

pub fn key(identity: &Identity) -> MailboxKey {
    MailboxKey(identity.public().signing_key())
}

impl Peer {
    pub async fn connect(socket: &Path, identity: &Identity) -> Self {
        Self::try_connect(socket, identity).await.unwrap()
    }

    /// None while the relay is not there.
    pub async fn try_connect(socket: &Path, identity: &Identity) -> Option<Self> {
        Self::unproved(socket, None).await?.welcomed(identity).await
    }

    /// Over a connection that somebody carries, who knows it by this id.
    pub async fn carried(socket: &Path, identity: &Identity, carrier: CarrierId) -> Self {
        let peer = Self::unproved(socket, Some(carrier)).await.unwrap();
        peer.welcomed(identity).await.unwrap()
    }

    async fn welcomed(mut self, identity: &Identity) -> Option<Self> {
        match self.answered(identity).await {
            Said::Text(welcome @ FromRelay::Welcome { .. }) => self.welcome = welcome,
            _ => return None,
        }
        Some(self)
    }

    /// Proves whose the mailbox is; what the relay says to that.
    pub async fn answered(&mut self, identity: &Identity) -> Said {
        let FromRelay::Challenge { relay, challenge, .. } = self.welcome.clone() else {
            panic!("{:?}", self.welcome)
        };
        self.prove(identity, &relay, &challenge).await;
        self.next().await
    }

    /// With the challenge in the place of the welcome.
    pub async fn unproved(socket: &Path, carrier: Option<CarrierId>) -> Option<Self> {
        let carrier = carrier.map(|carrier| (CARRIER, carrier.to_string()));
        Self::with_header(socket, carrier).await
    }

    /// The same, over a connection over which no mailbox is made.
    pub async fn opening_none(socket: &Path) -> Self {
        let opens_none = Some((OPENS, OPENS_NONE.to_owned()));
        Self::with_header(socket, opens_none).await.unwrap()
    }

    async fn with_header(socket: &Path, header: Option<(&'static str, String)>) -> Option<Self> {
        let stream = UnixStream::connect(socket).await.ok()?;
        let mut request = "ws://relay/relay".into_client_request().unwrap();
        if let Some((name, value)) = header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let (socket, _) = client_async(request, stream).await.ok()?;
        let mut peer = Self {
            socket,
            welcome: FromRelay::Published { number: 0 },
        };
        match peer.next().await {
            Said::Text(challenge) => peer.welcome = challenge,
            _ => return None,
        }
        Some(peer)
    }

    pub async fn prove(&mut self, identity: &Identity, relay: &[u8], challenge: &[u8]) {
        let message = proof_message(relay.try_into().unwrap(), challenge.try_into().unwrap());
        self.say(&FromMailbox::Prove {
            version: VERSION,
            key: key(identity),
            signature: identity.sign_for(PROOF_PURPOSE, &message).to_vec(),
        })
        .await;
    }

    pub async fn say(&mut self, message: &FromMailbox) {
        let text = serde_json::to_string(message).unwrap();
        let _gone = self.socket.send(Message::text(text)).await;
    }

    pub async fn send(&mut self, to: MailboxKey, id: EnvelopeId, sealed: &[u8]) -> bool {
        let frame = MailboxFrame::Send { to, id, sealed }.encode();
        self.socket.send(Message::binary(frame)).await.is_ok()
    }

    /// Sends what comes next in a stream.
    pub async fn sends(&mut self, stream: &mut Stream, content: &[u8]) -> (EnvelopeId, Vec<u8>) {
        let (id, sealed) = stream.next(content);
        self.send(stream.to(), id, &sealed).await;
        (id, sealed)
    }

    pub async fn ack(&mut self, numbers: Vec<u64>) -> bool {
        let frame = MailboxFrame::Ack(numbers).encode();
        self.socket.send(Message::binary(frame)).await.is_ok()
    }

    pub async fn socket_send(&mut self, frame: Vec<u8>) {
        let _gone = self.socket.send(Message::binary(frame)).await;
    }

    /// The next thing that the relay says.
    pub async fn next(&mut self) -> Said {
        loop {
            return match self.socket.next().await {
                Some(Ok(Message::Text(text))) => Said::Text(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Binary(frame))) => match RelayFrame::decode(&frame).unwrap() {
                    RelayFrame::Accepted(ids) => Said::Accepted(ids),
                    RelayFrame::Deliver { number, id, sealed, .. } => Said::Deliver {
                        number,
                        id,
                        sealed: sealed.to_vec(),
                    },
                    RelayFrame::Returned { number, id, to } => Said::Returned { number, id, to },
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => Said::Gone,
            };
        }
    }

    /// Waits until all these are kept.
    pub async fn until_accepted(&mut self, mut count: usize) {
        while count > 0 {
            match self.next().await {
                Said::Accepted(ids) => count -= ids.len(),
                Said::Deliver { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A stream of envelopes from one identity to another.
pub struct Stream {
    from: Identity,
    to: PublicIdentity,
    place: Place,
}

impl Stream {
    pub fn new(from: &Identity, to: &Identity) -> Self {
        Self {
            from: Identity::decode(&from.encode()).unwrap(),
            to: to.public(),
            place: Place {
                stream: 1,
                sequence: 1,
                base: 1,
                previous: [0; 32],
                part: 0,
                parts: 1,
            },
        }
    }

    pub fn next(&mut self, content: &[u8]) -> (EnvelopeId, Vec<u8>) {
        let id = EnvelopeId::new();
        let seed = vault::random_bytes();
        let to = self.to.agreement();
        let sealed = seal_envelope(&self.from, to, id.uuid().as_bytes(), 1, &self.place, content, &seed);
        let sealed = sealed.unwrap();
        self.place.sequence += 1;
        self.place.previous = envelope_link(&self.place.previous, &sealed);
        (id, sealed)
    }

    pub fn to(&self) -> MailboxKey {
        MailboxKey(self.to.signing_key())
    }
}

/// What a receiver's vault remembers of one sender.
pub struct Seen {
    pub last: u64,
    link: [u8; 32],
}

impl Seen {
    pub fn nothing() -> Self {
        Self { last: 0, link: [0; 32] }
    }

    /// Whether the application sees it: the first time that it comes. Anything but the next one is a failure of the relay.
    pub fn take(&mut self, receiver: &Identity, id: EnvelopeId, sealed: &[u8]) -> bool {
        let opened = open_envelope(receiver.agreement(), id.uuid().as_bytes(), sealed).unwrap();
        if opened.place.sequence <= self.last {
            return false;
        }
        assert_eq!(
            opened.place.sequence,
            self.last + 1,
            "something was lost or came out of order"
        );
        assert_eq!(opened.place.previous, self.link);
        self.last += 1;
        self.link = envelope_link(&self.link, sealed);
        true
    }
}
