//! `GET /api/v1/channel`: joins a client's WebSocket with one that its keeper dials, message by message. What passes is
//! handshake and ciphertext: it is counted, bounded and forwarded, never looked into.

mod join;
mod local;
mod origin;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ed25519_dalek::VerifyingKey;
use protocol::limits::FRAME_BYTES;
use protocol::{GatewayToken, TokenError};
use serde_json::json;
use tracing::debug;

pub use local::dial;
pub use sessions::{Admission, Sessions, SessionsUnavailable};

use crate::{CellState, Cells, CellsError, limits, now_ms};

/// The subprotocol of a channel.
pub const SUBPROTOCOL: &str = "holdfast.channel.v1";
/// Before the gateway token, among the subprotocols that a client offers.
pub const TOKEN_PREFIX: &str = "holdfast.token.";

/// Close codes of our own; `docs/protocol.md`, section 1, lists all.
pub mod close {
    /// The gateway token has expired: ask for a new one and connect again.
    pub const TOKEN_EXPIRED: u16 = 4401;
    /// The session that asked for the gateway token is over: sign in again.
    pub const SESSION_ENDED: u16 = 4403;
    /// The client sent nothing, not even a pong, for `CLIENT_SILENCE`.
    pub const SILENT: u16 = 4408;
    /// `CHANNELS_PER_CELL` are open already.
    pub const TOO_MANY: u16 = 4429;
    /// The keeper's end broke off: it ended, or the cell went to sleep. Connecting again wakes the cell.
    pub const KEEPER_GONE: u16 = 4502;
}

/// What the proxy needs to know.
#[derive(Clone)]
pub struct ProxyConfig {
    /// Checks gateway tokens.
    pub verifying_key: VerifyingKey,
    /// The address under which browsers know this installation: pages from there may open channels.
    pub public_url: String,
    /// Knows which sessions stand.
    pub sessions: Arc<dyn Sessions>,
}

#[derive(Clone)]
struct ProxyState {
    cells: Cells,
    config: Arc<ProxyConfig>,
}

/// The route of the channel.
pub fn router(cells: Cells, config: ProxyConfig) -> Router {
    Router::new()
        .route("/api/v1/channel", get(channel))
        .with_state(ProxyState {
            cells,
            config: Arc::new(config),
        })
}

async fn channel(State(state): State<ProxyState>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if !origin::is_allowed(&headers, &state.config.public_url) {
        return problem(StatusCode::FORBIDDEN, "origin", "this page may not open channels here");
    }
    let offered: Vec<&str> = upgrade
        .requested_protocols()
        .filter_map(|value| value.to_str().ok())
        .collect();
    if !offered.contains(&SUBPROTOCOL) {
        let detail = "offer the subprotocols holdfast.channel.v1 and holdfast.token.<gateway token>";
        return problem(StatusCode::BAD_REQUEST, "subprotocol", detail);
    }
    let Some(token) = offered.iter().find_map(|protocol| protocol.strip_prefix(TOKEN_PREFIX)) else {
        return problem(StatusCode::UNAUTHORIZED, "token_missing", "a gateway token is needed");
    };
    let verified = GatewayToken::verify(token, &state.config.verifying_key);
    let mut upgrade = upgrade
        .max_message_size(FRAME_BYTES)
        .max_frame_size(FRAME_BYTES)
        .read_buffer_size(16 * 1024);
    upgrade.set_selected_protocol(HeaderValue::from_static(SUBPROTOCOL));
    match verified {
        Ok(token) => upgrade.on_upgrade(move |client| serve(state, token, client)),
        // It was ours once. A browser learns nothing from an HTTP status here, so it is told inside.
        Err(error @ TokenError::Expired) => upgrade.on_upgrade(async move |client| {
            refuse(client, "token_expired", &error.to_string(), None, close::TOKEN_EXPIRED).await;
        }),
        Err(error) => problem(StatusCode::UNAUTHORIZED, "token_refused", &error.to_string()),
    }
}

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    let content_type = [(axum::http::header::CONTENT_TYPE, "application/problem+json")];
    (status, content_type, body.to_string()).into_response()
}

async fn serve(state: ProxyState, token: GatewayToken, mut client: WebSocket) {
    let cells = state.cells;
    let cell = token.cell;
    // A token outlives the session that asked for it, so the session is looked up each time; if it cannot be, the answer is no.
    let admission = match state.config.sessions.admit(&token).await {
        Ok(Some(admission)) => admission,
        Ok(None) => {
            let message = "this session is over: sign in again";
            return refuse(client, "session_ended", message, None, close::SESSION_ENDED).await;
        }
        Err(error) => {
            let wait = Some(limits::DIAL);
            return refuse(
                client,
                "sessions_unavailable",
                &error.to_string(),
                wait,
                close_code::AGAIN,
            )
            .await;
        }
    };
    let shared = match cells.shared(cell, token.tenant) {
        Ok(shared) => shared,
        Err(error) => return refuse_for(client, &error).await,
    };
    if !matches!(shared.state(), CellState::Awake | CellState::Paused) && !hint(&mut client, "starting_keeper").await {
        return;
    }
    let keeper = match cells.reach(&shared, admission.policy()).await {
        Ok(keeper) => keeper,
        Err(error) => return refuse_for(client, &error).await,
    };
    if !hint(&mut client, "connected").await {
        return;
    }
    debug!(%cell, "channel joined");
    join::join(client, keeper, &shared, &*admission).await;
    debug!(%cell, "channel ended");
}

/// Tells the client how far its cell is; `false` if the client is gone.
async fn hint(client: &mut WebSocket, phase: &str) -> bool {
    let text = json!({"type": "platform", "phase": phase, "at": now_ms()}).to_string();
    client.send(Message::text(text)).await.is_ok()
}

async fn refuse_for(client: WebSocket, error: &CellsError) {
    let code = match error {
        CellsError::TooManyChannels => close::TOO_MANY,
        CellsError::WrongTenant | CellsError::Removed { .. } => close_code::POLICY,
        _ => close_code::AGAIN,
    };
    refuse(client, error.code(), &error.to_string(), error.retry_after(), code).await;
}

async fn refuse(mut client: WebSocket, code: &str, message: &str, retry_after: Option<Duration>, close: u16) {
    let mut body = json!({"type": "platform_error", "code": code, "message": message});
    if let Some(after) = retry_after {
        body["retry_after_ms"] = json!(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    }
    let said = async {
        client.send(Message::text(body.to_string())).await?;
        let frame = CloseFrame {
            code: close,
            reason: code.into(),
        };
        client.send(Message::Close(Some(frame))).await?;
        // Until the client has read it and closes its side; resetting the connection could lose it.
        while let Some(Ok(_)) = client.recv().await {}
        Ok::<_, axum::Error>(())
    };
    let _ = tokio::time::timeout(limits::DIAL, said).await;
}
