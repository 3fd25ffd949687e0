//! The open vault in memory. What holds a handle to it holds no key: after a lock the handle fails.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vault::{Body, DataKey, SealError, SealKey};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::rotation;

/// An open vault.
pub(super) struct Open {
    pub data_key: DataKey,
    /// As it is on disk.
    pub body: Body,
    /// By purpose: the one that seals, then the one of the data key before, as long as it is needed.
    seal_keys: HashMap<&'static str, Vec<SealKey>>,
    /// Which unlock this is.
    pub generation: u64,
}

impl Open {
    fn make_seal_keys(&self, purpose: &'static str) -> Vec<SealKey> {
        let old = rotation::old_key(&self.body);
        [Some(&self.data_key), old.as_ref()]
            .into_iter()
            .flatten()
            .map(|key| SealKey::new(key, purpose))
            .collect()
    }
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

    /// What was just written is what is in force; handles go on, under the new key if there is one. `file` takes over the file that it
    /// came from: whoever reads both here has them from the same write.
    pub fn written(&self, data_key: DataKey, body: Body, file: impl FnOnce()) {
        let mut guard = self.write();
        file();
        let Some(open) = guard.as_mut() else { return };
        let other_keys = !vault::same_secret(open.data_key.expose(), data_key.expose())
            || rotation::old_key(&open.body).is_some() != rotation::old_key(&body).is_some();
        open.data_key = data_key;
        open.body = body;
        if other_keys {
            let purposes: Vec<&'static str> = open.seal_keys.keys().copied().collect();
            for purpose in purposes {
                let keys = open.make_seal_keys(purpose);
                open.seal_keys.insert(purpose, keys);
            }
        }
    }

    pub fn sealer(self: &Arc<Self>, purpose: &'static str) -> Result<Sealer, VaultError> {
        let mut guard = self.write();
        let open = guard.as_mut().ok_or(VaultError::Locked)?;
        if !open.seal_keys.contains_key(purpose) {
            let keys = open.make_seal_keys(purpose);
            open.seal_keys.insert(purpose, keys);
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
    fn with<T>(&self, use_keys: impl FnOnce(&SealKey, &[SealKey]) -> T) -> Result<T, VaultError> {
        self.keyring
            .read()
            .as_ref()
            .filter(|open| open.generation == self.generation)
            .and_then(|open| open.seal_keys.get(self.purpose)?.split_first())
            .map(|(key, old)| use_keys(key, old))
            .ok_or(VaultError::Locked)
    }

    /// Seals `plaintext` as `version` of the object `name`; 57 bytes longer.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn seal(&self, name: &str, version: u64, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(self.with(|key, _| key.seal(name, version, plaintext))??)
    }

    /// As [`Self::seal`], in place: `record` is [`vault::SEAL_HEADER`] free bytes, then the plaintext.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn seal_in_place(&self, name: &str, version: u64, record: Vec<u8>) -> Result<Vec<u8>, VaultError> {
        Ok(self.with(|key, _| key.seal_in_place(name, version, record))??)
    }

    /// Opens what was sealed as `version` of the object `name`.
    ///
    /// # Errors
    /// [`VaultError::Locked`]; [`VaultError::Sealed`] says what is wrong with the bytes.
    pub fn open(&self, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        Ok(
            self.with(|key, old| match (key.open(name, version, sealed), old.first()) {
                // Of before the data key was changed.
                (Err(SealError::WrongKey), Some(old)) => old.open(name, version, sealed),
                (opened, _) => opened,
            })??,
        )
    }

    /// A name for content that says nothing about it to whoever lacks the key.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn chunk_id(&self, content: &[u8]) -> Result<[u8; 32], VaultError> {
        self.with(|key, _| key.content_id(content))
    }

    /// Whether this is a name that [`Self::chunk_id`] gives for the content, or gave before the data key was changed.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn is_chunk_id(&self, content: &[u8], id: &[u8; 32]) -> Result<bool, VaultError> {
        self.with(|key, old| {
            std::iter::once(key)
                .chain(old)
                .any(|key| key.content_id(content) == *id)
        })
    }
}
