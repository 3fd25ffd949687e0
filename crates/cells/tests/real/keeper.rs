//! A keeper's end of the platform's socket, as `docs/protocol.md`, section 3 describes it and no more.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use protocol::ChannelId;
use protocol::channel::VaultState;
use protocol::control::{
    AgentState, CellConfig, FromKeeper, FromPlatform, KeeperOp, KeeperStatus, Outcome, PlatformOp, VERSION,
};
use tokio::net::UnixStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::sessions::POLICY;

pub type Socket = WebSocketStream<UnixStream>;

pub struct Keeper {
    pub path: PathBuf,
    pub socket: Socket,
    pub config: CellConfig,
    next_id: u64,
}

pub fn idle() -> KeeperStatus {
    KeeperStatus {
        vault: VaultState::New,
        agent: AgentState::Waiting,
        busy: false,
        claim: Some("the-claim".into()),
        wake_at: None,
        approvals: Vec::new(),
    }
}

pub async fn connect(path: &Path, route: &str) -> Socket {
    let stream = UnixStream::connect(path).await.unwrap();
    let (socket, _) = tokio_tungstenite::client_async(format!("ws://cell{route}"), stream)
        .await
        .unwrap();
    socket
}

impl Keeper {
    /// Attaches as soon as the platform listens.
    pub async fn attach(path: &Path) -> Self {
        for _ in 0..600 {
            if UnixStream::connect(path).await.is_ok() {
                return Self::attach_as(path, idle()).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("nobody listens on {}", path.display());
    }

    pub async fn attach_as(path: &Path, status: KeeperStatus) -> Self {
        let mut socket = connect(path, "/attach").await;
        let hello = FromKeeper::Hello {
            version: VERSION,
            sleeps_now: true,
            hears_demands: true,
            status,
        };
        send(&mut socket, &hello).await;
        let FromPlatform::Welcome { config, .. } = receive(&mut socket).await else {
            panic!("no welcome")
        };
        Self {
            path: path.to_owned(),
            socket,
            config,
            next_id: 0,
        }
    }

    pub async fn say(&mut self, message: &FromKeeper) {
        send(&mut self.socket, message).await;
    }

    pub async fn hear(&mut self) -> FromPlatform {
        receive(&mut self.socket).await
    }

    pub async fn obey(&mut self, wanted: PlatformOp) {
        match self.hear().await {
            FromPlatform::Request { id, op } if op == wanted => {
                self.say(&FromKeeper::Reply {
                    id,
                    outcome: Outcome::Ok,
                })
                .await;
            }
            other => panic!("{other:?} instead of {wanted:?}"),
        }
    }

    pub async fn ask(&mut self, op: KeeperOp) -> Outcome {
        self.next_id += 1;
        let id = self.next_id;
        self.say(&FromKeeper::Request { id, op }).await;
        match self.hear().await {
            FromPlatform::Reply { id: reply, outcome } if reply == id => outcome,
            other => panic!("{other:?} instead of an answer"),
        }
    }

    /// Waits to be asked for a channel and dials it.
    pub async fn dial(&mut self) -> Socket {
        let channel = self.channel().await;
        connect(&self.path, &format!("/channels/{channel}")).await
    }

    pub async fn channel(&mut self) -> ChannelId {
        match self.hear().await {
            FromPlatform::OpenChannel { channel, policy } => {
                assert_eq!(policy, POLICY);
                channel
            }
            other => panic!("{other:?} instead of a channel"),
        }
    }

    /// One HTTP request on the platform's socket.
    pub async fn request(&self, method: Method, path: &str, body: impl Into<Bytes>) -> (StatusCode, Bytes) {
        request(&self.path, method, path, body).await
    }
}

pub async fn request(socket: &Path, method: Method, path: &str, body: impl Into<Bytes>) -> (StatusCode, Bytes) {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "cell")
        .body(Full::new(body.into()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

async fn send(socket: &mut Socket, message: &FromKeeper) {
    socket
        .send(Message::text(serde_json::to_string(message).unwrap()))
        .await
        .unwrap();
}

async fn receive(socket: &mut Socket) -> FromPlatform {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("the control connection ended: {other:?}"),
        }
    }
}
