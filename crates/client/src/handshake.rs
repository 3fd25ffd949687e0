use futures::{SinkExt as _, StreamExt as _};
use protocol::channel::{ClientHandshake, KeeperHandshake, SlotInfo, SlotKind, VERSION, VaultState};
use protocol::{CellId, SlotId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use vault::keys::{self, ChannelKeys};
use vault::opaque::{ClientLogin, ClientRegistration, Names, OpaqueError};
use vault::{ClientSecret, FrameOpener, Kek, ResumptionSecret};

use crate::channel::{Channel, Events};
use crate::driver::Line;
use crate::error::ClientError;

/// What the keeper says of itself, before it has proved anything.
#[derive(Debug, Clone)]
pub struct Hello {
    pub cell: CellId,
    pub vault: VaultState,
    pub slots: Vec<SlotInfo>,
}

/// What a client remembers of a keeper, to know it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub cell: CellId,
    pub keeper_public_key: Vec<u8>,
    /// The highest epoch of the vault that was seen.
    pub epoch: u64,
}

/// What a registration gives.
pub struct Registered {
    pub slot: SlotId,
    pub keeper_public_key: Vec<u8>,
}

/// Lets a client come back without the password, once, until the vault is locked.
#[derive(Clone)]
pub struct Ticket {
    pub(crate) ticket: Vec<u8>,
    pub(crate) secret: ResumptionSecret,
}

/// A connection to a keeper that has not proved itself yet.
pub struct Handshake<S> {
    socket: Option<WebSocketStream<S>>,
    hello: Hello,
    known: Option<Known>,
}

impl<S> Handshake<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// Says hello. With `known`, another cell and a vault that has gone are refused at once.
    ///
    /// # Errors
    /// [`ClientError`] names the reason.
    pub async fn open(mut socket: WebSocketStream<S>, known: Option<Known>) -> Result<Self, ClientError> {
        send(&mut socket, &ClientHandshake::Hello { version: VERSION }).await?;
        let hello = match receive(&mut socket).await? {
            KeeperHandshake::Hello { version, .. } if version != VERSION => return Err(ClientError::Version(version)),
            KeeperHandshake::Hello { cell, vault, slots, .. } => Hello { cell, vault, slots },
            other => return Err(unexpected(&other)),
        };
        if let Some(known) = &known {
            if known.cell != hello.cell {
                return Err(ClientError::AnotherCell {
                    expected: known.cell,
                    found: hello.cell,
                });
            }
            if hello.vault == VaultState::New {
                return Err(ClientError::VaultGone);
            }
        }
        Ok(Self {
            socket: Some(socket),
            hello,
            known,
        })
    }

    /// What the keeper said of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    fn socket(&mut self) -> Result<&mut WebSocketStream<S>, ClientError> {
        self.socket.as_mut().ok_or(ClientError::Used)
    }

    fn names(&self, slot: SlotId) -> Names {
        Names {
            cell: self.hello.cell.uuid(),
            slot: slot.uuid(),
        }
    }

    /// Registers the first slot of a new vault. Log in with it next, then make the vault.
    ///
    /// # Errors
    /// `claim_refused` and `vault_exists` from the keeper, or [`ClientError::Protocol`].
    pub async fn register(
        &mut self,
        claim: &[u8],
        kind: SlotKind,
        secret: &ClientSecret,
    ) -> Result<Registered, ClientError> {
        let (registration, request) = ClientRegistration::start(secret).map_err(protocol)?;
        let start = ClientHandshake::RegisterStart {
            claim: claim.to_vec(),
            kind,
            request,
        };
        let (slot, response) = match self.ask(&start).await? {
            KeeperHandshake::RegisterResponse { slot, response } => (slot, response),
            other => return Err(unexpected(&other)),
        };
        let names = self.names(slot);
        let registered = stretch(move || registration.finish(&response, &names))
            .await?
            .map_err(protocol)?;
        let finish = ClientHandshake::RegisterFinish {
            slot,
            record: registered.record,
        };
        match self.ask(&finish).await? {
            KeeperHandshake::Registered { slot: confirmed } if confirmed == slot => Ok(Registered {
                slot,
                keeper_public_key: registered.keeper_public_key,
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// Logs in. After a wrong password it may be tried again.
    ///
    /// # Errors
    /// [`ClientError::WrongSecretOrKeeper`], [`ClientError::AnotherKeeper`], [`ClientError::Unproved`]; `backoff` and
    /// `unknown_slot` from the keeper.
    pub async fn login(&mut self, slot: SlotId, secret: &ClientSecret) -> Result<(Channel, Events), ClientError> {
        let (login, request) = ClientLogin::start(secret).map_err(protocol)?;
        let (response, retry_after_ms) = match self.ask(&ClientHandshake::LoginStart { slot, request }).await? {
            KeeperHandshake::LoginResponse {
                response,
                retry_after_ms,
            } => (response, retry_after_ms),
            other => return Err(unexpected(&other)),
        };
        let names = self.names(slot);
        let proved = stretch(move || login.finish(&response, &names)).await?;
        let proved = proved.map_err(|error| match error {
            OpaqueError::Malformed => protocol(error),
            _ => ClientError::WrongSecretOrKeeper { retry_after_ms },
        })?;
        if let Some(known) = &self.known
            && known.keeper_public_key != proved.keeper_public_key
        {
            return Err(ClientError::AnotherKeeper);
        }
        let finish = ClientHandshake::LoginFinish {
            slot,
            finish: proved.finish,
        };
        send(self.socket()?, &finish).await?;
        let known = Known {
            cell: self.hello.cell,
            keeper_public_key: proved.keeper_public_key,
            epoch: self.known.as_ref().map_or(0, |known| known.epoch),
        };
        let kek = keys::kek(&proved.export_key, slot.uuid());
        self.up(keys::channel(&proved.session_key), Some(kek), known).await
    }

    /// Comes back with a ticket. The keeper proves itself by knowing the ticket's secret.
    ///
    /// # Errors
    /// `ticket_unknown` from the keeper; [`ClientError::Unproved`]; [`ClientError::Used`] when nothing is known of the keeper.
    pub async fn resume(&mut self, ticket: &Ticket) -> Result<(Channel, Events), ClientError> {
        let nonce: [u8; 32] = vault::random_bytes();
        let resume = ClientHandshake::Resume {
            ticket: ticket.ticket.clone(),
            nonce: nonce.to_vec(),
        };
        let keeper_nonce = match self.ask(&resume).await? {
            KeeperHandshake::Resumed { nonce } => nonce,
            other => return Err(unexpected(&other)),
        };
        let keeper_nonce: [u8; 32] = keeper_nonce
            .try_into()
            .map_err(|_| ClientError::Protocol("a nonce has 32 bytes".to_owned()))?;
        let keys = keys::channel(&keys::resumed(&ticket.secret, &nonce, &keeper_nonce));
        let known = self.known.clone().unwrap_or(Known {
            cell: self.hello.cell,
            keeper_public_key: Vec::new(),
            epoch: 0,
        });
        self.up(keys, None, known).await
    }

    /// The first frame is the keeper's proof.
    async fn up(
        &mut self,
        keys: ChannelKeys,
        kek: Option<Kek>,
        known: Known,
    ) -> Result<(Channel, Events), ClientError> {
        let socket = self.socket()?;
        let mut opener = FrameOpener::new(&keys.keeper_to_client);
        let first = match next(socket).await? {
            Message::Binary(frame) => opener.open(&frame).map_err(|_| ClientError::Unproved)?,
            Message::Text(text) => {
                return Err(match serde_json::from_str(&text) {
                    Ok(KeeperHandshake::Error(error)) => ClientError::Refused(error),
                    _ => ClientError::Unproved,
                });
            }
            _ => return Err(ClientError::Unproved),
        };
        let socket = self.socket.take().ok_or(ClientError::Used)?;
        let line = Line {
            socket,
            opener,
            sealer: vault::FrameSealer::new(&keys.client_to_keeper),
        };
        Channel::start(line, &first, kek, known)
    }

    async fn ask(&mut self, message: &ClientHandshake) -> Result<KeeperHandshake, ClientError> {
        let socket = self.socket()?;
        send(socket, message).await?;
        receive(socket).await
    }
}

/// Key stretching takes long and blocks: it has a thread of its own.
async fn stretch<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ClientError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ClientError::Closed(Some("the process is ending".to_owned())))
}

async fn send<S>(socket: &mut WebSocketStream<S>, message: &ClientHandshake) -> Result<(), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = serde_json::to_string(message).map_err(|error| ClientError::Protocol(error.to_string()))?;
    socket
        .send(Message::text(text))
        .await
        .map_err(|error| ClientError::Closed(Some(error.to_string())))
}

async fn next<S>(socket: &mut WebSocketStream<S>) -> Result<Message, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match socket.next().await {
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                return Err(ClientError::Closed(frame.map(|frame| frame.reason.to_string())));
            }
            Some(Ok(message)) => return Ok(message),
            Some(Err(error)) => return Err(ClientError::Closed(Some(error.to_string()))),
            None => return Err(ClientError::Closed(None)),
        }
    }
}

/// The next message of the keeper; the platform's hints are passed over.
async fn receive<S>(socket: &mut WebSocketStream<S>) -> Result<KeeperHandshake, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let Message::Text(text) = next(socket).await? else {
            return Err(ClientError::Protocol(
                "a frame came before the channel was up".to_owned(),
            ));
        };
        let message = serde_json::from_str(&text).map_err(|error| ClientError::Protocol(error.to_string()))?;
        match message {
            KeeperHandshake::Platform { .. } => {}
            KeeperHandshake::PlatformError { code, message } => {
                return Err(ClientError::Closed(Some(format!("{message} ({code})"))));
            }
            KeeperHandshake::Error(error) => return Err(ClientError::Refused(error)),
            message => return Ok(message),
        }
    }
}

fn protocol(error: OpaqueError) -> ClientError {
    ClientError::Protocol(error.to_string())
}

fn unexpected(message: &KeeperHandshake) -> ClientError {
    let text = serde_json::to_value(message)
        .ok()
        .and_then(|value| value.get("type").and_then(|kind| kind.as_str().map(str::to_owned)))
        .unwrap_or_default();
    ClientError::Protocol(format!("a message of type {text:?} came out of turn"))
}
