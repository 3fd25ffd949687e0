//! A sealed home on its way out into a backup, and on its way in from one. Out, it goes as it is stored; in, every chunk is opened
//! with the backup's key and sealed with this vault's, and nothing points at any of it until all of it was checked.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::chunk::{self, ChunkName, ChunkRef, PlainChunk};
use super::manifest::{self, Content, Kind, Manifest, Pin};
use super::seal::HomeVault;
use super::{Home, HomeError, State, blocking, folder, wipe};

/// As long as one lives, nothing that lies in the store is deleted.
pub struct Hold(Arc<AtomicUsize>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The files of a backup that is being read: what is there, and what it was sealed as here.
pub struct IncomingHome {
    manifest: Manifest,
    /// Chunks that the list of files names: none here until it came.
    chunks: HashMap<ChunkName, Option<ChunkName>>,
}

impl Home {
    /// Keeps everything that is stored until it is dropped.
    pub async fn hold(&self) -> Hold {
        // Whoever deletes just now is done when this lock is had.
        let _state = self.shared.state.lock().await;
        self.shared.holds.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(&self.shared.holds))
    }

    /// The sealed list of files that this pin names, and the names of its chunks, each once.
    ///
    /// # Errors
    /// [`HomeError::RolledBack`] when the store has another one; the store's errors.
    pub async fn outgoing(&self, vault: &Arc<dyn HomeVault>, pin: Pin) -> Result<(Bytes, Vec<[u8; 32]>), HomeError> {
        let sealed = self.shared.blobs.get(&manifest::object(&pin)).await?;
        if manifest::digest(&sealed) != pin.digest {
            return Err(HomeError::RolledBack {
                expected: pin.number,
                offered: "another in its place".to_owned(),
            });
        }
        let (keys, bytes) = (vault.clone(), sealed.clone());
        let manifest = blocking(move || Manifest::open(&*keys, pin.number, &bytes)).await?;
        let mut seen = std::collections::HashSet::new();
        let names = manifest.chunk_names().filter(|name| seen.insert(*name)).collect();
        Ok((sealed, names))
    }

    /// A chunk as it is stored.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn sealed_chunk(&self, name: &[u8; 32]) -> Result<Bytes, HomeError> {
        Ok(self.shared.blobs.get(&chunk::object(name)).await?)
    }

    /// Opens the list of files of a backup with the backup's key.
    ///
    /// # Errors
    /// [`HomeError::Foreign`] when it is not the one that the backup's vault pins; [`HomeError::Damaged`].
    pub async fn incoming(old: &Arc<dyn HomeVault>, sealed: Vec<u8>) -> Result<IncomingHome, HomeError> {
        let Some(pin) = old.pin()? else {
            return Err(HomeError::Foreign {
                number: 0,
                why: "the vault of this backup knows of no files".to_owned(),
            });
        };
        if manifest::digest(&sealed) != pin.digest {
            return Err(HomeError::Foreign {
                number: pin.number,
                why: "the list of files is not the one of this vault: parts of several backups were mixed".to_owned(),
            });
        }
        let keys = old.clone();
        let manifest = blocking(move || Manifest::open(&*keys, pin.number, &sealed)).await?;
        let chunks = manifest.chunk_names().map(|name| (name, None)).collect();
        Ok(IncomingHome { manifest, chunks })
    }

    /// Takes one chunk of a backup: opened with the backup's key, checked, sealed with this vault's, stored.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] when it is not what its name says, or is not part of these files; the store's errors.
    pub async fn take_chunk(
        &self,
        incoming: &mut IncomingHome,
        old: &Arc<dyn HomeVault>,
        new: &Arc<dyn HomeVault>,
        name: ChunkName,
        sealed: Vec<u8>,
    ) -> Result<(), HomeError> {
        let damaged = |why: &str| HomeError::Damaged {
            what: chunk::object(&name),
            why: why.to_owned(),
        };
        let at = match incoming.chunks.get(&name) {
            None => return Err(damaged("it belongs to no file of this backup")),
            Some(Some(_)) => return Err(damaged("it is there twice")),
            Some(None) => incoming.manifest.chunks().find(|at| at.name == name),
        };
        let Some(at) = at else {
            return Err(damaged("it belongs to no file of this backup"));
        };
        let (old, new) = (old.clone(), new.clone());
        let (renamed, resealed) = blocking(move || {
            let bytes = chunk::open(&*old, &at, &sealed)?;
            let at = ChunkRef {
                name: new.content_id(&bytes)?,
                length: at.length,
            };
            let resealed = chunk::seal(&*new, PlainChunk::copy(at, &bytes))?;
            Ok((at.name, resealed))
        })
        .await?;
        self.shared.blobs.put(&chunk::object(&renamed), resealed).await?;
        incoming.chunks.insert(name, Some(renamed));
        Ok(())
    }

    /// Stores the list of files beside those that count, as the one that follows the newest. It counts once the vault pins it.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] when chunks are missing; the store's errors.
    pub async fn stage(&self, incoming: &IncomingHome, new: &Arc<dyn HomeVault>) -> Result<Pin, HomeError> {
        let missing = incoming.missing();
        if missing > 0 {
            return Err(HomeError::Damaged {
                what: "the backup".to_owned(),
                why: format!("{missing} pieces of its files are missing"),
            });
        }
        let before = new.pin()?;
        let mut manifest = incoming.manifest.clone();
        manifest.number = before.map_or(1, |pin| pin.number + 1);
        manifest.parent = before.map(|pin| pin.digest);
        for entry in &mut manifest.entries {
            if let Kind::File(content) = &mut entry.kind
                && let Content::Chunks(chunks) = Arc::make_mut(content)
            {
                for at in chunks {
                    at.name = incoming.chunks.get(&at.name).copied().flatten().unwrap_or(at.name);
                }
            }
        }
        let keys = new.clone();
        let (sealed, number) = blocking(move || Ok((manifest.seal(&*keys)?, manifest.number))).await?;
        let pin = Pin {
            number,
            digest: manifest::digest(&sealed),
        };
        self.shared.blobs.put(&manifest::staged(&pin), sealed).await?;
        Ok(pin)
    }

    /// The files in the folder are no longer what counts: empties it. The agent must not be running.
    ///
    /// # Errors
    /// [`HomeError::Files`].
    pub async fn give_way(&self) -> Result<(), HomeError> {
        let mut state = self.shared.state.lock().await;
        *state = State::default();
        let folder = self.shared.folder.clone();
        blocking(move || wipe::wipe(&folder::open_root(&folder)?)).await
    }

    pub(super) fn held(&self) -> bool {
        self.shared.holds.load(Ordering::SeqCst) > 0
    }
}

impl IncomingHome {
    /// Chunks that did not come yet.
    pub fn missing(&self) -> usize {
        self.chunks.values().filter(|renamed| renamed.is_none()).count()
    }

    /// Files, folders and links.
    pub fn entries(&self) -> usize {
        self.manifest.entries.len()
    }
}
