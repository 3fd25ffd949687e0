//! The platform's socket: its store of sealed objects, and the other end of the control connection.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use protocol::control::{
    CellConfig, FromKeeper, FromPlatform, KeeperOp, KeeperStatus, NoticeKind, Outcome, PlatformOp,
};
use protocol::{CellId, TenantId};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::home::tests::store::Store;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A question to the keeper, and where its answer goes.
type Ask = (PlatformOp, mpsc::UnboundedSender<Outcome>);

/// What the platform knows and is asked.
#[derive(Clone)]
pub struct PlayedPlatform {
    pub store: Store,
    pub cell: CellId,
    status: watch::Sender<Option<KeeperStatus>>,
    /// What the keeper asked for, in order.
    ops: Arc<Mutex<Vec<KeeperOp>>>,
    asleep: watch::Sender<bool>,
    asks: mpsc::UnboundedSender<Ask>,
    to_ask: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Ask>>>,
    on_restart: Arc<dyn Fn() + Send + Sync>,
}

impl PlayedPlatform {
    /// `on_restart` is what replacing the agent's container does.
    pub fn serve(socket: &Path, store: Store, on_restart: impl Fn() + Send + Sync + 'static) -> Self {
        let (asks, to_ask) = mpsc::unbounded_channel();
        let platform = Self {
            store,
            cell: CellId::new(),
            status: watch::Sender::new(None),
            ops: Arc::default(),
            asleep: watch::Sender::new(false),
            asks,
            to_ask: Arc::new(tokio::sync::Mutex::new(to_ask)),
            on_restart: Arc::new(on_restart),
        };
        let listener = UnixListener::bind(socket).unwrap();
        let served = platform.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let served = served.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let served = served.clone();
                        async move { Ok::<_, Infallible>(served.answer(request).await) }
                    });
                    let _closed = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades()
                        .await;
                });
            }
        });
        platform
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() != "/attach" {
            return self.store.answer(request).await;
        }
        let key = derive_accept_key(request.headers()["sec-websocket-key"].as_bytes());
        let platform = self.clone();
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(request).await.unwrap();
            let socket = Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            platform.attached(socket).await;
        });
        Response::builder()
            .status(101)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-accept", key)
            .body(Full::default())
            .unwrap()
    }

    async fn attached(&self, mut socket: Socket) {
        let mut to_ask = self.to_ask.lock().await;
        let mut waiting = std::collections::HashMap::new();
        let mut next = 0;
        loop {
            tokio::select! {
                asked = to_ask.recv() => {
                    let Some((op, answer)) = asked else { return };
                    next += 1;
                    waiting.insert(next, answer);
                    say(&mut socket, &FromPlatform::Request { id: next, op }).await;
                }
                message = socket.next() => {
                    let Some(Ok(Message::Text(text))) = message else { return };
                    match serde_json::from_str(&text).unwrap() {
                        FromKeeper::Hello { status, .. } => {
                            self.status.send_replace(Some(status));
                            say(&mut socket, &self.welcome()).await;
                        }
                        FromKeeper::Status(status) => drop(self.status.send_replace(Some(status))),
                        FromKeeper::Request { id, op } => {
                            self.ops.lock().unwrap().push(op);
                            match op {
                                KeeperOp::RestartAgent => (self.on_restart)(),
                                KeeperOp::Sleep => drop(self.asleep.send_replace(true)),
                                KeeperOp::Freeze
                                | KeeperOp::Thaw
                                | KeeperOp::Prepare
                                | KeeperOp::Unprepare
                                | KeeperOp::GroupTie(_)
                                | KeeperOp::Stands { .. }
                                | KeeperOp::Deeds(_) => {}
                            }
                            say(&mut socket, &FromPlatform::Reply { id, outcome: Outcome::Ok }).await;
                        }
                        FromKeeper::Reply { id, outcome } => {
                            waiting.remove(&id).unwrap().send(outcome).ok();
                        }
                    }
                }
            }
        }
    }

    fn welcome(&self) -> FromPlatform {
        FromPlatform::Welcome {
            version: protocol::control::VERSION,
            cell: self.cell,
            tenant: TenantId::new(),
            config: CellConfig {
                private_model_addresses: Vec::new(),
                lock_after_ms: 60_000,
                public_url: "http://localhost".to_owned(),
            },
            deeds: true,
            stands: true,
            notices: NoticeKind::names(),
        }
    }

    /// Asks the keeper and waits for its answer.
    pub async fn ask(&self, op: PlatformOp) -> Outcome {
        let (sender, mut answer) = mpsc::unbounded_channel();
        self.asks.send((op, sender)).unwrap();
        answer.recv().await.unwrap()
    }

    /// What the keeper has asked for since the last look.
    pub fn ops(&self) -> Vec<KeeperOp> {
        std::mem::take(&mut self.ops.lock().unwrap())
    }

    pub async fn status(&self, wanted: impl Fn(&KeeperStatus) -> bool) -> KeeperStatus {
        let mut status = self.status.subscribe();
        let found = status.wait_for(|status| status.as_ref().is_some_and(&wanted)).await;
        found.unwrap().clone().unwrap()
    }

    /// Waits until the keeper asks to be put to sleep.
    pub async fn asleep(&self) {
        self.asleep.subscribe().wait_for(|asleep| *asleep).await.unwrap();
    }
}

async fn say(socket: &mut Socket, message: &FromPlatform) {
    socket
        .send(Message::text(serde_json::to_string(message).unwrap()))
        .await
        .unwrap();
}
