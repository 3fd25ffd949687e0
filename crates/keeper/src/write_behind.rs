//! Records that change with every call of the agent: kept in memory while the vault is unlocked, written together within a
//! second, and before a lock. What must not be lost at all is written at once, by whoever did it.

use std::sync::{Arc, Mutex, Weak};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use crate::limits;
use crate::vault_service::{BeforeLock, LockReason, VaultError, VaultService, unpoisoned};

/// A record by its name; without content it is removed.
pub type Record = (String, Option<Vec<u8>>);

/// Something that keeps such records.
pub trait Changing: Send + Sync + 'static {
    /// The records that changed since they were last taken.
    fn take(&self) -> Vec<Record>;
    /// They could not be written: they count as changed again.
    fn not_written(&self);
    /// The vault is about to be locked: takes no more changes until the next unlock, and forgets.
    fn forget(&self);
}

/// What is in memory of one unlock of a vault, loaded when it is first asked for.
pub struct OfUnlock<T> {
    vault: VaultService,
    open: Mutex<Open<T>>,
}

struct Open<T> {
    /// With the number of its unlock.
    page: Option<(u64, T)>,
    /// The unlock whose end was announced.
    ended: Option<u64>,
}

impl<T> OfUnlock<T> {
    pub fn new(vault: VaultService) -> Self {
        let open = Mutex::new(Open {
            page: None,
            ended: None,
        });
        Self { vault, open }
    }

    pub fn vault(&self) -> &VaultService {
        &self.vault
    }

    /// Looks at it, or changes it.
    ///
    /// # Errors
    /// [`VaultError::Locked`], also when a lock is about to come, and those of `load`.
    pub fn with<R>(
        &self,
        load: impl FnOnce(&VaultService) -> Result<T, VaultError>,
        work: impl FnOnce(&mut T) -> R,
    ) -> Result<R, VaultError> {
        let unlock = self.vault.unlock_number()?;
        let mut open = unpoisoned(&self.open);
        if open.ended == Some(unlock) {
            return Err(VaultError::Locked);
        }
        match &mut open.page {
            Some((of, page)) if *of == unlock => Ok(work(page)),
            other => Ok(work(&mut other.insert((unlock, load(&self.vault)?)).1)),
        }
    }

    /// As [`Self::with`], if it is there.
    pub fn if_there<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        unpoisoned(&self.open).page.as_mut().map(|(_, page)| work(page))
    }

    /// Ends with the unlock of now.
    pub fn forget(&self) {
        let mut open = unpoisoned(&self.open);
        open.ended = self.vault.unlock_number().ok();
        open.page = None;
    }
}

/// Writes what changed. Cheap to clone.
#[derive(Clone)]
pub struct WriteBehind {
    shared: Arc<Shared>,
}

struct Shared {
    vault: VaultService,
    sources: Mutex<Vec<Arc<dyn Changing>>>,
    changed: Arc<Notify>,
    /// Held by the write that is under way.
    writing: tokio::sync::Mutex<()>,
}

impl WriteBehind {
    /// Writes to this vault. Must be called inside a tokio runtime.
    pub fn new(vault: VaultService) -> Self {
        let shared = Arc::new(Shared {
            vault,
            sources: Mutex::default(),
            changed: Arc::default(),
            writing: tokio::sync::Mutex::default(),
        });
        tokio::spawn(run(shared.changed.clone(), Arc::downgrade(&shared)));
        Self { shared }
    }

    /// Adds the last write to what happens before a lock. To be added last: what comes before it may still change something.
    pub fn write_before_lock(&self) {
        let last = LastWrite(Arc::downgrade(&self.shared));
        self.shared.vault.before_lock(Arc::new(last));
    }

    /// One more source of records.
    pub fn add(&self, source: Arc<dyn Changing>) {
        unpoisoned(&self.shared.sources).push(source);
    }

    /// Something changed: it is written within [`limits::WRITTEN_WITHIN`].
    pub fn changed(&self) {
        self.shared.changed.notify_one();
    }

    /// Writes what changed, durably.
    ///
    /// # Errors
    /// [`VaultError::Locked`], the disk's errors.
    pub async fn write_now(&self) -> Result<(), VaultError> {
        let put = |records: Vec<Record>| async move {
            match records.is_empty() {
                true => Ok(()),
                false => self.shared.vault.put_records(records).await,
            }
        };
        self.write_through(|| Ok(()), put).await
    }

    /// Notes something, and has `write` write what changed by that and before: it is given these records, to write them together with its own.
    ///
    /// # Errors
    /// Those of `note`, with which nothing is written, and those of `write`, with which what changed is not.
    pub async fn write_through<T, E, W>(
        &self,
        note: impl FnOnce() -> Result<(), VaultError>,
        write: impl FnOnce(Vec<Record>) -> W,
    ) -> Result<T, E>
    where
        E: From<VaultError>,
        W: Future<Output = Result<T, E>>,
    {
        let _one_at_a_time = self.shared.writing.lock().await;
        note()?;
        let mut taken = Taken {
            sources: unpoisoned(&self.shared.sources).clone(),
            changed: &self.shared.changed,
            written: None,
        };
        let records = taken.sources.iter().flat_map(|source| source.take()).collect();
        let outcome = write(records).await;
        taken.written = Some(outcome.is_ok());
        outcome
    }
}

/// What was taken to be written. Where nobody waits any more for what becomes of that, it is written again.
struct Taken<'a> {
    sources: Vec<Arc<dyn Changing>>,
    changed: &'a Notify,
    written: Option<bool>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.written == Some(true) {
            return;
        }
        for source in &self.sources {
            source.not_written();
        }
        if self.written.is_none() {
            self.changed.notify_one();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

async fn run(changed: Arc<Notify>, shared: Weak<Shared>) {
    loop {
        changed.notified().await;
        tokio::time::sleep(limits::WRITTEN_WITHIN).await;
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = (WriteBehind { shared }).write_now().await
            && !matches!(error, VaultError::Locked)
        {
            tracing::warn!(%error, "what changed in the vault's records could not be written; it is tried again");
            changed.notify_one();
        }
    }
}

struct LastWrite(Weak<Shared>);

impl BeforeLock for LastWrite {
    fn before_lock(&self, _reason: LockReason) -> BoxFuture<'_, bool> {
        async move {
            let Some(shared) = self.0.upgrade() else { return true };
            let write_behind = WriteBehind { shared };
            let written = write_behind.write_now().await;
            if let Err(error) = &written {
                tracing::warn!(%error, "what changed in the vault's records was not written before the lock");
            }
            let sources = unpoisoned(&write_behind.shared.sources).clone();
            for source in sources {
                source.forget();
            }
            written.is_ok()
        }
        .boxed()
    }
}
