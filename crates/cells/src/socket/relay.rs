//! `GET /relay`: a keeper's connection to the relay, joined byte for byte. The relay listens wherever the operator runs it; a keeper
//! reaches it through its cell's socket alone.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tracing::debug;

use super::SocketState;
use crate::config::{FromCell, RelayAddress};
use crate::limits;

trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Why a keeper does not reach the relay.
#[derive(Debug, thiserror::Error)]
enum RelayUnreachable {
    #[error("this platform has no relay")]
    None,
    #[error("the relay cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    #[error("the relay does not answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("the relay did not answer in time")]
    Silent,
    #[error("the relay refused the connection ({0})")]
    Refused(StatusCode),
    #[error("RELAY_CONNECTIONS ({}) of this cell are open", limits::RELAY_CONNECTIONS)]
    TooMany,
}

pub(super) async fn joined(State(state): State<SocketState>, request: Request) -> Response {
    match join(&state, request).await {
        Ok(response) => response,
        Err(error) => {
            debug!(cell = %state.shared.cell, %error, "no way to the relay");
            (StatusCode::BAD_GATEWAY, error.to_string()).into_response()
        }
    }
}

async fn join(state: &SocketState, mut request: Request) -> Result<Response, RelayUnreachable> {
    let address = state.config.relay.as_ref().ok_or(RelayUnreachable::None)?;
    let permit = std::sync::Arc::clone(&state.shared.relay_connections)
        .try_acquire_owned()
        .map_err(|_| RelayUnreachable::TooMany)?;
    let ask = for_relay(&request);
    let opening = async move {
        let stream: Box<dyn Bytes> = match address {
            RelayAddress::Here(relay) => {
                let (ours, stream) = duplex(limits::RELAY_BUFFER);
                let (cell, tenant) = (state.shared.cell, state.shared.tenant);
                let theirs = FromCell { cell, tenant, stream };
                relay.send(theirs).await.map_err(|_| RelayUnreachable::None)?;
                Box::new(ours)
            }
            RelayAddress::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        };
        let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // What fails here fails where the connection is used.
            let _ended = connection.with_upgrades().await;
        });
        Ok(sender.send_request(ask).await?)
    };
    let mut answer = tokio::time::timeout(limits::DIAL, opening)
        .await
        .map_err(|_| RelayUnreachable::Silent)?
        .map_err(|error: RelayUnreachable| error)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(RelayUnreachable::Refused(answer.status()));
    }
    let accept = answer.headers().get(SEC_WEBSOCKET_ACCEPT).cloned();
    let (keeper, relay): (OnUpgrade, OnUpgrade) = (hyper::upgrade::on(&mut request), hyper::upgrade::on(&mut answer));
    tokio::spawn(async move {
        let _permit = permit;
        if let (Ok(keeper), Ok(relay)) = tokio::join!(keeper, relay) {
            // Either side ends it; how is theirs to know.
            let _ended = copy_bidirectional(&mut TokioIo::new(keeper), &mut TokioIo::new(relay)).await;
        }
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Some(accept) = accept {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

/// What opens a WebSocket, and nothing else of what the keeper said.
fn for_relay(request: &Request) -> Request {
    let mut opening = Request::new(Body::empty());
    *opening.uri_mut() = axum::http::Uri::from_static(protocol::relay::PATH);
    let headers = opening.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("relay"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    for name in [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION] {
        if let Some(value) = request.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    opening
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::extract::ws::WebSocketUpgrade;
    use axum::routing::get;
    use futures::{SinkExt as _, StreamExt as _};
    use protocol::bridge::PLATFORM_SOCKET;
    use protocol::{CellId, InstallationId, TenantId};
    use tokio::net::{TcpListener, UnixStream};
    use tokio::sync::mpsc;
    use tokio_tungstenite::client_async;
    use tokio_tungstenite::tungstenite::{Error, Message};

    use crate::cell::Shared;
    use crate::config::RelayAddress;
    use crate::socket::{SocketService, folder};
    use crate::{CellsConfig, limits, local_blobs};

    /// Something that answers what it is told.
    async fn echo() -> String {
        let answer = |upgrade: WebSocketUpgrade| async {
            upgrade.on_upgrade(async |mut socket| {
                while let Some(Ok(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            })
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/relay", get(answer))).await });
        address
    }

    #[tokio::test]
    async fn a_keeper_reaches_the_relay_through_its_cells_socket() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = CellsConfig::new(InstallationId::new(), dir.path().to_owned());
        config.relay = Some(RelayAddress::Tcp(echo().await));
        let service = SocketService::new(Arc::new(config), local_blobs(&dir.path().join("blobs")).unwrap());
        let cell = CellId::new();
        let (events, _inbox) = mpsc::channel(1);
        let folder = folder(dir.path(), cell);
        let shared = Arc::new(Shared::new(cell, TenantId::new(), events));
        let _socket = service.open(&folder, shared).await.unwrap();
        let dial = async || {
            let stream = UnixStream::connect(folder.join(PLATFORM_SOCKET)).await.unwrap();
            client_async("ws://platform/relay", stream).await
        };

        let mut open = Vec::new();
        for _ in 0..limits::RELAY_CONNECTIONS {
            let (mut socket, _) = dial().await.unwrap();
            let message = Message::binary(vec![7; 100_000]);
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message);
            open.push(socket);
        }
        let Err(Error::Http(refused)) = dial().await else {
            panic!("more than RELAY_CONNECTIONS")
        };
        assert_eq!(refused.status(), 502);
    }

    #[tokio::test]
    async fn a_relay_of_this_process_hears_whose_keeper_connects() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = CellsConfig::new(InstallationId::new(), dir.path().to_owned());
        let (relay, mut connections) = mpsc::channel(1);
        config.relay = Some(RelayAddress::Here(relay));
        let service = SocketService::new(Arc::new(config), local_blobs(&dir.path().join("blobs")).unwrap());
        let (cell, tenant) = (CellId::new(), TenantId::new());
        let (events, _inbox) = mpsc::channel(1);
        let folder = folder(dir.path(), cell);
        let shared = Arc::new(Shared::new(cell, tenant, events));
        let _socket = service.open(&folder, shared).await.unwrap();
        let stream = UnixStream::connect(folder.join(PLATFORM_SOCKET)).await.unwrap();
        let dialling = tokio::spawn(client_async("ws://platform/relay", stream));
        let from = connections.recv().await.unwrap();
        assert_eq!((from.cell, from.tenant), (cell, tenant));
        dialling.abort();
    }
}
