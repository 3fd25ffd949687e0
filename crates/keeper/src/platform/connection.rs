//! One control connection after another: hello, welcome, then requests both ways until it breaks.

use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{SinkExt as _, StreamExt as _};
use protocol::ChannelId;
use protocol::control::{FromKeeper, FromPlatform, Outcome, VERSION};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{ChannelSocket, Platform, PlatformRequests, Welcome};
use crate::limits;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the platform's socket cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("the platform's WebSocket failed: {0}")]
    WebSocket(#[from] Box<WsError>),
    #[error("the platform closed the connection")]
    Closed,
    #[error("the platform did not answer in time")]
    Silent,
    #[error("the platform sent what this keeper does not understand: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("the platform speaks version {0} of the control connection, this keeper {VERSION}")]
    Version(u32),
    #[error("this is not the keeper's platform: {0}")]
    Foreign(String),
}

impl From<WsError> for Ended {
    fn from(error: WsError) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

/// Attaches for ever; ends only at a foreign platform.
pub(super) async fn run(platform: &Platform, requests: Arc<dyn PlatformRequests>) -> Result<(), String> {
    let mut pause = limits::ATTACH_BACKOFF_FIRST;
    let mut told = String::new();
    loop {
        let mut welcomed = false;
        let ended = one(platform, &requests, &mut welcomed).await;
        {
            let mut line = platform.line();
            line.outgoing = None;
            line.waiting.clear();
        }
        match ended {
            Ended::Foreign(why) => return Err(why),
            other => {
                // Once for each reason: a platform that is away for long is no news every two seconds.
                let why = other.to_string();
                if welcomed || why != told {
                    tracing::info!("control connection: {why}");
                    told = why;
                }
            }
        }
        if welcomed {
            pause = limits::ATTACH_BACKOFF_FIRST;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(limits::ATTACH_BACKOFF_LONGEST);
    }
}

pub(super) async fn dial(platform: &Platform, path: &str) -> Result<ChannelSocket, Ended> {
    let attempt = async {
        let stream = UnixStream::connect(&platform.shared.socket).await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(protocol::limits::FRAME_BYTES + 1024))
            .max_frame_size(Some(protocol::limits::FRAME_BYTES + 1024))
            .read_buffer_size(16 * 1024)
            .write_buffer_size(0);
        let (socket, _) = client_async_with_config(format!("ws://platform{path}"), stream, Some(config)).await?;
        Ok(socket)
    };
    tokio::time::timeout(limits::ATTACH_TIMEOUT, attempt)
        .await
        .map_err(|_| Ended::Silent)?
}

async fn one(platform: &Platform, requests: &Arc<dyn PlatformRequests>, welcomed: &mut bool) -> Ended {
    match serve(platform, requests, welcomed).await {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn serve(
    platform: &Platform,
    requests: &Arc<dyn PlatformRequests>,
    welcomed: &mut bool,
) -> Result<std::convert::Infallible, Ended> {
    let mut socket = dial(platform, "/attach").await?;
    let mut status = platform.shared.status.subscribe();
    let whole = status.borrow_and_update().clone();
    // What it knows beside what every platform does, it says in its answer.
    let told = whole.clone().for_platform(&[]);
    let hello = FromKeeper::Hello {
        version: VERSION,
        sleeps_now: true,
        hears_demands: true,
        status: told.clone(),
    };
    send(&mut socket, &hello).await?;
    let first = tokio::time::timeout(limits::ATTACH_TIMEOUT, receive(&mut socket))
        .await
        .map_err(|_| Ended::Silent)??;
    let notices = match first {
        FromPlatform::Welcome {
            version: VERSION,
            cell,
            tenant,
            config,
            deeds,
            stands,
            notices,
        } => {
            let welcome = Welcome {
                cell,
                tenant,
                config,
                deeds,
                stands,
                notices: notices.clone(),
            };
            requests.welcome(&welcome).await.map_err(Ended::Foreign)?;
            platform.shared.welcome.send_replace(Some(welcome));
            notices
        }
        FromPlatform::Welcome { version, .. } => return Err(Ended::Version(version)),
        _ => return Err(Ended::Closed),
    };
    *welcomed = true;
    if whole.for_platform(&notices) != told {
        status.mark_changed();
    }

    let (outgoing, mut to_send) = mpsc::unbounded_channel();
    platform.line().outgoing = Some(outgoing);
    let mut answers = FuturesUnordered::new();
    loop {
        tokio::select! {
            changed = status.changed() => {
                if changed.is_err() { return Err(Ended::Closed); }
                let now = status.borrow_and_update().clone().for_platform(&notices);
                send(&mut socket, &FromKeeper::Status(now)).await?;
            }
            Some(message) = to_send.recv() => send(&mut socket, &message).await?,
            Some((id, outcome)) = answers.next(), if !answers.is_empty() => {
                // What the request changed is told before its answer.
                if status.has_changed().unwrap_or(false) {
                    let now = status.borrow_and_update().clone().for_platform(&notices);
                    send(&mut socket, &FromKeeper::Status(now)).await?;
                }
                send(&mut socket, &FromKeeper::Reply { id, outcome }).await?;
            }
            message = receive(&mut socket) => match message? {
                FromPlatform::Welcome { .. } => {}
                FromPlatform::OpenChannel { channel, policy } => {
                    // Before the channel is there to ask.
                    requests.policy(policy);
                    tokio::spawn(open_channel(platform.clone(), requests.clone(), channel));
                }
                FromPlatform::SecondDemanded => requests.second_demanded(),
                FromPlatform::Request { id, op } => {
                    // On its own task: it goes on when the connection breaks.
                    let work = tokio::spawn(requests.request(op));
                    answers.push(async move {
                        let outcome = work.await.unwrap_or_else(|error| Outcome::Error {
                            code: "internal".to_owned(),
                            message: format!("the keeper failed: {error}"),
                        });
                        (id, outcome)
                    });
                }
                FromPlatform::Reply { id, outcome } => {
                    if let Some(waiting) = platform.line().waiting.remove(&id) {
                        let _gone = waiting.send(outcome);
                    }
                }
            }
        }
    }
}

async fn open_channel(platform: Platform, requests: Arc<dyn PlatformRequests>, channel: ChannelId) {
    match dial(&platform, &format!("/channels/{channel}")).await {
        Ok(socket) => requests.channel(socket).await,
        Err(error) => tracing::info!("channel {channel}: {error}"),
    }
}

async fn send(socket: &mut WebSocketStream<UnixStream>, message: &FromKeeper) -> Result<(), Ended> {
    socket.send(Message::text(serde_json::to_string(message)?)).await?;
    Ok(())
}

/// The next message; pings are answered by the library, a close ends it. Safe to drop between messages.
async fn receive(socket: &mut WebSocketStream<UnixStream>) -> Result<FromPlatform, Ended> {
    loop {
        match socket.next().await.ok_or(Ended::Closed)?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(_) => return Err(Ended::Closed),
            _ => {}
        }
    }
}
