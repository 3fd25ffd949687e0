//! `GET /attach`: a keeper's control connection. It carries what the keeper and its cell's task say to each other, and
//! ends when either lets go of it.

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use protocol::control::{FromKeeper, FromPlatform, KeeperStatus, NoticeKind, VERSION};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::SocketState;
use crate::cell::{Attachment, Event};
use crate::limits;

pub(super) async fn attach(State(state): State<SocketState>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(limits::CONTROL_BYTES)
        .max_frame_size(limits::CONTROL_BYTES)
        .read_buffer_size(4096)
        .on_upgrade(move |socket| serve(state, socket))
}

/// Why a control connection was closed by us.
struct Refusal {
    code: u16,
    reason: String,
}

async fn serve(state: SocketState, mut socket: WebSocket) {
    let cell = state.shared.cell;
    let hello = match tokio::time::timeout(limits::DIAL, hello(&mut socket)).await {
        Ok(Ok(hello)) => hello,
        Ok(Err(refusal)) => return close(socket, refusal).await,
        Err(_) => {
            let reason = "no hello in time".into();
            return close(
                socket,
                Refusal {
                    code: close_code::POLICY,
                    reason,
                },
            )
            .await;
        }
    };
    let welcome = FromPlatform::Welcome {
        version: VERSION,
        cell,
        tenant: state.shared.tenant,
        config: state.config.keeper.clone(),
        deeds: true,
        stands: state.config.questions.is_some(),
        notices: NoticeKind::names(),
    };
    if send(&mut socket, &welcome).await.is_err() {
        return;
    }
    let (to_keeper, outgoing) = mpsc::channel(limits::CONTROL_QUEUE);
    let generation = state.shared.next_generation();
    let attached = Event::Attached(Attachment {
        generation,
        status: hello.status,
        sleeps_now: hello.sleeps_now,
        hears_demands: hello.hears_demands,
        to_keeper,
    });
    if state.shared.events.send(attached).await.is_err() {
        return;
    }
    debug!(%cell, generation, "the keeper attached");
    let refusal = carry(&state, &mut socket, outgoing, generation).await;
    // Nobody to tell if the task has ended.
    let _ = state.shared.events.send(Event::Detached { generation }).await;
    debug!(%cell, generation, "the keeper detached");
    if let Some(refusal) = refusal {
        close(socket, refusal).await;
    }
}

/// How the keeper is, and what it knows that not every one does.
struct Hello {
    status: KeeperStatus,
    sleeps_now: bool,
    hears_demands: bool,
}

async fn hello(socket: &mut WebSocket) -> Result<Hello, Refusal> {
    match next(socket).await {
        Some(Ok(FromKeeper::Hello {
            version: VERSION,
            sleeps_now,
            hears_demands,
            status,
        })) => Ok(Hello {
            status,
            sleeps_now,
            hears_demands,
        }),
        Some(Ok(FromKeeper::Hello { version, .. })) => Err(Refusal {
            code: close_code::POLICY,
            reason: format!("version {version} is not known here; this platform speaks {VERSION}"),
        }),
        Some(Ok(_)) => Err(Refusal {
            code: close_code::PROTOCOL,
            reason: "the first message is hello".into(),
        }),
        Some(Err(refusal)) => Err(refusal),
        None => Err(Refusal {
            code: close_code::NORMAL,
            reason: String::new(),
        }),
    }
}

async fn carry(
    state: &SocketState,
    socket: &mut WebSocket,
    mut outgoing: mpsc::Receiver<FromPlatform>,
    generation: u64,
) -> Option<Refusal> {
    loop {
        tokio::select! {
            message = outgoing.recv() => match message {
                Some(message) => send(socket, &message).await.ok()?,
                None => return Some(Refusal {
                    code: close_code::NORMAL,
                    reason: "replaced, or the cell goes to sleep".into(),
                }),
            },
            message = next(socket) => match message {
                Some(Ok(message)) => {
                    state.shared.events.send(Event::FromKeeper { generation, message }).await.ok()?;
                }
                Some(Err(refusal)) => return Some(refusal),
                None => return None,
            },
        }
    }
}

/// The next message; `None` at the end of the connection.
async fn next(socket: &mut WebSocket) -> Option<Result<FromKeeper, Refusal>> {
    loop {
        return match socket.recv().await? {
            Ok(Message::Text(text)) => Some(serde_json::from_str(&text).map_err(|error| {
                warn!(%error, "a control message that is not understood");
                Refusal {
                    code: close_code::INVALID,
                    reason: "not a control message".into(),
                }
            })),
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(Message::Close(_)) | Err(_) => None,
            Ok(Message::Binary(_)) => Some(Err(Refusal {
                code: close_code::UNSUPPORTED,
                reason: "control messages are text".into(),
            })),
        };
    }
}

async fn send(socket: &mut WebSocket, message: &FromPlatform) -> Result<(), axum::Error> {
    let text = serde_json::to_string(message).map_err(axum::Error::new)?;
    socket.send(Message::text(text)).await
}

async fn close(mut socket: WebSocket, refusal: Refusal) {
    let frame = CloseFrame {
        code: refusal.code,
        reason: refusal.reason.into(),
    };
    // The connection may be gone already.
    let _ = tokio::time::timeout(limits::DIAL, socket.send(Message::Close(Some(frame)))).await;
}
