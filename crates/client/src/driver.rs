//! The task that owns a channel's connection: it seals and sends, opens and sorts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{SinkExt as _, StreamExt as _};
use protocol::channel::KeeperMessage;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use vault::{FrameOpener, FrameSealer};
use zeroize::Zeroizing;

use crate::channel::{Event, Seen};
use crate::error::ClientError;

/// A connection with its keys.
pub(crate) struct Line<S> {
    pub socket: WebSocketStream<S>,
    pub opener: FrameOpener,
    pub sealer: FrameSealer,
}

type Answer = oneshot::Sender<Result<Value, ClientError>>;

/// What the channel's handle asks of the task.
pub(crate) enum Command {
    Request {
        id: u64,
        json: Zeroizing<Vec<u8>>,
        answer: Answer,
    },
    Cancel(u64),
    Close,
}

pub(crate) struct Driver<S> {
    pub line: Line<S>,
    pub commands: mpsc::Receiver<Command>,
    pub events: mpsc::Sender<Result<Event, ClientError>>,
    pub seen: Arc<Mutex<Seen>>,
}

impl<S> Driver<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    pub async fn run(mut self) {
        let mut waiting = HashMap::new();
        let why = loop {
            let step = tokio::select! {
                command = self.commands.recv() => match command {
                    None | Some(Command::Close) => {
                        // The other end may be gone already.
                        let _ = self.line.socket.close(None).await;
                        break ClientError::Closed(None);
                    }
                    Some(command) => self.command(command, &mut waiting).await,
                },
                message = self.line.socket.next() => self.message(message, &mut waiting),
            };
            if let Err(why) = step {
                break why;
            }
        };
        for (_, answer) in waiting {
            let answer: Answer = answer;
            let _ = answer.send(Err(ClientError::Closed(Some(why.to_string()))));
        }
        let _ = self.events.try_send(Err(why));
    }

    async fn command(&mut self, command: Command, waiting: &mut HashMap<u64, Answer>) -> Result<(), ClientError> {
        let json = match command {
            Command::Request { id, json, answer } => {
                waiting.insert(id, answer);
                json
            }
            Command::Cancel(id) if waiting.remove(&id).is_some() => {
                Zeroizing::new(format!("{{\"cancel\":{id}}}").into_bytes())
            }
            Command::Cancel(_) | Command::Close => return Ok(()),
        };
        let frame = self.line.sealer.seal(&json)?;
        self.line
            .socket
            .send(Message::binary(frame))
            .await
            .map_err(|error| ClientError::Closed(Some(error.to_string())))
    }

    fn message(
        &mut self,
        message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
        waiting: &mut HashMap<u64, Answer>,
    ) -> Result<(), ClientError> {
        let frame = match message {
            Some(Ok(Message::Binary(frame))) => frame,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Close(frame))) => {
                return Err(ClientError::Closed(frame.map(|frame| frame.reason.to_string())));
            }
            Some(Ok(_)) => return Err(ClientError::Protocol("text came where a frame was due".to_owned())),
            Some(Err(error)) => return Err(ClientError::Closed(Some(error.to_string()))),
            None => return Err(ClientError::Closed(None)),
        };
        let body = self.line.opener.open(&frame)?;
        let message = serde_json::from_slice(&body).map_err(|error| ClientError::Protocol(error.to_string()))?;
        match message {
            KeeperMessage::Result { id, result } => {
                if let Some(answer) = waiting.remove(&id) {
                    let _ = answer.send(Ok(result));
                }
                Ok(())
            }
            KeeperMessage::Error { id, error } => {
                if let Some(answer) = waiting.remove(&id) {
                    let _ = answer.send(Err(ClientError::Refused(error)));
                }
                Ok(())
            }
            KeeperMessage::Event { event, data } => {
                let event = Event { event, data };
                self.seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .notice(&event)?;
                let most = self.events.max_capacity();
                match self.events.try_send(Ok(event)) {
                    Err(mpsc::error::TrySendError::Full(_)) => Err(ClientError::EventsNotRead(most)),
                    // Nobody wants events.
                    Err(mpsc::error::TrySendError::Closed(_)) | Ok(()) => Ok(()),
                }
            }
        }
    }
}
