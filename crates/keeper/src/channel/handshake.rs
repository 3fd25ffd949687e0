//! The handshake, in clear: what is said before either end has proved anything. A password that is wrong may be tried again on
//! the same connection; a message that is malformed ends it.

use std::sync::Arc;

use futures::{SinkExt as _, StreamExt as _};
use protocol::SlotId;
use protocol::channel::{ChannelError, ClientHandshake, KeeperHandshake, VERSION, VaultState};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use vault::keys::{self, ChannelKeys};

use super::close::Close;
use super::host::Inner;
use super::tickets::Ticket;
use crate::limits::{CLOSE_GRACE, HANDSHAKE_BYTES, HANDSHAKE_MESSAGES, HANDSHAKE_SILENCE};
use crate::vault_service::{Challenge, VaultError};

/// Both ends have proved themselves.
pub(super) struct Established {
    pub keys: ChannelKeys,
    pub slot: SlotId,
    /// What the channel was resumed with; used up when its client speaks.
    pub ticket: Option<Ticket>,
}

/// What a step leads to.
enum Step {
    Answer(KeeperHandshake),
    /// The channel is up; for a resumption the client needs the nonce first.
    Up(Established, Option<KeeperHandshake>),
    /// Say this, then close.
    End(KeeperHandshake, Close),
}

struct Handshake {
    host: Arc<Inner>,
    /// The number that the channel is going to have.
    channel: u64,
    greeted: bool,
    login: Option<Challenge>,
}

/// Runs the handshake; none when the connection ended before the channel was up.
pub(super) async fn run<S>(host: &Arc<Inner>, channel: u64, socket: &mut WebSocketStream<S>) -> Option<Established>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = Handshake {
        host: Arc::clone(host),
        channel,
        greeted: false,
        login: None,
    };
    for _ in 0..HANDSHAKE_MESSAGES {
        let Ok(text) = tokio::time::timeout(HANDSHAKE_SILENCE, next_text(socket)).await else {
            break;
        };
        let step = match text? {
            Some(text) => match serde_json::from_str(&text) {
                Ok(message) => handshake.step(message).await,
                Err(_) => malformed("This is not a message of the handshake."),
            },
            None => malformed("A handshake is made of text messages."),
        };
        match step {
            Step::Answer(answer) => send(socket, &answer).await?,
            Step::Up(established, answer) => {
                if let Some(answer) = answer {
                    send(socket, &answer).await?;
                }
                return Some(established);
            }
            Step::End(answer, why) => {
                send(socket, &answer).await?;
                close(socket, why).await;
                return None;
            }
        }
    }
    close(socket, Close::HandshakeTooLong).await;
    None
}

/// The next text message; `Some(None)` for what is not text or too long, `None` at the end.
async fn next_text<S>(socket: &mut WebSocketStream<S>) -> Option<Option<String>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => {
                return Some((text.len() <= HANDSHAKE_BYTES).then(|| text.as_str().to_owned()));
            }
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(Message::Binary(_) | Message::Frame(_)) => return Some(None),
            Ok(Message::Close(_)) | Err(_) => return None,
        }
    }
}

async fn send<S>(socket: &mut WebSocketStream<S>, answer: &KeeperHandshake) -> Option<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = serde_json::to_string(answer).ok()?;
    socket.send(Message::text(text)).await.ok()
}

/// Says why, and closes.
pub(super) async fn close<S>(socket: &mut WebSocketStream<S>, why: Close)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The other end may be gone already.
    let _ = tokio::time::timeout(CLOSE_GRACE, socket.close(Some(why.frame()))).await;
}

fn malformed(message: &str) -> Step {
    Step::End(
        KeeperHandshake::Error(ChannelError::new("malformed", message)),
        Close::Malformed,
    )
}

impl Handshake {
    async fn step(&mut self, message: ClientHandshake) -> Step {
        let outcome = match message {
            ClientHandshake::Hello { version } => return self.hello(version),
            _ if !self.greeted => return malformed("Say hello first."),
            ClientHandshake::RegisterStart { claim, kind, request } => self
                .host
                .vault
                .first_registration_start(&claim, kind, &request)
                .map(|(slot, response)| Step::Answer(KeeperHandshake::RegisterResponse { slot, response })),
            ClientHandshake::RegisterFinish { slot, record } => self
                .host
                .vault
                .first_registration_finish(slot, &record)
                .map(|()| Step::Answer(KeeperHandshake::Registered { slot })),
            ClientHandshake::LoginStart { slot, request } => self.login_start(slot, &request).await,
            ClientHandshake::LoginFinish { slot, finish } => self.login_finish(slot, &finish).await,
            ClientHandshake::Resume { ticket, nonce } => return self.resume(&ticket, &nonce),
        };
        match outcome {
            Ok(step) => step,
            Err(error) if error.code() == "malformed" => {
                Step::End(KeeperHandshake::Error(error.into()), Close::Malformed)
            }
            Err(error) => Step::Answer(KeeperHandshake::Error(error.into())),
        }
    }

    fn hello(&mut self, version: u32) -> Step {
        if version != VERSION {
            let text = format!("This keeper speaks version {VERSION} of the channel, not {version}.");
            return Step::End(
                KeeperHandshake::Error(ChannelError::new("version", text)),
                Close::Malformed,
            );
        }
        let vault = &self.host.vault;
        match vault.cell() {
            Ok(cell) => {
                self.greeted = true;
                self.host.greetings.send_modify(|greetings| *greetings += 1);
                Step::Answer(KeeperHandshake::Hello {
                    version: VERSION,
                    cell,
                    vault: vault.state(),
                    slots: vault.slots(),
                })
            }
            Err(error) => Step::Answer(KeeperHandshake::Error(error.into())),
        }
    }

    async fn login_start(&mut self, slot: SlotId, request: &[u8]) -> Result<Step, VaultError> {
        self.login = None;
        let started = self.host.vault.login_start(slot, request).await?;
        self.login = Some(started.challenge);
        Ok(Step::Answer(KeeperHandshake::LoginResponse {
            response: started.response,
            retry_after_ms: Some(started.retry_after_ms),
        }))
    }

    async fn login_finish(&mut self, slot: SlotId, finish: &[u8]) -> Result<Step, VaultError> {
        let Some(challenge) = self.login.take().filter(|begun| begun.slot() == slot) else {
            return Ok(malformed("There is no log-in to this slot to finish."));
        };
        let session_key = self.host.vault.login_finish(self.channel, challenge, finish).await?;
        let keys = keys::channel(&session_key);
        let established = Established {
            keys,
            slot,
            ticket: None,
        };
        Ok(Step::Up(established, None))
    }

    fn resume(&mut self, ticket: &[u8], nonce: &[u8]) -> Step {
        let Ok(client_nonce) = <[u8; 32]>::try_from(nonce) else {
            return malformed("A nonce has 32 bytes.");
        };
        let found = self.host.tickets.find(ticket);
        let Some((ticket, secret, slot)) = found.filter(|_| self.host.vault.state() == VaultState::Unlocked) else {
            return Step::Answer(KeeperHandshake::Error(ChannelError::new(
                "ticket_unknown",
                "This ticket was used, or the vault was locked since: log in.",
            )));
        };
        let keeper_nonce: [u8; 32] = vault::random_bytes();
        let keys = keys::channel(&keys::resumed(&secret, &client_nonce, &keeper_nonce));
        let answer = KeeperHandshake::Resumed {
            nonce: keeper_nonce.to_vec(),
        };
        let established = Established {
            keys,
            slot,
            ticket: Some(ticket),
        };
        Step::Up(established, Some(answer))
    }
}
