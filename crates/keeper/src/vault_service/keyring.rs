//! The open vault in memory. What holds a handle to it holds no key: after a lock the handle fails.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vault::{Body, DataKey, SealKey};
use zeroize::Zeroizing;

use super::error::VaultError;

/// An open vault.
pub(super) struct Open {
    pub data_key: DataKey,
    /// As it is on disk.
    pub body: Body,
    seal_keys: HashMap<&'static str, SealKey>,
    /// Which unlock this is.
    pub generation: u64,
}

/// Where the keys are, if they are anywhere.
#[derive(Default)]
pub(super) struct Keyring {
    open: RwLock<Option<Open>>,
    unlocks: std::sync::atomic::AtomicU64,
}

impl Keyring {
    fn read(&self) -> RwLockReadGuard<'_, Option<Open>> {
        // A panic while it was held cannot have left it half changed: it is replaced whole.
        self.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Open>> {
        self.open.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_open(&self) -> bool {
        self.read().is_some()
    }

    /// Takes the keys in.
    pub fn unlock(&self, data_key: DataKey, body: Body) {
        let generation = self.unlocks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        *self.write() = Some(Open {
            data_key,
            body,
            seal_keys: HashMap::new(),
            generation,
        });
    }

    /// Wipes them; says whether there were any.
    pub fn wipe(&self) -> bool {
        self.write().take().is_some()
    }

    /// Reads from the open vault.
    pub fn with<T>(&self, read: impl FnOnce(&Open) -> T) -> Result<T, VaultError> {
        self.read().as_ref().map(read).ok_or(VaultError::Locked)
    }

    /// The body that was just written is the one in force.
    pub fn written(&self, body: Body) {
        if let Some(open) = self.write().as_mut() {
            open.body = body;
        }
    }

    pub fn sealer(self: &Arc<Self>, purpose: &'static str) -> Result<Sealer, VaultError> {
        let mut guard = self.write();
        let open = guard.as_mut().ok_or(VaultError::Locked)?;
        if !open.seal_keys.contains_key(purpose) {
            let key = SealKey::new(&open.data_key, purpose);
            open.seal_keys.insert(purpose, key);
        }
        Ok(Sealer {
            keyring: Arc::clone(self),
            generation: open.generation,
            purpose,
        })
    }
}

/// Seals and opens objects of one purpose as long as the vault stays unlocked. After a lock every call fails with
/// [`VaultError::Locked`], also when the vault was unlocked again: then a new handle is needed.
#[derive(Clone)]
pub struct Sealer {
    keyring: Arc<Keyring>,
    generation: u64,
    purpose: &'static str,
}

impl Sealer {
    fn with<T>(&self, use_key: impl FnOnce(&SealKey) -> T) -> Result<T, VaultError> {
        self.keyring
            .read()
            .as_ref()
            .filter(|open| open.generation == self.generation)
            .and_then(|open| open.seal_keys.get(self.purpose))
            .map(use_key)
            .ok_or(VaultError::Locked)
    }

    /// Seals `plaintext` as `version` of the object `name`; 57 bytes longer.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn seal(&self, name: &str, version: u64, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(self.with(|key| key.seal(name, version, plaintext))??)
    }

    /// As [`Self::seal`], in place: `record` is [`vault::SEAL_HEADER`] free bytes, then the plaintext.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn seal_in_place(&self, name: &str, version: u64, record: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        Ok(self.with(|key| key.seal_in_place(name, version, record))??)
    }

    /// Opens what was sealed as `version` of the object `name`.
    ///
    /// # Errors
    /// [`VaultError::Locked`]; [`VaultError::Sealed`] says what is wrong with the bytes.
    pub fn open(&self, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        Ok(self.with(|key| key.open(name, version, sealed))??)
    }

    /// A name for content that says nothing about it to whoever lacks the key.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn chunk_id(&self, content: &[u8]) -> Result<[u8; 32], VaultError> {
        self.with(|key| key.content_id(content))
    }
}
