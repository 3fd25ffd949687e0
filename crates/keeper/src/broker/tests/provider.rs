//! A provider on loopback, the broker before it, and a client on the agent's side.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use protocol::ProviderId;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::broker::{Broker, BrokerParts, ModelSource};
use crate::egress::NamedAddresses;
use crate::unlock_link::UnlockLink;
use crate::vault_service::{ModelKind, ModelSettings, VaultError};

pub const KEY: &str = "sk-canary-0123456789";

pub type Body = BoxBody<Bytes, Infallible>;

/// What a provider was asked.
#[derive(Clone)]
pub struct Asked {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

type Answering = Arc<dyn Fn(Asked) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// A server that answers as it is told, and remembers.
#[derive(Clone)]
pub struct Provider {
    pub at: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Provider {
    pub async fn start(answer: impl Fn(Asked) -> BoxFuture<'static, Response<Body>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            at: listener.local_addr().unwrap(),
            asked: Arc::default(),
        };
        let (asked, answer): (_, Answering) = (provider.asked.clone(), Arc::new(answer));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (asked, answer) = (asked.clone(), answer.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (asked, answer) = (asked.clone(), answer.clone());
                        async move {
                            let (parts, body) = request.into_parts();
                            let this = Asked {
                                line: format!("{} {}", parts.method, parts.uri),
                                headers: parts.headers,
                                body: body.collect().await.unwrap().to_bytes(),
                            };
                            asked.lock().unwrap().push(this.clone());
                            Ok::<_, Infallible>(answer(this).await)
                        }
                    });
                    let _closed = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        provider
    }

    /// Answers every call with this.
    pub async fn saying(status: u16, text: &'static str) -> Self {
        Self::start(move |_| Box::pin(async move { whole(status, text) })).await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

pub fn whole(status: u16, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(text.into()).boxed());
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap();
    response
}

/// Settings that a test can change and lock.
pub struct Settings(pub Mutex<Option<ModelSettings>>, pub Mutex<bool>);

impl ModelSource for Settings {
    fn settings(&self) -> Result<Vec<ModelSettings>, VaultError> {
        if *self.1.lock().unwrap() {
            return Err(VaultError::Locked);
        }
        Ok(self.0.lock().unwrap().clone().into_iter().collect())
    }
}

/// A broker that serves, with everything around it.
pub struct Counter {
    pub broker: Broker,
    pub settings: Arc<Settings>,
    _folder: TempDir,
    socket: PathBuf,
}

pub fn settings(kind: ModelKind, base_url: &str) -> ModelSettings {
    ModelSettings {
        id: ProviderId::new(),
        price: None,
        kind,
        base_url: base_url.to_owned(),
        key: SecretString::from(KEY),
        model: "model-1".to_owned(),
    }
}

impl Counter {
    /// A broker for this base URL; `named` is what the operator named.
    pub fn open(kind: ModelKind, base_url: &str, named: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("broker.sock");
        let source = Arc::new(Settings(Mutex::new(Some(settings(kind, base_url))), Mutex::new(false)));
        let broker = Broker::new(BrokerParts {
            source: source.clone(),
            named: NamedAddresses::new(named.iter().cloned()),
            routes: None,
            tools: None,
            spending: None,
            unlock: UnlockLink::default(),
        });
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(broker.clone().serve(listener));
        Self {
            broker,
            settings: source,
            _folder: folder,
            socket,
        }
    }

    /// A broker for a provider that the operator named.
    pub fn for_provider(kind: ModelKind, provider: &Provider, path: &str) -> Self {
        Self::open(
            kind,
            &format!("http://{}{path}", provider.at),
            &[provider.at.to_string()],
        )
    }

    /// What the agent sends; the answer is not read yet.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let stream = UnixStream::connect(&self.socket).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    /// Status and text of the answer.
    pub async fn call(&self, request: Request<Full<Bytes>>) -> (u16, String) {
        let response = self.send(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

/// A call as OpenClaw makes it, with more than it should carry.
pub fn post(path: &str) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "127.0.0.1:18790")
        .header("authorization", "Bearer dummy")
        .header("x-api-key", "dummy")
        .header("cookie", "a=b")
        .header("x-forwarded-for", "10.1.2.3")
        .header("connection", "keep-alive, x-private")
        .header("x-private", "1")
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        .body(Full::new(Bytes::from_static(b"{\"stream\":true}")))
        .unwrap()
}
