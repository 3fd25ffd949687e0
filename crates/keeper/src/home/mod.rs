//! The sealed home: the agent's files, plaintext in memory only, kept as sealed chunks and one manifest that names a
//! complete set. What a snapshot acknowledged survives anything; what was sealed before cannot come back in its place.
//!
//! The files are written by a hostile agent. Nothing here opens a path: every file is reached by descriptors from the
//! home's own folder, one component at a time, never through a symbolic link.

mod backup;
mod chunk;
mod error;
mod exclude;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod manifest;
mod reading;
mod remove;
mod restore;
mod seal;
mod snapshot;
mod still;
mod tidy;
mod unlocked;
mod wipe;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::sync::Mutex;

use crate::platform::Blobs;
pub use backup::{Hold, IncomingHome};
pub use chunk::CHUNK_PURPOSE;
use chunk::ChunkName;
pub use error::HomeError;
use folder::Stamp;
use manifest::Content;
pub use manifest::{MANIFEST_PURPOSE, Pin};
pub use restore::Restored;
pub use seal::{HomeVault, Purpose};
pub use snapshot::{Depth, Snapshot, Took};
pub use still::{AlreadyStill, Still};
pub(crate) use unlocked::PIN_RECORD;
pub use unlocked::UnlockedVault;

/// Who owns restored files: uid and gid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// One agent's home. One operation runs at a time; others wait.
#[derive(Clone)]
pub struct Home {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    owner: Owner,
    blobs: Blobs,
    state: Mutex<State>,
    /// While there are any, nothing is deleted.
    holds: Arc<AtomicUsize>,
}

/// What is known of the sealed home. Nothing in it but `cache` says anything about the files.
#[derive(Default)]
struct State {
    /// Whether `pin` and `stored` are known: restored, or found to be new.
    known: bool,
    /// The newest acknowledged manifest.
    pin: Option<Pin>,
    /// What the pinned manifest says, as a digest: an unchanged home is not sealed again.
    entries: Option<[u8; 32]>,
    /// Chunks that the pinned manifest names.
    stored: Arc<HashSet<ChunkName>>,
    /// Objects that nothing refers to.
    garbage: HashSet<String>,
    /// Objects of attempts that failed; they become garbage with the next success, because the failure may have been
    /// in hearing of a success.
    strays: HashSet<String>,
    /// What each file held when it was last read.
    cache: HashMap<Vec<u8>, Cached>,
}

/// A file as it was when it was read.
#[derive(Clone)]
struct Cached {
    stamp: Stamp,
    content: Arc<Content>,
}

impl Home {
    /// The home in this folder, its sealed form in this store. Reads nothing yet.
    pub fn new(folder: &Path, owner: Owner, blobs: Blobs) -> Self {
        Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                owner,
                blobs,
                state: Mutex::default(),
                holds: Arc::default(),
            }),
        }
    }

    /// Forgets what the files held (not what is stored): for the time while the vault is locked.
    pub async fn forget_files(&self) {
        self.shared.state.lock().await.cache = HashMap::new();
    }

    /// Whether anything but a left-over of this module is in the folder.
    ///
    /// # Errors
    /// [`HomeError::Files`] when the folder cannot be read.
    pub async fn is_empty(&self) -> Result<bool, HomeError> {
        let folder = self.shared.folder.clone();
        blocking(move || {
            let root = folder::open_root(&folder)?;
            Ok(folder::names(&root)?.is_empty())
        })
        .await
    }
}

/// Runs file work beside the event loop.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HomeError> + Send + 'static,
) -> Result<T, HomeError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(HomeError::Internal(error.to_string())))
}
