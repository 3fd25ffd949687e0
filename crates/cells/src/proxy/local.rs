//! A channel for a client in this same process: platform custody. It is joined with its keeper as a browser's is, by frames that
//! nothing here can open; only the way to the client is a pipe in memory.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame as KeeperClose, Message as KeeperMessage};
use futures::{SinkExt as _, StreamExt as _};
use protocol::control::TenantPolicy;
use protocol::limits::FRAME_BYTES;
use protocol::{CellId, TenantId};
use tokio::io::DuplexStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use super::close;
use crate::cell::Shared;
use crate::service::KeeperChannel;
use crate::{Cells, CellsError, limits};

/// What the pipe holds in each direction.
const PIPE_BYTES: usize = 64 * 1024;

/// Wakes a cell and opens a channel to its keeper. Nobody has proved anything yet.
///
/// # Errors
/// What keeps the cell from waking, or its keeper from dialling.
pub async fn dial(cells: &Cells, cell: CellId, tenant: TenantId) -> Result<WebSocketStream<DuplexStream>, CellsError> {
    let shared = cells.shared(cell, tenant)?;
    // No person grants anything here.
    let keeper = cells.reach(&shared, TenantPolicy::default()).await?;
    let (client, platform) = tokio::io::duplex(PIPE_BYTES);
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES))
        .max_frame_size(Some(FRAME_BYTES));
    let client = WebSocketStream::from_raw_socket(client, Role::Client, Some(config)).await;
    let platform = WebSocketStream::from_raw_socket(platform, Role::Server, Some(config)).await;
    tokio::spawn(join(platform, keeper, shared));
    Ok(client)
}

/// Forwards until either side ends, then ends the other.
async fn join(client: WebSocketStream<DuplexStream>, keeper: KeeperChannel, shared: Arc<Shared>) {
    let KeeperChannel { socket, permit } = keeper;
    let (mut to_client, mut from_client) = client.split();
    let (mut to_keeper, mut from_keeper) = socket.split();
    let up = async {
        while let Some(Ok(message)) = from_client.next().await {
            let message = match message {
                Message::Text(text) => KeeperMessage::text(text.as_str()),
                Message::Binary(bytes) => KeeperMessage::Binary(bytes),
                Message::Close(_) => break,
                _ => continue,
            };
            shared.client_wrote();
            if !matches!(timeout(limits::FORWARD, to_keeper.send(message)).await, Ok(Ok(()))) {
                break;
            }
        }
        None
    };
    let down = async {
        while let Some(Ok(message)) = from_keeper.next().await {
            let message = match message {
                KeeperMessage::Text(text) => Message::text(text.as_str()),
                KeeperMessage::Binary(bytes) => Message::Binary(bytes),
                KeeperMessage::Close(frame) => return frame,
                _ => continue,
            };
            shared.activity.keeper_wrote();
            if !matches!(timeout(limits::FORWARD, to_client.send(message)).await, Ok(Ok(()))) {
                break;
            }
        }
        None
    };
    let told = tokio::select! { told = up => told, told = down => told };
    drop(permit);
    let (code, reason) = told.map_or((close::KEEPER_GONE, "the keeper is gone".to_owned()), |frame| {
        (frame.code, frame.reason.as_str().to_owned())
    });
    let to_the_client = Message::Close(Some(CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    }));
    let to_the_keeper = KeeperMessage::Close(Some(KeeperClose {
        code: axum::extract::ws::close_code::NORMAL,
        reason: "the client is gone".into(),
    }));
    // Either may be gone already.
    let _ = tokio::join!(
        timeout(limits::DIAL, to_client.send(to_the_client)),
        timeout(limits::DIAL, to_keeper.send(to_the_keeper)),
    );
}
