//! `backup.*` and `restore.*` of the channel (`docs/protocol.md`, section 2).

use std::sync::{Arc, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use protocol::channel::{ChannelError, SlotInfo};
use protocol::chat::CellPhase;
use protocol::{CellId, SlotId, b64};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use vault::VaultFile;

use super::error::BackupFailure;
use super::incoming::{Incoming, Progress};
use super::outgoing::Outgoing;
use super::{Backups, Sessions, UnderWay};
use crate::channel::{KekParam, SecretJson, SecretMethods, Subscriber, read_params, unknown_method, write_result};
use crate::limits::BACKUPS_AT_ONCE;
use crate::vault_service::{LockReason, public_slots};

#[derive(Deserialize)]
struct Which {
    backup: Uuid,
}

#[derive(Deserialize)]
struct Write {
    backup: Uuid,
    #[serde(with = "b64")]
    data: Vec<u8>,
}

#[derive(Deserialize)]
struct LogIn {
    backup: Uuid,
    slot: SlotId,
    #[serde(with = "b64")]
    request: Vec<u8>,
}

#[derive(Deserialize)]
struct Open {
    backup: Uuid,
    slot: SlotId,
    kek: KekParam,
}

#[derive(Serialize)]
struct Started {
    backup: Uuid,
    /// Pieces of the home that are going to be read.
    pieces: usize,
}

#[derive(Serialize)]
struct Part {
    #[serde(with = "b64")]
    data: Vec<u8>,
    left: usize,
    done: bool,
}

#[derive(Serialize)]
struct Response {
    #[serde(with = "b64")]
    response: Vec<u8>,
}

/// How far a backup that is read is, and what is known of it.
#[derive(Serialize)]
struct State {
    backup: Uuid,
    state: Progress,
    #[serde(skip_serializing_if = "Option::is_none")]
    cell: Option<CellId>,
    slots: Vec<SlotInfo>,
    files: usize,
    conversations: usize,
}

impl State {
    fn of(backup: Uuid, incoming: &Incoming) -> Self {
        let (files, conversations) = incoming.content();
        Self {
            backup,
            state: incoming.progress(),
            cell: incoming.file().and_then(VaultFile::cell).map(CellId::from),
            slots: incoming.file().map(public_slots).unwrap_or_default(),
            files,
            conversations,
        }
    }
}

/// The sessions of one kind.
fn sessions<T>(of: &Sessions<T>) -> MutexGuard<'_, UnderWay<T>> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a session until it is over or its channel ends. A channel has one of a kind.
fn keep<T: Send + 'static>(of: &Sessions<T>, subscriber: &Subscriber, session: T) -> Result<Uuid, BackupFailure> {
    let id = Uuid::new_v4();
    {
        let mut all = sessions(of);
        all.retain(|_, (channel, _)| *channel != subscriber.id());
        if all.len() >= BACKUPS_AT_ONCE {
            return Err(BackupFailure::TooMany);
        }
        all.insert(id, (subscriber.id(), Arc::new(tokio::sync::Mutex::new(session))));
    }
    let (of, subscriber) = (Arc::clone(of), subscriber.clone());
    tokio::spawn(async move {
        subscriber.closed().await;
        sessions(&of).remove(&id);
    });
    Ok(id)
}

fn find<T>(of: &Sessions<T>, id: Uuid, subscriber: &Subscriber) -> Result<Arc<tokio::sync::Mutex<T>>, BackupFailure> {
    sessions(of)
        .get(&id)
        .filter(|(channel, _)| *channel == subscriber.id())
        .map(|(_, session)| Arc::clone(session))
        .ok_or(BackupFailure::Unknown)
}

impl Backups {
    async fn start_backup(&self, subscriber: &Subscriber) -> Result<SecretJson, ChannelError> {
        // What the agent has done since its last turn goes with it.
        if self.cell.current().phase == CellPhase::Ready {
            self.cell.saved().await?;
        }
        let outgoing = Outgoing::start(&self.vault, self.cell.home()).await?;
        let pieces = outgoing.left();
        let backup = keep(&self.outgoing, subscriber, outgoing)?;
        write_result(&Started { backup, pieces })
    }

    async fn read_part(&self, backup: Uuid, subscriber: &Subscriber) -> Result<SecretJson, ChannelError> {
        let session = find(&self.outgoing, backup, subscriber)?;
        let mut outgoing = session.lock().await;
        let data = outgoing.read().await?;
        let part = Part {
            data,
            left: outgoing.left(),
            done: outgoing.done(),
        };
        if part.done {
            sessions(&self.outgoing).remove(&backup);
        }
        write_result(&part)
    }

    async fn apply(&self, backup: Uuid, subscriber: &Subscriber) -> Result<SecretJson, ChannelError> {
        let _proof = self.vault.fresh_proof(subscriber.id())?;
        let session = find(&self.incoming, backup, subscriber)?;
        let mut incoming = session.lock().await;
        if incoming.progress() != Progress::Complete {
            return Err(BackupFailure::Unfinished.into());
        }
        let replaced = async { Ok(incoming.apply().await?) };
        self.cell.replace_home(replaced).await?;
        sessions(&self.incoming).remove(&backup);
        // What every part of the keeper remembers of the old content goes with the lock.
        self.vault.lock(LockReason::Asked).await?;
        write_result(&serde_json::json!({}))
    }

    async fn answer(
        &self,
        method: &str,
        params: &RawValue,
        subscriber: &Subscriber,
    ) -> Result<SecretJson, ChannelError> {
        match method {
            "backup.start" => self.start_backup(subscriber).await,
            "backup.read" => self.read_part(read_params::<Which>(params)?.backup, subscriber).await,
            "restore.start" => {
                let incoming = Incoming::start(&self.vault, self.cell.home()).await;
                let backup = keep(&self.incoming, subscriber, incoming)?;
                let session = find(&self.incoming, backup, subscriber)?;
                write_result(&State::of(backup, &*session.lock().await))
            }
            "restore.write" => {
                let Write { backup, data } = read_params(params)?;
                let session = find(&self.incoming, backup, subscriber)?;
                let mut incoming = session.lock().await;
                incoming.write(&data).await?;
                write_result(&State::of(backup, &incoming))
            }
            "restore.login" => {
                let LogIn { backup, slot, request } = read_params(params)?;
                let session = find(&self.incoming, backup, subscriber)?;
                let response = session.lock().await.log_in(slot, &request)?;
                write_result(&Response { response })
            }
            "restore.open" => {
                let Open { backup, slot, kek } = read_params(params)?;
                let session = find(&self.incoming, backup, subscriber)?;
                let mut incoming = session.lock().await;
                incoming.open(slot, &kek.0).await?;
                write_result(&State::of(backup, &incoming))
            }
            "restore.apply" => self.apply(read_params::<Which>(params)?.backup, subscriber).await,
            _ => Err(unknown_method(method)),
        }
    }
}

impl SecretMethods for Backups {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: &'a RawValue,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<SecretJson, ChannelError>> {
        Box::pin(self.answer(method, params, subscriber))
    }
}
