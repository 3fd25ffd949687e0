use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::channel::{KeeperMessage, PasskeyRequest, SlotKind, VaultState};
use protocol::{SlotId, UserId, b64, wiped_json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use vault::keys;
use vault::opaque::{ClientLogin, ClientRegistration, Names, OpaqueError};
use vault::{ClientSecret, Kek, LocalKey, ResumptionSecret};
use zeroize::Zeroizing;

use crate::driver::{Command, Driver, Line};
use crate::error::ClientError;
use crate::handshake::{Known, Ticket};

const COMMANDS: usize = 64;
/// Events that may wait to be read.
const EVENTS: usize = 8192;

/// Something that the keeper tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub event: String,
    pub data: Value,
}

/// The events of one channel, in order; the last is the reason of its end.
pub struct Events(mpsc::Receiver<Result<Event, ClientError>>);

impl Events {
    /// The next event, or why the channel ended; none after that.
    pub async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        self.0.recv().await
    }
}

/// What unlocking gives.
pub struct Unlocked {
    /// Encrypts what this client keeps on its own device.
    pub local_key: LocalKey,
    pub epoch: u64,
}

/// A way in that is added.
pub struct NewSlot<'a> {
    pub kind: SlotKind,
    pub name: Option<&'a str>,
    /// For a passkey: what its secret is asked for with.
    pub passkey: Option<PasskeyRequest>,
    pub secret: &'a ClientSecret,
    pub replaces: Option<SlotId>,
}

/// A slot that the keeper has not added yet.
struct RegisteredSlot {
    slot: SlotId,
    record: Vec<u8>,
    kek: Kek,
}

/// What was last seen of the keeper.
pub(crate) struct Seen {
    known: Known,
    ticket: Option<Ticket>,
    vault: VaultState,
}

#[derive(Deserialize)]
struct Ready {
    #[serde(with = "b64")]
    ticket: Vec<u8>,
    #[serde(with = "b64")]
    secret: Vec<u8>,
    vault: VaultState,
}

impl Seen {
    /// Takes in what an event says of the vault.
    pub fn notice(&mut self, event: &Event) -> Result<(), ClientError> {
        match event.event.as_str() {
            "ready" => {
                let ready: Ready = serde_json::from_value(event.data.clone())
                    .map_err(|error| ClientError::Protocol(error.to_string()))?;
                let secret = ResumptionSecret::copy_from(&Zeroizing::new(ready.secret))
                    .map_err(|error| ClientError::Protocol(error.to_string()))?;
                self.ticket = Some(Ticket {
                    ticket: ready.ticket,
                    secret,
                });
                self.vault = ready.vault;
            }
            "vault" => {
                // Events of writes that follow each other closely may overtake an answer: only an unlocking is judged.
                if let Some(epoch) = event.data.get("epoch").and_then(Value::as_u64) {
                    self.known.epoch = self.known.epoch.max(epoch);
                }
                if let Some(state) = event.data.get("vault") {
                    self.vault = serde_json::from_value(state.clone())
                        .map_err(|error| ClientError::Protocol(error.to_string()))?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// A channel to a keeper that has proved itself. Ends when it is dropped.
pub struct Channel {
    commands: mpsc::Sender<Command>,
    next_id: AtomicU64,
    kek: Option<Kek>,
    seen: Arc<Mutex<Seen>>,
}

/// A call as it is sent.
#[derive(Serialize)]
struct Request<'a, P> {
    id: u64,
    method: &'a str,
    params: P,
}

/// Tells the keeper when nobody waits for an answer any more.
struct CancelOnDrop<'a> {
    commands: &'a mpsc::Sender<Command>,
    id: u64,
    armed: bool,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            let _ = self.commands.try_send(Command::Cancel(self.id));
        }
    }
}

impl Channel {
    /// Starts the task of a line whose first message is the keeper's proof.
    pub(crate) fn start<S>(
        line: Line<S>,
        first: &[u8],
        kek: Option<Kek>,
        known: Known,
    ) -> Result<(Self, Events), ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut seen = Seen {
            known,
            ticket: None,
            vault: VaultState::Locked,
        };
        match serde_json::from_slice(first) {
            Ok(KeeperMessage::Event { event, data }) if event == "ready" => seen.notice(&Event { event, data })?,
            _ => return Err(ClientError::Unproved),
        }
        let seen = Arc::new(Mutex::new(seen));
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let (events_in, events) = mpsc::channel(EVENTS);
        let driver = Driver {
            line,
            commands: receiver,
            events: events_in,
            seen: Arc::clone(&seen),
        };
        tokio::spawn(driver.run());
        let channel = Self {
            commands,
            next_id: AtomicU64::new(1),
            kek,
            seen,
        };
        Ok((channel, Events(events)))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a method. Dropping the future cancels the call. No copy of `params` stays in memory.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the keeper's code; [`ClientError::Closed`].
    pub async fn call(&self, method: &str, params: impl Serialize) -> Result<Value, ClientError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let json =
            wiped_json(&Request { id, method, params }).map_err(|error| ClientError::Protocol(error.to_string()))?;
        let (answer, outcome) = oneshot::channel();
        let command = Command::Request { id, json, answer };
        self.commands
            .send(command)
            .await
            .map_err(|_| ClientError::Closed(None))?;
        let mut cancel = CancelOnDrop {
            commands: &self.commands,
            id,
            armed: true,
        };
        let outcome = outcome.await.map_err(|_| ClientError::Closed(None));
        cancel.armed = false;
        outcome?
    }

    async fn open_vault(&self, method: &str) -> Result<Unlocked, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(with = "b64")]
            local_key: Vec<u8>,
            epoch: u64,
        }
        let kek = self.kek.as_ref().ok_or(ClientError::NoKey)?;
        let seen = self.known().epoch;
        let answer = self.call(method, json!({"kek": b64::encode(kek.expose())})).await?;
        let answer: Answer =
            serde_json::from_value(answer).map_err(|error| ClientError::Protocol(error.to_string()))?;
        let found = answer.epoch;
        if found < seen {
            return Err(ClientError::RolledBack { seen, found });
        }
        {
            let mut seen = self.seen();
            seen.known.epoch = seen.known.epoch.max(found);
        }
        let local_key = LocalKey::copy_from(&Zeroizing::new(answer.local_key))
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        Ok(Unlocked {
            local_key,
            epoch: answer.epoch,
        })
    }

    /// Makes the vault of a keeper whose first slot was just registered.
    ///
    /// # Errors
    /// `vault_exists` from the keeper.
    pub async fn create_vault(&self) -> Result<Unlocked, ClientError> {
        self.open_vault("vault.create").await
    }

    /// Opens the vault.
    ///
    /// # Errors
    /// [`ClientError::RolledBack`]; `wrong_key` and `vault_refused` from the keeper.
    pub async fn unlock(&self) -> Result<Unlocked, ClientError> {
        self.open_vault("vault.unlock").await
    }

    /// Locks the vault and puts the cell to sleep. Says whether everything was saved before, as far as its keeper tells.
    ///
    /// # Errors
    /// Those of [`Self::call`].
    pub async fn lock(&self) -> Result<bool, ClientError> {
        let answer = self.call("vault.lock", json!({})).await?;
        Ok(answer["saved"] != false)
    }

    /// Adds a way in, or replaces one.
    ///
    /// # Errors
    /// `slot_exists` when one of this kind is there and `replaces` does not name it.
    pub async fn add_slot(&self, new: NewSlot<'_>) -> Result<SlotId, ClientError> {
        let registered = self.register(new.kind, new.name, new.passkey, new.secret).await?;
        let params = json!({
            "slot": registered.slot,
            "record": b64::encode(&registered.record),
            "kek": b64::encode(registered.kek.expose()),
            "replaces": new.replaces,
        });
        self.call("slot.register_finish", params).await?;
        Ok(registered.slot)
    }

    /// Splits a new random secret among contacts whom the keeper has pinned: as many of them as `threshold` open the vault
    /// together, `wait_ms` after they were asked. Takes the place of the recovery before.
    ///
    /// # Errors
    /// As [`Self::add_slot`]; `recovery_invalid`, `unknown_contact`.
    pub async fn set_recovery(&self, threshold: u8, wait_ms: u64, contacts: &[UserId]) -> Result<SlotId, ClientError> {
        let secret = vault::SecretBytes::<32>::random();
        let registered = self
            .register(SlotKind::Social, None, None, &vault::social_secret(&secret))
            .await?;
        let secret = Zeroizing::new(b64::encode(secret.expose()));
        let params = json!({
            "slot": registered.slot,
            "record": b64::encode(&registered.record),
            "kek": b64::encode(registered.kek.expose()),
            "secret": &*secret,
            "threshold": threshold,
            "wait_ms": wait_ms,
            "contacts": contacts,
        });
        self.call("recovery.set", params).await?;
        Ok(registered.slot)
    }

    /// The client's part of a new slot, up to where the keeper adds it.
    async fn register(
        &self,
        kind: SlotKind,
        name: Option<&str>,
        passkey: Option<PasskeyRequest>,
        secret: &ClientSecret,
    ) -> Result<RegisteredSlot, ClientError> {
        #[derive(Deserialize)]
        struct Started {
            slot: SlotId,
            #[serde(with = "b64")]
            response: Vec<u8>,
        }
        let malformed = |error: String| ClientError::Protocol(error);
        let (registration, request) = ClientRegistration::start(secret).map_err(|e| malformed(e.to_string()))?;
        let params = json!({
            "kind": kind,
            "name": name,
            "passkey": passkey,
            "request": b64::encode(request),
        });
        let started = self.call("slot.register_start", params).await?;
        let started: Started = serde_json::from_value(started).map_err(|e| malformed(e.to_string()))?;
        let names = Names {
            cell: self.known().cell.uuid(),
            slot: started.slot.uuid(),
        };
        let response = started.response;
        let registered = tokio::task::spawn_blocking(move || registration.finish(&response, &names))
            .await
            .map_err(|_| ClientError::Closed(None))?
            .map_err(|e| malformed(e.to_string()))?;
        Ok(RegisteredSlot {
            kek: keys::kek(&registered.export_key, started.slot.uuid()),
            slot: started.slot,
            record: registered.record,
        })
    }

    /// Proves a slot's secret inside the channel: what needs a fresh proof may be done for the next five minutes.
    ///
    /// # Errors
    /// [`ClientError::WrongSecretOrKeeper`], [`ClientError::AnotherKeeper`]; `backoff` and `unknown_slot` from the keeper.
    pub async fn prove(&self, slot: SlotId, secret: &ClientSecret) -> Result<(), ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(with = "b64")]
            response: Vec<u8>,
            retry_after_ms: Option<u64>,
        }
        let malformed = |error: String| ClientError::Protocol(error);
        let (login, request) = ClientLogin::start(secret).map_err(|e| malformed(e.to_string()))?;
        let params = json!({"slot": slot, "request": b64::encode(request)});
        let answer = self.call("slot.prove_start", params).await?;
        let answer: Answer = serde_json::from_value(answer).map_err(|e| malformed(e.to_string()))?;
        let known = self.known();
        let names = Names {
            cell: known.cell.uuid(),
            slot: slot.uuid(),
        };
        let response = answer.response;
        let proved = tokio::task::spawn_blocking(move || login.finish(&response, &names))
            .await
            .map_err(|_| ClientError::Closed(None))?
            .map_err(|error| match error {
                OpaqueError::Malformed => malformed(error.to_string()),
                _ => ClientError::WrongSecretOrKeeper {
                    retry_after_ms: answer.retry_after_ms,
                },
            })?;
        if !known.keeper_public_key.is_empty() && known.keeper_public_key != proved.keeper_public_key {
            return Err(ClientError::AnotherKeeper);
        }
        let params = json!({"slot": slot, "finish": b64::encode(proved.finish)});
        self.call("slot.prove_finish", params).await.map(|_| ())
    }

    /// Takes a way in away; needs a fresh proof.
    ///
    /// # Errors
    /// `proof_needed`, `last_slot` and `unknown_slot` from the keeper.
    pub async fn remove_slot(&self, slot: SlotId) -> Result<(), ClientError> {
        self.call("slot.remove", json!({"slot": slot})).await.map(|_| ())
    }

    /// What to remember of this keeper, to know it again.
    pub fn known(&self) -> Known {
        self.seen().known.clone()
    }

    /// The newest ticket to come back with.
    pub fn ticket(&self) -> Option<Ticket> {
        self.seen().ticket.clone()
    }

    /// Whether the vault was open when it was last heard of.
    pub fn vault(&self) -> VaultState {
        self.seen().vault
    }

    /// Ends the channel in good order.
    pub async fn close(self) {
        // It may have ended by itself.
        let _ = self.commands.send(Command::Close).await;
        self.commands.closed().await;
    }
}
