//! Platform custody: for each cell of the tenant API, the random secret that opens its vault, sealed under a wrapping key, which is
//! itself sealed under the operator's master key. A copy of the database alone opens no vault, nor does the master key alone.
//!
//! A person's vault is never kept this way: its secret does not leave their own device.

mod master_key;
mod rotate;
mod sealed;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{CellId, TenantId};
use sqlx::PgExecutor;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use master_key::{MasterKey, MasterKeyIn, MasterKeyTooShort};
pub use rotate::Rotated;

use crate::cell_control::CellRef;
use crate::clock::{Clock, Entropy, NoEntropy};
use crate::database::Database;
use crate::storage::{StorageError, TenantTransaction, platform_secrets, wrapping_keys};
use sealed::SealingKey;

/// Why a kept secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    #[error(
        "the tenant API's master key is not the one that this database was written with: give the server the one from before, or restore \
         the database that belongs to this one"
    )]
    OtherMasterKey,
    #[error("wrapping key {0} of the tenant API is missing")]
    NoWrappingKey(i32),
    #[error("what is kept for this cell does not open: it was changed, or it was kept for another cell")]
    Damaged,
    #[error("nothing is kept for this cell")]
    NotKept,
    #[error("another server changes the platform's keys, or has changed its master key since this one was started")]
    ChangedElsewhere,
}

/// What opens a cell's vault, and what is remembered of its keeper.
pub struct Kept {
    pub secret: Zeroizing<[u8; 32]>,
    /// Absent until the vault was made.
    pub keeper: Option<KnownKeeper>,
}

/// What a keeper proved when its vault was last opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKeeper {
    pub public_key: Vec<u8>,
    pub epoch: u64,
}

/// Something that was sealed, and under which key.
pub(crate) struct Sealed {
    pub key_id: i32,
    pub bytes: Vec<u8>,
}

/// The wrapping keys that are known, the newest last.
type Ring = BTreeMap<i32, Arc<SealingKey>>;

/// Keeps the secrets of the tenant API's cells.
pub struct Custody {
    database: Database,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// The one that the server was started with, and those that it was given since: which of them it is started with next is not known here.
    masters: tokio::sync::Mutex<Vec<Arc<MasterKey>>>,
    /// One rotation at a time.
    rotating: tokio::sync::Mutex<()>,
    ring: Mutex<Ring>,
}

impl Custody {
    /// Opens the wrapping keys under the master key; makes the first one.
    ///
    /// # Errors
    /// [`CustodyError::OtherMasterKey`]; the database's errors.
    pub async fn open(
        database: Database,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        master: MasterKey,
    ) -> Result<Self, CustodyError> {
        let custody = Self {
            database,
            clock,
            entropy,
            masters: tokio::sync::Mutex::new(vec![Arc::new(master)]),
            rotating: tokio::sync::Mutex::default(),
            ring: Mutex::default(),
        };
        if custody.load(custody.database.pool()).await? == 0 {
            let masters = custody.masters.lock().await.clone();
            // Another server may have made the first one at the same moment.
            custody.add_key(1, &masters).await?;
            custody.load(custody.database.pool()).await?;
        }
        custody.forget_other_copies().await?;
        Ok(custody)
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the stored wrapping keys that are not open yet; how many there are.
    async fn load(&self, executor: impl PgExecutor<'_>) -> Result<usize, CustodyError> {
        let stored = wrapping_keys::all(executor).await?;
        for copy in &stored {
            if self.ring().contains_key(&copy.id) {
                continue;
            }
            if let Some(key) = self.opened(copy).await {
                self.ring().insert(copy.id, Arc::new(key));
            }
        }
        let ring = self.ring();
        match stored.iter().map(|copy| copy.id).max() {
            Some(newest) if !ring.contains_key(&newest) => Err(CustodyError::OtherMasterKey),
            _ => Ok(stored.len()),
        }
    }

    /// What a copy of a wrapping key holds, where a master key opens it that is known here.
    async fn opened(&self, copy: &wrapping_keys::Copy) -> Option<SealingKey> {
        let masters = self.masters.lock().await.clone();
        for master in masters {
            let key = master.stretch(copy.salt).await;
            if let Some(key) = key.unwrap(&wrapping_aad(copy.id), &copy.sealed) {
                return Some(key);
            }
        }
        None
    }

    /// Makes a wrapping key and stores it, a copy under each of these master keys. It is used from now on; `false` if another server has made
    /// one of this number meanwhile.
    async fn add_key(&self, id: i32, masters: &[Arc<MasterKey>]) -> Result<bool, CustodyError> {
        let key = SealingKey::random(&*self.entropy)?;
        let mut copies = Vec::new();
        for master in masters {
            let mut salt = [0; master_key::SALT];
            self.entropy.fill(&mut salt)?;
            let sealed = master
                .stretch(salt)
                .await
                .wrap(&*self.entropy, &wrapping_aad(id), &key)?;
            copies.push(wrapping_keys::Copy { id, salt, sealed });
        }
        let added = wrapping_keys::add(&self.database, &copies, self.clock.now()).await?;
        if added {
            self.ring().insert(id, Arc::new(key));
        }
        Ok(added)
    }

    /// After a change of the master key: the copies under the one before are of no use to anybody who should have them.
    async fn forget_other_copies(&self) -> Result<(), CustodyError> {
        let stored = wrapping_keys::all(self.database.pool()).await?;
        if stored.len() == self.ring().len() {
            return Ok(());
        }
        for copy in stored {
            if self.opened(&copy).await.is_none() {
                wrapping_keys::remove(&self.database, copy.id, Some(copy.salt)).await?;
            }
        }
        Ok(())
    }

    async fn key(&self, executor: impl PgExecutor<'_>, id: i32) -> Result<Arc<SealingKey>, CustodyError> {
        let known = |custody: &Self| custody.ring().get(&id).cloned();
        if let Some(key) = known(self) {
            return Ok(key);
        }
        // Another server has rotated meanwhile.
        self.load(executor).await?;
        known(self).ok_or(CustodyError::NoWrappingKey(id))
    }

    /// Seals something of the transaction's tenant, to be stored in it: under the newest key, which no rotation removes before it has found
    /// what is stored here.
    pub(crate) async fn seal(
        &self,
        transaction: &mut TenantTransaction,
        what: What,
        text: &[u8],
    ) -> Result<Sealed, CustodyError> {
        let newest = wrapping_keys::newest(transaction).await?;
        let key_id = newest.ok_or(CustodyError::NoWrappingKey(1))?;
        let key = self.key(&mut **transaction, key_id).await?;
        let bytes = key.seal(&*self.entropy, &what.aad(transaction.tenant(), key_id), text)?;
        Ok(Sealed { key_id, bytes })
    }

    /// Opens what [`Self::seal`] sealed.
    pub(crate) async fn unseal(
        &self,
        what: What,
        tenant: TenantId,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        let key = self.key(self.database.pool(), sealed.key_id).await?;
        key.open(&what.aad(tenant, sealed.key_id), &sealed.bytes)
            .ok_or(CustodyError::Damaged)
    }

    /// Makes the secret of a new cell and keeps it.
    pub(crate) async fn keep_new(&self, transaction: &mut TenantTransaction, cell: CellId) -> Result<(), CustodyError> {
        let mut secret = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut *secret)?;
        let sealed = self.seal(transaction, What::Secret(cell), &*secret).await?;
        Ok(platform_secrets::add(transaction, cell, &sealed).await?)
    }

    /// The secret of a cell.
    ///
    /// # Errors
    /// [`CustodyError::NotKept`] when the cell is gone, or is a person's; whatever keeps it from being opened.
    pub async fn kept(&self, cell: CellRef) -> Result<Kept, CustodyError> {
        match self.kept_as_read(cell).await {
            // A rotation has sealed it again since it was read.
            Err(CustodyError::NoWrappingKey(_)) => self.kept_as_read(cell).await,
            kept => kept,
        }
    }

    async fn kept_as_read(&self, cell: CellRef) -> Result<Kept, CustodyError> {
        let mut transaction = TenantTransaction::begin(&self.database, cell.tenant).await?;
        let stored = platform_secrets::find(&mut transaction, cell.cell).await?;
        transaction.commit().await?;
        let stored = stored.ok_or(CustodyError::NotKept)?;
        let opened = self
            .unseal(What::Secret(cell.cell), cell.tenant, &stored.sealed)
            .await?;
        let secret = <[u8; 32]>::try_from(opened.as_slice()).map_err(|_| CustodyError::Damaged)?;
        Ok(Kept {
            secret: Zeroizing::new(secret),
            keeper: stored.keeper,
        })
    }

    /// Remembers what a keeper has proved: another one, or an older vault, is refused from then on.
    ///
    /// # Errors
    /// The database's.
    pub async fn remember(&self, cell: CellRef, keeper: &KnownKeeper) -> Result<(), CustodyError> {
        let mut transaction = TenantTransaction::begin(&self.database, cell.tenant).await?;
        platform_secrets::remember(&mut transaction, cell.cell, keeper).await?;
        Ok(transaction.commit().await?)
    }
}

/// What is sealed: nothing opens as something else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    /// What opens a cell's vault.
    Secret(CellId),
    /// The answer to a write.
    Answer,
    /// How a webhook is reached, and the secret of its signatures.
    Webhook(Uuid),
}

impl What {
    fn aad(self, tenant: TenantId, key_id: i32) -> Vec<u8> {
        let (domain, of) = match self {
            Self::Secret(cell) => (&b"holdfast/platform-secret/v1"[..], cell.uuid()),
            Self::Answer => (&b"holdfast/api-answer/v1"[..], Uuid::nil()),
            Self::Webhook(id) => (&b"holdfast/api-webhook/v1"[..], id),
        };
        [domain, &key_id.to_be_bytes(), tenant.uuid().as_bytes(), of.as_bytes()].concat()
    }
}

fn wrapping_aad(id: i32) -> Vec<u8> {
    [&b"holdfast/wrapping-key/v1"[..], &id.to_be_bytes()].concat()
}
