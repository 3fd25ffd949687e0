//! The control connection: JSON lines, one message a line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::bridge::{FromBridge, GATEWAY_PORT, Opening, ToBridge};
use protocol::limits::BRIDGE_LINE_BYTES;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use super::openclaw::OpenClaw;
use super::{join, scrub};
use futures::StreamExt as _;

/// Why a control connection ended.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("a line is longer than {BRIDGE_LINE_BYTES} bytes (BRIDGE_LINE_BYTES)")]
    LineTooLong,
    #[error("a line cannot be understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Carries out what the keeper asks until the connection ends.
pub async fn attend(stream: UnixStream, socket: &Path, openclaw: &mut OpenClaw) -> Result<(), ControlError> {
    let (read, mut write) = stream.into_split();
    send(&mut write, &Opening::Control).await?;
    let mut lines = read_lines(read);
    let (report, mut reports) = mpsc::channel(8);
    loop {
        tokio::select! {
            line = lines.next() => {
                let Some(line) = line else { return Err(ControlError::Closed) };
                match serde_json::from_str(&line.map_err(line_error)?)? {
                    ToBridge::Prepare => openclaw.prepare(),
                    ToBridge::Unprepare => openclaw.unprepare(),
                    ToBridge::Start => match openclaw.start().await {
                        Ok(pid) => send(&mut write, &FromBridge::Started { pid }).await?,
                        Err(error) => {
                            let last_output = format!("OpenClaw cannot be started: {error}");
                            send(&mut write, &FromBridge::Exited { code: None, signal: None, last_output }).await?;
                        }
                    },
                    ToBridge::Stop { grace_ms } => {
                        let ended = openclaw.stop(Duration::from_millis(grace_ms)).await;
                        send(&mut write, &ended.unwrap_or_else(nothing_ran)).await?;
                    }
                    ToBridge::Dial { id } => {
                        tokio::spawn(dial(id, socket.to_owned(), report.clone()));
                    }
                    ToBridge::Scrub { id } => {
                        let report = report.clone();
                        tokio::spawn(async move {
                            let scrubbed = scrub::run().await;
                            if let Err(why) = &scrubbed {
                                tracing::warn!("what was deleted is still in OpenClaw's files: {why}");
                            }
                            let done = scrubbed.is_ok();
                            // With the control connection gone nobody waits for it any more.
                            let _ = report.send(FromBridge::Scrubbed { id, done }).await;
                        });
                    }
                }
            }
            Some(report) = reports.recv() => send(&mut write, &report).await?,
            ended = openclaw.ended() => send(&mut write, &ended).await?,
        }
    }
}

/// The answer to a stop when nothing ran.
fn nothing_ran() -> FromBridge {
    FromBridge::Exited {
        code: None,
        signal: None,
        last_output: String::new(),
    }
}

/// Joins a new connection to the keeper with one to the Gateway.
async fn dial(id: u64, socket: PathBuf, failed: mpsc::Sender<FromBridge>) {
    let joined: std::io::Result<(TcpStream, UnixStream)> = async {
        let gateway = TcpStream::connect(("127.0.0.1", GATEWAY_PORT)).await?;
        gateway.set_nodelay(true)?;
        let mut keeper = UnixStream::connect(&socket).await?;
        send(&mut keeper, &Opening::Dial(id)).await?;
        Ok((gateway, keeper))
    }
    .await;
    match joined {
        Ok((gateway, keeper)) => join::both_ways(gateway, keeper).await,
        Err(error) => {
            let message = error.to_string();
            // With the control connection gone nobody waits for the dial any more.
            let _ = failed.send(FromBridge::DialFailed { id, message }).await;
        }
    }
}

/// Reads lines of bounded length.
pub fn read_lines<R: AsyncRead>(read: R) -> FramedRead<R, LinesCodec> {
    FramedRead::new(read, LinesCodec::new_with_max_length(BRIDGE_LINE_BYTES))
}

/// Writes one message as a line.
pub async fn send<W: AsyncWrite + Unpin>(write: &mut W, message: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// What is wrong with a line.
pub fn line_error(error: LinesCodecError) -> ControlError {
    match error {
        LinesCodecError::MaxLineLengthExceeded => ControlError::LineTooLong,
        LinesCodecError::Io(error) => ControlError::Io(error),
    }
}
