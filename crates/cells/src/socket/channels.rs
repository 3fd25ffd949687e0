//! `GET /channels/{id}`: the keeper dials a channel that a client waits for; each can be dialled once.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use protocol::ChannelId;
use protocol::limits::FRAME_BYTES;

use super::SocketState;

pub(super) async fn dialled(
    State(state): State<SocketState>,
    Path(channel): Path<ChannelId>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(waiting) = state.shared.take_channel(channel) else {
        return (StatusCode::NOT_FOUND, "nobody waits for this channel").into_response();
    };
    upgrade
        .max_message_size(FRAME_BYTES)
        .max_frame_size(FRAME_BYTES)
        .read_buffer_size(16 * 1024)
        .on_upgrade(async move |socket| {
            // A client that gave up meanwhile: dropping the socket tells the keeper.
            let _ = waiting.send(socket);
        })
}
