//! Opening a channel's WebSocket at a platform: one request that is upgraded, on the HTTP client that its caller has anyway.

use protocol::channel::{SUBPROTOCOL, TOKEN_SUBPROTOCOL};
use protocol::limits::FRAME_BYTES;
use reqwest::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use reqwest::{StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::error::ClientError;

/// Opens the WebSocket of a channel (section 1) at `base`, such as `https://agents.example.org`. Over TLS the client must be one that
/// speaks HTTP/1.1 alone. Nobody has proved anything yet.
///
/// # Errors
/// [`ClientError::NotOpened`] with the platform's status; [`ClientError::Closed`].
pub async fn dial(
    http: &reqwest::Client,
    base: &str,
    gateway_token: &str,
) -> Result<WebSocketStream<Upgraded>, ClientError> {
    let key = generate_key();
    let protocols = format!("{SUBPROTOCOL}, {TOKEN_SUBPROTOCOL}{gateway_token}");
    let mut protocols = HeaderValue::try_from(protocols)
        .map_err(|_| ClientError::Protocol("a gateway token is plain text".to_owned()))?;
    protocols.set_sensitive(true);
    let answer = http
        .get(format!("{}/api/v1/channel", base.trim_end_matches('/')))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .header(SEC_WEBSOCKET_PROTOCOL, protocols)
        .send()
        .await
        .map_err(closed)?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(ClientError::NotOpened(answer.status().as_u16()));
    }
    let told = |name| {
        answer
            .headers()
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if told(SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str())
        || told(SEC_WEBSOCKET_PROTOCOL) != Some(SUBPROTOCOL)
    {
        return Err(ClientError::Protocol("it did not take up the WebSocket".to_owned()));
    }
    let socket = answer.upgrade().await.map_err(closed)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES));
    Ok(WebSocketStream::from_raw_socket(socket, Role::Client, Some(config)).await)
}

fn closed(error: reqwest::Error) -> ClientError {
    ClientError::Closed(Some(error.to_string()))
}
