//! The platform on a loopback port, over the driver in memory: real sockets on both of its sides, no containers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::serve::ListenerExt as _;
use cells::driver::fake::FakeDriver;
use cells::proxy::{ProxyConfig, router};
use cells::{Cells, CellsConfig, local_blobs};
use ed25519_dalek::SigningKey;
use protocol::{CellId, GatewayToken, InstallationId, SessionId, TenantId, UserId};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, http};

use crate::keeper::Keeper;
use crate::sessions::OneSession;

pub type Client = WebSocketStream<TcpStream>;

pub struct Platform {
    pub cells: Cells,
    pub driver: FakeDriver,
    pub sessions: Arc<OneSession>,
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    pub key: SigningKey,
    pub cell: CellId,
    pub tenant: TenantId,
}

impl Platform {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut CellsConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let driver = FakeDriver::new();
        let mut config = CellsConfig::new(InstallationId::new(), folder.path().to_owned());
        change(&mut config);
        let blobs = local_blobs(&folder.path().join("blobs")).unwrap();
        let cells = Cells::start(config, Arc::new(driver.clone()), blobs).await.unwrap();
        let key = SigningKey::from_bytes(&[7; 32]);
        let sessions = Arc::new(OneSession::default());
        let config = ProxyConfig {
            verifying_key: key.verifying_key(),
            public_url: "https://agents.example/".into(),
            sessions: sessions.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let app = router(cells.clone(), config);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            cells,
            driver,
            sessions,
            folder,
            address,
            key,
            cell: CellId::new(),
            tenant: TenantId::new(),
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(format!("run/{}/platform.sock", self.cell))
    }

    /// The cell awake, with its keeper.
    pub async fn awake(&self) -> Keeper {
        let path = self.socket();
        let (woken, keeper) = tokio::join!(self.cells.wake(self.cell, self.tenant), Keeper::attach(&path));
        woken.unwrap();
        keeper
    }

    pub fn token(&self, lives: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        GatewayToken {
            cell: self.cell,
            tenant: self.tenant,
            user: UserId::new(),
            session: SessionId::new(),
            exp: now.saturating_add_signed(lives),
        }
        .sign(&self.key)
    }

    pub async fn client(&self) -> Client {
        self.open(Some(&self.token(60)), None).await.unwrap()
    }

    pub async fn open(&self, token: Option<&str>, origin: Option<&str>) -> Result<Client, Error> {
        let mut request = format!("ws://{}/api/v1/channel", self.address)
            .into_client_request()
            .unwrap();
        let offered = match token {
            Some(token) => format!("holdfast.channel.v1, holdfast.token.{token}"),
            None => "holdfast.channel.v1".into(),
        };
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", offered.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (client, response) = tokio_tungstenite::client_async(request, stream).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], "holdfast.channel.v1");
        Ok(client)
    }

    /// The status with which an opening is refused.
    pub async fn refused(&self, token: Option<&str>, origin: Option<&str>) -> http::StatusCode {
        match self.open(token, origin).await {
            Err(Error::Http(response)) => response.status(),
            other => panic!("not refused: {other:?}"),
        }
    }

    pub async fn until(&self, state: cells::CellState) {
        for _ in 0..1000 {
            if self.cells.state(self.cell) == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?} instead of {state:?}", self.cells.state(self.cell));
    }
}
