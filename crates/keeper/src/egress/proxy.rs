//! The egress proxy on its unix socket: HTTP CONNECT, and plain `http://` requests, to public addresses.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::channel::VaultState;
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::accept;
use super::policy::EgressPolicy;
use super::resolve::{NamedAddresses, ResolveError, resolve};
use crate::limits;
use crate::unlock_link::UnlockLink;
use crate::vault_service::VaultError;

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// Is told of a refusal: where to, and why.
type Refused = dyn Fn(&str, String) + Send + Sync;

/// Why a request does not leave.
#[derive(Debug, thiserror::Error)]
enum EgressError {
    #[error("Nothing leaves this cell while its vault is locked.")]
    Locked,
    #[error("too many connections are open (EGRESS_TUNNELS)")]
    Busy,
    #[error("this proxy takes CONNECT host:port and http:// requests only")]
    Malformed,
    #[error("policy_refused: the owner of this vault has not allowed {0}")]
    Policy(String),
    #[error("address_refused: {0}")]
    Address(#[from] ResolveError),
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
}

impl EgressError {
    /// In words for whoever reads what a command says.
    fn told(&self, unlock: &UnlockLink) -> String {
        let code = VaultError::Locked.code();
        match self {
            Self::Locked => format!("{code}: {}", unlock.told(code, &self.to_string())),
            other => other.to_string(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Locked => StatusCode::SERVICE_UNAVAILABLE,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Policy(_) | Self::Address(ResolveError::Refused { .. }) => StatusCode::FORBIDDEN,
            Self::Address(ResolveError::Unknown { .. }) | Self::Unreachable(..) => StatusCode::BAD_GATEWAY,
        }
    }
}

/// The agent's way to the rest of the world.
#[derive(Clone)]
pub struct EgressProxy {
    vault: watch::Receiver<VaultState>,
    named: NamedAddresses,
    policy: watch::Receiver<EgressPolicy>,
    /// Told of each refusal: where to, and why.
    refused: Arc<Refused>,
    tunnels: Arc<Semaphore>,
    unlock: UnlockLink,
}

impl EgressProxy {
    /// A proxy that is open while the vault is; `unlock` is told when it is not. `named` are the addresses that the operator allows although they are
    /// not public; model servers are reached through the broker, so a cell normally names none here.
    pub fn new(
        vault: watch::Receiver<VaultState>,
        named: NamedAddresses,
        policy: watch::Receiver<EgressPolicy>,
        unlock: UnlockLink,
        refused: impl Fn(&str, String) + Send + Sync + 'static,
    ) -> Self {
        Self {
            vault,
            named,
            policy,
            refused: Arc::new(refused),
            tunnels: Arc::new(Semaphore::new(limits::EGRESS_TUNNELS)),
            unlock,
        }
    }

    /// Serves the agent for ever.
    pub async fn serve(self, listener: UnixListener) -> Infallible {
        accept(listener, limits::EGRESS_TUNNELS, |stream| {
            let proxy = self.clone();
            async move {
                let service = service_fn(move |request| {
                    let proxy = proxy.clone();
                    async move {
                        Ok::<_, Infallible>(match proxy.handle(request).await {
                            Ok(answer) => answer,
                            Err(error) => plain(error.status(), error.told(&proxy.unlock)),
                        })
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                if let Err(error) = connection.await {
                    tracing::debug!("egress connection: {error}");
                }
            }
        })
        .await
    }

    async fn handle(&self, request: Request<Incoming>) -> Result<Answer, EgressError> {
        if *self.vault.borrow() != VaultState::Unlocked {
            return Err(EgressError::Locked);
        }
        let permit = self
            .tunnels
            .clone()
            .try_acquire_owned()
            .map_err(|_| EgressError::Busy)?;
        if request.method() == Method::CONNECT {
            self.tunnel(request, permit).await
        } else {
            self.forward(request, permit).await
        }
    }

    /// As [`Self::connect`], if the policy allows it; a refusal is told.
    async fn allowed(&self, host: &str, port: u16) -> Result<TcpStream, EgressError> {
        let refusal = {
            let policy = self.policy.borrow();
            (!policy.allows(host, port)).then(|| policy.refusal())
        };
        if let Some(why) = refusal {
            let at = format!("{host}:{port}");
            (self.refused)(&at, why.to_owned());
            return Err(EgressError::Policy(at));
        }
        let outcome = self.connect(host, port).await;
        if let Err(EgressError::Address(ResolveError::Refused { address, why, .. })) = &outcome {
            (self.refused)(&format!("{host}:{port}"), format!("{address} is {why}"));
        }
        outcome
    }

    /// Connects to the first address that answers; only addresses that passed the policy are tried.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, EgressError> {
        let addresses: Vec<SocketAddr> = resolve(host, port, &self.named).await?;
        let mut why = "it has no address".to_owned();
        for address in addresses {
            match tokio::time::timeout(limits::CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Nagle's algorithm only delays what the agent already wrote; without it is the default everywhere else.
                    let _no_delay = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => why = "no answer in time".to_owned(),
            }
        }
        Err(EgressError::Unreachable(format!("{host}:{port}"), why))
    }

    async fn tunnel(&self, request: Request<Incoming>, permit: OwnedSemaphorePermit) -> Result<Answer, EgressError> {
        let authority = request.uri().authority().ok_or(EgressError::Malformed)?.clone();
        let port = authority.port_u16().ok_or(EgressError::Malformed)?;
        let host = authority.host().to_owned();
        let mut upstream = self.allowed(&host, port).await?;
        let (mut vault, mut policy) = (self.vault.clone(), self.policy.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let Ok(upgraded) = hyper::upgrade::on(request).await else {
                return;
            };
            let mut downstream = TokioIo::new(upgraded);
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut downstream, &mut upstream) => {}
                // A lock ends what is open, too.
                _ = vault.wait_for(|state| *state != VaultState::Unlocked) => {}
                // And so does a policy that does not allow it any more.
                _ = policy.wait_for(|policy| !policy.allows(&host, port)) => {}
            }
        });
        Ok(plain(StatusCode::OK, String::new()))
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        permit: OwnedSemaphorePermit,
    ) -> Result<Answer, EgressError> {
        let uri = request.uri().clone();
        if uri.scheme_str() != Some("http") {
            return Err(EgressError::Malformed);
        }
        let authority = uri.authority().ok_or(EgressError::Malformed)?;
        let at = authority.to_string();
        let upstream = self
            .allowed(authority.host(), authority.port_u16().unwrap_or(80))
            .await?;
        let unreachable = |error: &dyn std::fmt::Display| EgressError::Unreachable(at.clone(), error.to_string());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(upstream))
            .await
            .map_err(|error| unreachable(&error))?;
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection.await {
                tracing::debug!("egress request: {error}");
            }
        });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| EgressError::Malformed)?;
        let host = header::HeaderValue::from_str(authority.as_str().rsplit('@').next().unwrap_or_default())
            .map_err(|_| EgressError::Malformed)?;
        request.headers_mut().insert(header::HOST, host);
        strip_hop_by_hop(request.headers_mut());
        let mut response = sender
            .send_request(request)
            .await
            .map_err(|error| unreachable(&error))?;
        strip_hop_by_hop(response.headers_mut());
        Ok(response.map(BodyExt::boxed))
    }
}

/// Removes what belongs to one connection only (RFC 9110, section 7.6.1).
pub(crate) fn strip_hop_by_hop(headers: &mut header::HeaderMap) {
    let listed: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in listed {
        headers.remove(&name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}

fn plain(status: StatusCode, text: String) -> Answer {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
