//! One home with everything that it needs: a folder, a store, and keys with a pin that survives the keeper.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use futures::future::BoxFuture;
use tempfile::TempDir;
use vault::{DataKey, SealError, SealKey};
use zeroize::Zeroizing;

use super::store::{Steps, Store, Verdict};
use super::tree::{Tree, tree};
use crate::home::{
    AlreadyStill, CHUNK_PURPOSE, Depth, Home, HomeError, HomeVault, MANIFEST_PURPOSE, Owner, Pin, Purpose, Restored,
    Snapshot,
};
use crate::platform::Blobs;

/// The keys of one data key.
struct Pair {
    chunks: SealKey,
    manifests: SealKey,
}

impl Pair {
    fn random() -> Self {
        let key = DataKey::random();
        Self {
            chunks: SealKey::new(&key, CHUNK_PURPOSE),
            manifests: SealKey::new(&key, MANIFEST_PURPOSE),
        }
    }

    fn of(&self, purpose: Purpose) -> &SealKey {
        match purpose {
            Purpose::Chunk => &self.chunks,
            Purpose::Manifest => &self.manifests,
        }
    }
}

/// Real keys; the pin, and that an old key is dropped, is durable when it is said so.
pub struct Keys {
    /// The newest, then the one before it as long as it is there.
    pairs: RwLock<Vec<Pair>>,
    rotation: AtomicU64,
    pub pin: Mutex<Option<Pin>>,
    steps: Arc<Steps>,
    pub locked: AtomicBool,
}

impl HomeVault for Keys {
    fn seal(&self, purpose: Purpose, name: &str, version: u64, record: Vec<u8>) -> Result<Vec<u8>, HomeError> {
        self.unlocked()?;
        Ok(self.pairs.read().unwrap()[0]
            .of(purpose)
            .seal_in_place(name, version, record)
            .unwrap())
    }

    fn open(&self, purpose: Purpose, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        self.unlocked()?;
        let pairs = self.pairs.read().unwrap();
        let mut opened = pairs.iter().map(|pair| pair.of(purpose).open(name, version, sealed));
        let first = opened.next().unwrap();
        let opened = match first {
            Err(SealError::WrongKey) => opened.next().unwrap_or(first),
            first => first,
        };
        opened.map_err(|error| HomeError::Damaged {
            what: name.to_owned(),
            why: error.to_string(),
        })
    }

    fn content_id(&self, plain: &[u8]) -> Result<[u8; 32], HomeError> {
        self.unlocked()?;
        Ok(self.pairs.read().unwrap()[0].chunks.content_id(plain))
    }

    fn is_content_id(&self, plain: &[u8], name: &[u8; 32]) -> Result<bool, HomeError> {
        self.unlocked()?;
        let pairs = self.pairs.read().unwrap();
        Ok(pairs.iter().any(|pair| pair.chunks.content_id(plain) == *name))
    }

    fn unfinished_rotation(&self) -> Result<Option<u64>, HomeError> {
        self.unlocked()?;
        let unfinished = self.pairs.read().unwrap().len() > 1;
        Ok(unfinished.then(|| self.rotation.load(Ordering::SeqCst)))
    }

    fn finish_rotation(&self, number: u64) -> BoxFuture<'_, Result<(), HomeError>> {
        Box::pin(async move {
            assert_eq!(number, self.rotation.load(Ordering::SeqCst));
            let verdict = self.steps.next();
            if verdict != Verdict::NotDone {
                self.pairs.write().unwrap().truncate(1);
            }
            match verdict {
                Verdict::Done => Ok(()),
                _ => Err(HomeError::Vault("the disk died".to_owned())),
            }
        })
    }

    fn pin(&self) -> Result<Option<Pin>, HomeError> {
        self.unlocked()?;
        Ok(*self.pin.lock().unwrap())
    }

    fn set_pin(&self, pin: Pin) -> BoxFuture<'_, Result<(), HomeError>> {
        Box::pin(async move {
            let verdict = self.steps.next();
            if verdict != Verdict::NotDone {
                *self.pin.lock().unwrap() = Some(pin);
            }
            match verdict {
                Verdict::Done => Ok(()),
                _ => Err(HomeError::Vault("the disk died".to_owned())),
            }
        })
    }
}

impl Keys {
    /// Changes the key, as one write of the vault does.
    pub fn rotate(&self) {
        self.pairs.write().unwrap().insert(0, Pair::random());
        self.rotation.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the old key is gone.
    pub fn has_one(&self) -> bool {
        self.pairs.read().unwrap().len() == 1
    }

    fn unlocked(&self) -> Result<(), HomeError> {
        if self.locked.load(Ordering::SeqCst) {
            return Err(HomeError::Locked);
        }
        Ok(())
    }
}

/// A store and keys that outlive homes.
pub struct Workshop {
    folder: TempDir,
    pub store: Store,
    pub keys: Arc<Keys>,
    homes: std::cell::Cell<usize>,
}

/// A home and the folder that it is in.
pub struct Living {
    pub home: Home,
    pub path: PathBuf,
    pub vault: Arc<dyn HomeVault>,
}

impl Workshop {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::default();
        store.serve(&folder.path().join("platform.sock"));
        Self {
            keys: Arc::new(Keys {
                pairs: RwLock::new(vec![Pair::random()]),
                rotation: AtomicU64::new(0),
                pin: Mutex::default(),
                steps: store.steps.clone(),
                locked: AtomicBool::new(false),
            }),
            store,
            folder,
            homes: std::cell::Cell::new(0),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A keeper that has just started, with an empty folder.
    pub fn keeper(&self) -> Living {
        self.homes.set(self.homes.get() + 1);
        let path = self.path().join(format!("home-{}", self.homes.get()));
        std::fs::create_dir(&path).unwrap();
        self.keeper_at(&path)
    }

    /// A keeper that has just started, with a folder that is there already.
    pub fn keeper_at(&self, path: &Path) -> Living {
        let owner = Owner {
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
        };
        Living {
            home: Home::new(path, owner, Blobs::new(&self.path().join("platform.sock"))),
            path: path.to_owned(),
            vault: self.keys.clone(),
        }
    }

    /// A keeper with a home that was just found to be new.
    pub async fn new_home(&self) -> Living {
        let living = self.keeper();
        living.restore().await.unwrap();
        living
    }

    /// What a keeper that starts now brings back.
    pub async fn restored(&self) -> Tree {
        let living = self.keeper();
        living.restore().await.unwrap();
        living.tree()
    }
}

impl Living {
    pub async fn restore(&self) -> Result<Restored, HomeError> {
        self.home.restore(&self.vault).await
    }

    pub async fn snapshot(&self) -> Result<Snapshot, HomeError> {
        self.home.snapshot(&self.vault, &AlreadyStill, Depth::Changed).await
    }

    /// As before a lock, and after a change of the key.
    pub async fn snapshot_of_everything(&self) -> Result<Snapshot, HomeError> {
        self.home.snapshot(&self.vault, &AlreadyStill, Depth::Everything).await
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub fn tree(&self) -> Tree {
        tree(&self.path)
    }
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

impl Workshop {
    /// The keys of somebody else.
    pub fn keys_of_another(&self) -> Keys {
        Keys {
            pairs: RwLock::new(vec![Pair::random()]),
            rotation: AtomicU64::new(0),
            pin: Mutex::default(),
            steps: Arc::default(),
            locked: AtomicBool::new(false),
        }
    }
}
