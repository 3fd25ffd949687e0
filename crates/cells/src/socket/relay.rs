//! `GET /relay`: a keeper's connection to the relay, joined byte for byte. The relay listens wherever the operator runs it; a keeper
//! reaches it through its cell's socket alone, and is not there any more when its owner may not use the cell.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use protocol::CarrierId;
use protocol::relay::news::{CARRIER, OPENS, OPENS_NONE};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional, duplex};
use tokio::net::TcpStream;
use tracing::debug;

use super::SocketState;
use crate::cell::NoWay;
use crate::config::RelayAddress;
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
    #[error(transparent)]
    NoWay(#[from] NoWay),
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
    let mut carried = state.shared.relay_way.carry()?;
    let mut ask = for_relay(&request, carried.carrier);
    let opening = async {
        let stream: Box<dyn Bytes> = match address {
            RelayAddress::Here(relay) => {
                let (ours, theirs) = duplex(limits::RELAY_BUFFER);
                relay.send(theirs).await.map_err(|_| RelayUnreachable::None)?;
                Box::new(ours)
            }
            RelayAddress::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
        };
        if !carried.may_make() {
            ask.headers_mut().insert(OPENS, HeaderValue::from_static(OPENS_NONE));
        }
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
    carried.join();
    let accept = answer.headers().get(SEC_WEBSOCKET_ACCEPT).cloned();
    let (keeper, relay): (OnUpgrade, OnUpgrade) = (hyper::upgrade::on(&mut request), hyper::upgrade::on(&mut answer));
    tokio::spawn(async move {
        // Whole: it counts until here.
        let carried = carried;
        let joined = async {
            if let (Ok(keeper), Ok(relay)) = tokio::join!(keeper, relay) {
                // Either side ends it; how is theirs to know.
                let _ended = copy_bidirectional(&mut TokioIo::new(keeper), &mut TokioIo::new(relay)).await;
            }
        };
        // Or it is closed.
        let _ended = carried.closed.run_until_cancelled(joined).await;
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

/// What opens a WebSocket, and nothing else of what the keeper said; and by which id this platform knows the connection.
fn for_relay(request: &Request, carrier: CarrierId) -> Request {
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
    if let Ok(carrier) = HeaderValue::try_from(carrier.to_string()) {
        headers.insert(CARRIER, carrier);
    }
    opening
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::Router;
    use axum::extract::ws::WebSocketUpgrade;
    use axum::routing::get;
    use futures::{SinkExt as _, StreamExt as _};
    use protocol::bridge::PLATFORM_SOCKET;
    use protocol::relay::MailboxKey;
    use protocol::relay::news::CARRIER;
    use protocol::{CellId, InstallationId, TenantId};
    use tempfile::TempDir;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
    use tokio::net::{TcpListener, UnixStream};
    use tokio::sync::mpsc;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
    use tokio_tungstenite::tungstenite::{Error, Message};
    use tokio_tungstenite::{WebSocketStream, client_async};

    use crate::cell::Shared;
    use crate::config::RelayAddress;
    use crate::socket::{CellSocket, SocketService, folder};
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

    /// A cell's socket, on which this lasts, and where the relay is.
    async fn listening(relay: RelayAddress) -> (TempDir, CellSocket, Arc<Shared>) {
        let dir = tempfile::tempdir().unwrap();
        let mut config = CellsConfig::new(InstallationId::new(), dir.path().to_owned());
        config.relay = Some(relay);
        let service = SocketService::new(Arc::new(config), local_blobs(&dir.path().join("blobs")).unwrap());
        let (events, _inbox) = mpsc::channel(1);
        let shared = Arc::new(Shared::new(CellId::new(), TenantId::new(), events));
        let folder = folder(dir.path(), shared.cell);
        let socket = service.open(&folder, Arc::clone(&shared)).await.unwrap();
        (dir, socket, shared)
    }

    async fn dial(dir: &TempDir, shared: &Shared) -> Result<WebSocketStream<UnixStream>, Error> {
        let socket = folder(dir.path(), shared.cell).join(PLATFORM_SOCKET);
        let stream = UnixStream::connect(socket).await.unwrap();
        let mut request = "ws://platform/relay".into_client_request().unwrap();
        // The platform's word, and none of the keeper's.
        request.headers_mut().insert(CARRIER, MADE_UP.parse().unwrap());
        Ok(client_async(request, stream).await?.0)
    }

    const MAILBOX: MailboxKey = MailboxKey([1; 32]);
    const MADE_UP: &str = "018f0000-0000-4000-8000-000000000000";

    #[tokio::test]
    async fn a_keeper_reaches_the_relay_through_its_cells_socket() {
        let (dir, _socket, shared) = listening(RelayAddress::Tcp(echo().await)).await;
        let mut open = Vec::new();
        for _ in 0..limits::RELAY_CONNECTIONS {
            let mut socket = dial(&dir, &shared).await.unwrap();
            echoes(&mut socket).await;
            open.push(socket);
        }
        let Err(Error::Http(refused)) = dial(&dir, &shared).await else {
            panic!("more than RELAY_CONNECTIONS")
        };
        assert_eq!(refused.status(), 502);
    }

    async fn echoes(socket: &mut WebSocketStream<UnixStream>) {
        let message = Message::binary(vec![7; 100_000]);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }

    #[tokio::test]
    async fn promise_09_the_keeper_of_who_is_sent_away_has_no_way_to_the_relay() {
        let (dir, _socket, shared) = listening(RelayAddress::Tcp(echo().await)).await;
        let mut socket = dial(&dir, &shared).await.unwrap();
        echoes(&mut socket).await;
        shared.relay_way.close();
        let ended = tokio::time::timeout(Duration::from_secs(1), socket.next()).await;
        assert!(!matches!(ended, Ok(Some(Ok(_))) | Err(_)), "{ended:?}");
        let Err(Error::Http(refused)) = dial(&dir, &shared).await else {
            panic!("a way to the relay")
        };
        assert_eq!(refused.status(), 502);
        let words = String::from_utf8(refused.into_body().unwrap_or_default()).unwrap();
        assert!(words.contains("may not use it"), "{words}");
        // As when they are let back in and their cell starts.
        shared.relay_way.open();
        echoes(&mut dial(&dir, &shared).await.unwrap()).await;
    }

    const TAKES: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    const TURNS_AWAY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

    /// The lines with which one more connection of this cell's keeper comes to a relay, which says this and leaves.
    async fn told_the_relay(
        dir: &TempDir,
        shared: &Shared,
        connections: &mut mpsc::Receiver<DuplexStream>,
        answer: &str,
    ) -> Vec<String> {
        let hearing = async {
            let mut stream = BufReader::new(connections.recv().await.unwrap());
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                match line.trim_end() {
                    "" => break,
                    line => head.push(line.to_owned()),
                }
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            head
        };
        let (head, refused) = tokio::join!(hearing, dial(dir, shared));
        assert!(refused.is_err());
        // Until its place is free.
        while shared.relay_way.carry().is_err() {
            tokio::task::yield_now().await;
        }
        head
    }

    #[tokio::test]
    async fn promise_12_a_relay_is_told_over_which_connections_of_a_cell_no_mailbox_is_made() {
        let (relay, mut connections) = mpsc::channel(1);
        let (dir, _socket, shared) = listening(RelayAddress::Here(relay)).await;
        let mut none_is_made = async |answer| {
            let head = told_the_relay(&dir, &shared, &mut connections, answer).await;
            head.iter().any(|line| line == "holdfast-opens: none")
        };
        // What the relay does not take makes none, however often it is tried.
        for answer in [TURNS_AWAY, ""] {
            for _ in 0..=limits::RELAY_MAILBOXES {
                assert!(!none_is_made(answer).await, "{answer}");
            }
        }
        for _ in 0..limits::RELAY_MAILBOXES {
            assert!(!none_is_made(TAKES).await);
        }
        assert!(none_is_made(TAKES).await);
    }

    #[tokio::test]
    async fn promise_03_a_relay_is_told_of_each_connection_by_an_id_that_no_keeper_chooses() {
        let (relay, mut connections) = mpsc::channel(1);
        let (dir, _socket, shared) = listening(RelayAddress::Here(relay)).await;
        let mut told = Vec::new();
        for _ in 0..2 {
            let head = told_the_relay(&dir, &shared, &mut connections, "").await;
            assert!(head.iter().all(|line| !line.contains(MADE_UP)), "{head:?}");
            let carriers = head.iter().filter_map(|line| line.strip_prefix("holdfast-carrier: "));
            let [carrier] = carriers.map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
            assert!(shared.relay_way.opened(carrier.parse().unwrap(), &MAILBOX));
            told.push(carrier);
        }
        assert_ne!(told[0], told[1]);
        assert!(!shared.relay_way.opened(MADE_UP.parse().unwrap(), &MAILBOX));
    }
}
