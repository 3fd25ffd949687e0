//! The one task that writes the vault: changes come in a queue, those that wait together become one write, and each is
//! acknowledged once it is durable. A caller that goes away does not interrupt a write.

use std::sync::Arc;

use protocol::CellId;
use protocol::channel::VaultState;
use tokio::sync::{mpsc, oneshot};
use vault::{Body, DataKey, Kek, NewSlot, SlotChange, VaultFile};
use zeroize::Zeroizing;

use super::disk::{CLAIM, Disk, VAULT};
use super::error::VaultError;
use super::identity;
use super::rotation;
use super::service::{Shared, VaultNotice};

/// Changes that wait for the disk at once.
const QUEUE: usize = 256;

/// Entries to set, or with no value to delete.
pub(super) type Entries = Vec<(String, Option<Zeroizing<Vec<u8>>>)>;

/// A change of the vault.
pub(super) enum Change {
    /// Bind a new vault to its cell.
    Bind(CellId),
    /// Make the vault: the first slot, a new data key.
    Create(NewSlot),
    Entries(Entries),
    /// Set an entry, unless there is one of this name.
    UnlessThere {
        name: String,
        value: Zeroizing<Vec<u8>>,
    },
    Slots {
        change: SlotChange,
        entries: Entries,
    },
    /// A new data key.
    Rotate,
    /// Wipe the keys, after all that came before is written.
    Wipe,
}

type Job = (Change, oneshot::Sender<Result<(), VaultError>>);

/// The queue's entrance; the task ends when it is dropped.
pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    pub fn spawn(shared: Arc<Shared>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(shared, receiver));
        Self(sender)
    }

    pub async fn change(&self, change: Change) -> Result<(), VaultError> {
        let (done, outcome) = oneshot::channel();
        self.0.send((change, done)).await.map_err(|_| VaultError::Ending)?;
        outcome.await.map_err(|_| VaultError::Ending)?
    }
}

async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Job>) {
    let mut next = queue.recv().await;
    while let Some((change, done)) = next.take() {
        let Change::Entries(entries) = change else {
            // The answer may come after the asker has gone.
            let _ = done.send(apply(&shared, change).await);
            next = queue.recv().await;
            continue;
        };
        let mut together = vec![(entries, done)];
        loop {
            match queue.try_recv() {
                Ok((Change::Entries(entries), done)) => together.push((entries, done)),
                Ok(other) => {
                    next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        write_together(&shared, together).await;
        if next.is_none() {
            next = queue.recv().await;
        }
    }
    shared.keyring.wipe();
}

/// One write for all that waited; a change that is refused does not hold up the others.
async fn write_together(shared: &Arc<Shared>, changes: Vec<(Entries, oneshot::Sender<Result<(), VaultError>>)>) {
    let opened = shared.keyring.with(|open| (open.data_key.clone(), open.body.clone()));
    let Ok((data_key, mut body)) = opened else {
        for (_, done) in changes {
            let _ = done.send(Err(VaultError::Locked));
        }
        return;
    };
    let mut accepted = Vec::new();
    for (entries, done) in changes {
        match with_entries(&body, entries) {
            Ok(changed) => {
                body = changed;
                accepted.push(done);
            }
            Err(error) => {
                let _ = done.send(Err(error));
            }
        }
    }
    if accepted.is_empty() {
        return;
    }
    let file = shared.file();
    let outcome = commit(shared, &file, data_key, body, SlotChange::default()).await;
    let refusal = outcome
        .as_ref()
        .err()
        .map(|error| std::io::Error::other(error.to_string()));
    let full = matches!(outcome, Err(VaultError::DiskFull(_)));
    for done in accepted {
        let answer = match &refusal {
            None => Ok(()),
            Some(error) if full => Err(VaultError::DiskFull(std::io::Error::other(error.to_string()))),
            Some(error) => Err(VaultError::Disk(std::io::Error::other(error.to_string()))),
        };
        let _ = done.send(answer);
    }
}

async fn apply(shared: &Arc<Shared>, change: Change) -> Result<(), VaultError> {
    let file = shared.file();
    match change {
        Change::Bind(cell) => match file.cell() {
            Some(bound) if bound == cell.uuid() => Ok(()),
            Some(_) => Err(VaultError::WrongCell),
            None => {
                let bound = file.bound_to(cell.uuid());
                store(shared, bound.clone(), |_| Ok(())).await?;
                shared.set_file(bound);
                Ok(())
            }
        },
        Change::Create(slot) => {
            if !file.is_new() {
                return Err(VaultError::Exists);
            }
            let data_key = DataKey::random();
            let kek = slot.kek.clone();
            let slot_id = slot.id;
            let change = SlotChange {
                add: Some(slot),
                ..SlotChange::default()
            };
            let mut body = with_entries(&Body::default(), vec![rotation::slot_keys_entry(slot_id, &kek)])?;
            identity::put_new(&mut body)?;
            commit(shared, &file, data_key.clone(), body.clone(), change).await?;
            // From here on the vault is there; the claim is worth nothing any more.
            shared.forget_claim();
            if let Err(error) = remove_claim(&shared.disk).await {
                tracing::warn!(%error, "the claim of a vault that exists was not removed; the next start removes it");
            }
            shared
                .keyring
                .unlock(data_key, opened_with(&shared.file(), slot_id.into(), &kek)?);
            shared.set_state(VaultState::Unlocked);
            Ok(())
        }
        Change::Entries(entries) => {
            let (data_key, body) = shared.keyring.with(|open| (open.data_key.clone(), open.body.clone()))?;
            commit(
                shared,
                &file,
                data_key,
                with_entries(&body, entries)?,
                SlotChange::default(),
            )
            .await
        }
        Change::UnlessThere { name, value } => {
            let (data_key, mut body) = shared.keyring.with(|open| (open.data_key.clone(), open.body.clone()))?;
            if body.get(&name).is_some() {
                return Ok(());
            }
            body.put(&name, &value)?;
            commit(shared, &file, data_key, body, SlotChange::default()).await
        }
        Change::Slots { change, mut entries } => {
            entries.extend(change.remove.map(rotation::without_slot_keys));
            entries.extend(
                change
                    .add
                    .as_ref()
                    .map(|add| rotation::slot_keys_entry(add.id, &add.kek)),
            );
            let (data_key, body) = shared.keyring.with(|open| (open.data_key.clone(), open.body.clone()))?;
            commit(shared, &file, data_key, with_entries(&body, entries)?, change).await
        }
        Change::Rotate => {
            let (old, body) = shared.keyring.with(|open| (open.data_key.clone(), open.body.clone()))?;
            let (next, data_key, body) = rotation::rotated(&file, &old, &body, shared.clock.now())?;
            let check_key = data_key.clone();
            store(shared, next.clone(), move |written| {
                written.open_body(&check_key)?;
                Ok(())
            })
            .await?;
            in_force(shared, next, data_key, body);
            Ok(())
        }
        Change::Wipe => {
            shared.keyring.wipe();
            shared.set_state(if file.is_new() {
                VaultState::New
            } else {
                VaultState::Locked
            });
            Ok(())
        }
    }
}

fn opened_with(file: &VaultFile, slot: protocol::SlotId, kek: &Kek) -> Result<Body, VaultError> {
    Ok(file.open(slot.uuid(), kek)?.1)
}

/// The body with these entries changed; the given one stays as it is.
fn with_entries(body: &Body, entries: Entries) -> Result<Body, VaultError> {
    let mut changed = body.clone();
    for (name, value) in entries {
        match value {
            Some(value) => changed.put(&name, &value)?,
            None => {
                changed.delete(&name);
            }
        }
    }
    Ok(changed)
}

/// Writes the next epoch of the vault, and makes it the one in force once it is durable.
async fn commit(
    shared: &Arc<Shared>,
    file: &VaultFile,
    data_key: DataKey,
    mut body: Body,
    change: SlotChange,
) -> Result<(), VaultError> {
    body.epoch = file.epoch() + 1;
    let next = file.written(&data_key, &body, change)?;
    let check_key = data_key.clone();
    store(shared, next.clone(), move |written| {
        // The new file must open before it takes the place of the old one.
        written.open_body(&check_key)?;
        Ok(())
    })
    .await?;
    in_force(shared, next, data_key, body);
    Ok(())
}

/// What was just written is what counts.
fn in_force(shared: &Shared, file: VaultFile, data_key: DataKey, body: Body) {
    let epoch = body.epoch;
    shared.keyring.written(data_key, body, || shared.set_file(file));
    shared.notice(VaultNotice::Epoch(epoch));
}

async fn store(
    shared: &Arc<Shared>,
    file: VaultFile,
    check: impl FnOnce(&VaultFile) -> Result<(), VaultError> + Send + 'static,
) -> Result<(), VaultError> {
    let disk = Arc::clone(&shared.disk);
    blocking(move || disk.replace(VAULT, &file.encode(), |read_back| check(&VaultFile::decode(read_back)?))).await
}

async fn remove_claim(disk: &Arc<Disk>) -> Result<(), VaultError> {
    let disk = Arc::clone(disk);
    blocking(move || Ok(disk.remove(CLAIM)?)).await
}

async fn blocking(work: impl FnOnce() -> Result<(), VaultError> + Send + 'static) -> Result<(), VaultError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| VaultError::Ending)?
}
