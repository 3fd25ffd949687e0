//! Opening a channel: the keeper is known again or refused, the secret is asked for and proved, and what it takes to know the keeper
//! next time is written down.

use client::{Channel, ClientError, ClientSecret, Events, Known};
use protocol::SlotId;
use protocol::channel::VaultState;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::Failure;
use super::server::Server;
use super::state::{Session, State};
use super::way::{Way, choose};
use super::{Common, Context};
use crate::limits::CLIENT_TRIES;

/// What a command takes that opens a channel.
#[derive(Debug, Clone, clap::Args)]
pub struct Opening {
    #[command(flatten)]
    pub common: Common,
    /// The way into the vault that is asked for. Default: the password, else the recovery phrase, else the backup key.
    #[arg(long = "with", value_enum, value_name = "WAY")]
    with: Option<Way>,
    /// Which one, where there are several of this kind: its name or id.
    #[arg(long, value_name = "NAME")]
    named: Option<String>,
}

/// What a channel is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The vault, and the agent: it starts while the secret is typed.
    Agent,
    /// The vault, which is opened where it is locked.
    Vault,
    /// The keeper's word on how the vault is.
    Proof,
}

/// A channel to a keeper that has proved itself.
pub struct Opened {
    pub channel: Channel,
    pub events: Events,
    slot: SlotId,
    secret: ClientSecret,
    session: Session,
    state: State,
}

/// Opens a channel for whoever is signed in, and the vault where that is what it is for.
///
/// # Errors
/// [`Failure`] names the reason. A wrong secret may be typed again on a terminal.
pub async fn open(context: &Context, opening: &Opening, purpose: Purpose) -> Result<Opened, Failure> {
    let session = context.state.session()?;
    let server = Server::of(&session)?;
    let known = context.state.known(&session)?;
    let mut typed = None;
    let first = attempt(context, opening, purpose, &server, known.clone(), &mut typed).await;
    let (channel, events, slot, secret) = match first {
        // A keeper that was about to sleep: the next connection starts it again.
        Err(Failure::Channel(ClientError::Closed(_))) => {
            attempt(context, opening, purpose, &server, known.clone(), &mut typed).await?
        }
        outcome => outcome?,
    };
    if known.is_none() {
        context
            .out
            .note("This vault's keeper was not seen from here before. From now on it is known by its key.");
    }
    context.state.remember(&session, &channel.known())?;
    Ok(Opened {
        channel,
        events,
        slot,
        secret,
        session,
        state: context.state.clone(),
    })
}

async fn attempt(
    context: &Context,
    opening: &Opening,
    purpose: Purpose,
    server: &Server,
    known: Option<Known>,
    typed: &mut Option<ClientSecret>,
) -> Result<(Channel, Events, SlotId, ClientSecret), Failure> {
    let waiting = context.out.waiting("Waking your cell");
    if purpose == Purpose::Agent {
        // What is wrong with it, opening the channel finds too.
        let _ = server.post("/api/v1/cell/wake", &Value::Null).await;
    }
    let handshake = server.dial(known).await;
    waiting.finish_and_clear();
    let mut handshake = handshake?;
    if handshake.hello().vault == VaultState::New {
        return Err(Failure::NewVault);
    }
    let (way, slot) = choose(&handshake.hello().slots, opening.with, opening.named.as_deref())?;
    let slot = slot.id;
    let mut tries = 1;
    loop {
        let secret = match typed.take() {
            Some(secret) => secret,
            None => ask_secret(context, way, &format!("Your {}", way.words()))?,
        };
        let waiting = context.out.waiting("Proving it to your keeper");
        let login = match handshake.login(slot, &secret).await {
            Ok((channel, events)) => unlocked(&channel, purpose).await.map(|()| (channel, events)),
            Err(error) => Err(error),
        };
        waiting.finish_and_clear();
        match login {
            Ok((channel, events)) => return Ok((channel, events, slot, secret)),
            Err(error @ ClientError::WrongSecretOrKeeper { .. })
                if context.ask.is_terminal() && tries < CLIENT_TRIES =>
            {
                tries += 1;
                context.out.note(&Failure::from(error).to_string());
            }
            Err(error) => {
                if matches!(error, ClientError::Closed(_)) {
                    *typed = Some(secret);
                }
                return Err(error.into());
            }
        }
    }
}

/// Opens the vault where that is needed.
async fn unlocked(channel: &Channel, purpose: Purpose) -> Result<(), ClientError> {
    if purpose != Purpose::Proof && channel.vault() != VaultState::Unlocked {
        channel.unlock().await?;
    }
    Ok(())
}

/// Reads an answer of the keeper.
///
/// # Errors
/// It is not what the protocol says.
pub fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    Ok(serde_json::from_value(answer).map_err(|error| ClientError::Protocol(error.to_string()))?)
}

/// Asks for what opens a vault. A slip can be typed again on a terminal: nothing was sent.
///
/// # Errors
/// There is no terminal; the input ended; it cannot be right.
pub fn ask_secret(context: &Context, way: Way, prompt: &str) -> Result<ClientSecret, Failure> {
    let mut tries = 1;
    loop {
        let text = context.ask.secret(way.named(), prompt)?;
        match way.secret(&text) {
            Err(slip) if context.ask.is_terminal() && tries < CLIENT_TRIES => {
                tries += 1;
                context.out.note(&slip.to_string());
            }
            outcome => return outcome,
        }
    }
}

impl Opened {
    /// Proves the secret once more, for what must not be done by whoever happens to sit at an open vault.
    ///
    /// # Errors
    /// As a log-in.
    pub async fn prove(&self) -> Result<(), Failure> {
        Ok(self.channel.prove(self.slot, &self.secret).await?)
    }

    /// Remembers what was seen of the keeper, and ends the channel.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn close(self) -> Result<(), Failure> {
        let remembered = self.state.remember(&self.session, &self.channel.known());
        self.channel.close().await;
        remembered
    }
}
