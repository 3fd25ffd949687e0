//! Bringing the sealed home back: only the newest acknowledged one, every chunk checked before anything is replaced.

use std::collections::HashSet;
use std::ffi::CString;
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chownat, fchmod, fchown, futimens, mkdirat, openat,
    symlinkat, utimensat,
};
use zeroize::Zeroizing;

use super::chunk::{self, CHUNK_PREFIX, ChunkRef};
use super::manifest::{self, Content, Entry, Kind, MANIFEST_PREFIX, Manifest, Pin};
use super::seal::HomeVault;
use super::{Home, HomeError, Owner, State, blocking, folder, wipe};
use crate::limits;
use crate::platform::BlobError;

/// What was brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Number of the sealed home; `None` when there was none, and the folder was left as it is.
    pub number: Option<u64>,
    pub entries: usize,
    /// A snapshot that was complete but not acknowledged when the keeper died was taken over.
    pub rolled_forward: bool,
}

impl Home {
    /// Replaces what is in the folder by the newest sealed home. The agent must not be running.
    ///
    /// # Errors
    /// [`HomeError`]; nothing was replaced unless it is [`HomeError::Files`].
    pub async fn restore(&self, vault: &Arc<dyn HomeVault>) -> Result<Restored, HomeError> {
        let mut state = self.shared.state.lock().await;
        *state = State::default();
        let (manifest, rolled_forward) = self.newest(vault).await?;
        let root = {
            let folder = self.shared.folder.clone();
            blocking(move || folder::open_root(&folder)).await?
        };
        let root = Arc::new(root);
        let Some((manifest, pin)) = manifest else {
            self.finish_root(&root)?;
            state.known = true;
            return Ok(Restored {
                number: None,
                entries: 0,
                rolled_forward: false,
            });
        };
        if !folder::names(&root)?.is_empty() {
            self.check_chunks(vault, &manifest).await?;
            let root = root.clone();
            blocking(move || wipe::wipe(&root)).await?;
        }
        self.write(vault, &root, &manifest).await?;
        self.finish_root(&root)?;
        let named: HashSet<_> = manifest.chunk_names().collect();
        *state = State {
            known: true,
            pin: Some(pin),
            entries: Some(manifest.entries_digest()?),
            garbage: self.superfluous(&named, &pin).await?,
            stored: Arc::new(named),
            ..State::default()
        };
        Ok(Restored {
            number: Some(pin.number),
            entries: manifest.entries.len(),
            rolled_forward,
        })
    }

    /// Empties the folder. The agent must not be running.
    ///
    /// # Errors
    /// [`HomeError::Files`].
    pub async fn wipe(&self) -> Result<(), HomeError> {
        let mut state = self.shared.state.lock().await;
        *state = State::default();
        let folder = self.shared.folder.clone();
        blocking(move || wipe::wipe(&folder::open_root(&folder)?)).await
    }

    /// The manifest that counts, and whether it was taken over just now.
    async fn newest(&self, vault: &Arc<dyn HomeVault>) -> Result<(Option<(Manifest, Pin)>, bool), HomeError> {
        let pin = vault.pin()?;
        let last = pin.map_or(0, |pin| pin.number);
        let offered: Vec<(u64, String)> = self
            .shared
            .blobs
            .list(MANIFEST_PREFIX)
            .await?
            .into_iter()
            .filter_map(|blob| manifest::number_of(&blob.name).map(|number| (number, blob.name)))
            .collect();
        let pinned = match pin {
            Some(pin) => Some((self.pinned(vault, pin, &offered).await?, pin)),
            None => None,
        };
        if let Some((number, _)) = offered.iter().find(|(number, _)| *number > last + 1) {
            return Err(HomeError::Foreign {
                number: *number,
                why: format!("the vault acknowledged no more than number {last}: the vault itself may be an old one"),
            });
        }
        let mut newer: Option<(Manifest, Pin)> = None;
        for (number, object) in offered.into_iter().filter(|(number, _)| *number == last + 1) {
            let candidate = self.candidate(vault, pin, number, &object).await?;
            if newer.as_ref().is_none_or(|(best, _)| candidate.0.made > best.made) {
                newer = Some(candidate);
            }
        }
        match newer {
            None => Ok((pinned, false)),
            Some((manifest, pin)) => {
                vault.set_pin(pin).await?;
                Ok((Some((manifest, pin)), true))
            }
        }
    }

    /// The acknowledged manifest, and no other.
    async fn pinned(
        &self,
        vault: &Arc<dyn HomeVault>,
        pin: Pin,
        offered: &[(u64, String)],
    ) -> Result<Manifest, HomeError> {
        let object = manifest::object(&pin);
        let refused = |offered: String| HomeError::RolledBack {
            expected: pin.number,
            offered,
        };
        let found = match self.shared.blobs.get(&object).await {
            // It came with a backup, and the keeper ended before it was put in its place.
            Err(BlobError::Missing(_)) => self.take_staged(&pin).await,
            found => found,
        };
        let sealed = match found {
            Ok(sealed) => sealed,
            Err(BlobError::Missing(_)) => {
                let newest = offered.iter().map(|(number, _)| *number).max();
                return Err(refused(newest.map_or_else(
                    || "none".to_owned(),
                    |number| format!("number {number} instead"),
                )));
            }
            Err(error) => return Err(error.into()),
        };
        if manifest::digest(&sealed) != pin.digest {
            return Err(refused("another in its place".to_owned()));
        }
        open_manifest(vault, pin.number, sealed).await
    }

    async fn take_staged(&self, pin: &Pin) -> Result<Bytes, BlobError> {
        let staged = manifest::staged(pin);
        let sealed = self.shared.blobs.get(&staged).await?;
        if manifest::digest(&sealed) == pin.digest {
            self.shared.blobs.put(&manifest::object(pin), sealed.clone()).await?;
            self.shared.blobs.delete(&staged).await?;
        }
        Ok(sealed)
    }

    /// A manifest that was written but not acknowledged: complete, because it is written last.
    async fn candidate(
        &self,
        vault: &Arc<dyn HomeVault>,
        parent: Option<Pin>,
        number: u64,
        object: &str,
    ) -> Result<(Manifest, Pin), HomeError> {
        let foreign = |why: String| HomeError::Foreign { number, why };
        let sealed = self.shared.blobs.get(object).await?;
        let pin = Pin {
            number,
            digest: manifest::digest(&sealed),
        };
        if manifest::object(&pin) != object {
            return Err(foreign("its name is not its digest".to_owned()));
        }
        let manifest = open_manifest(vault, number, sealed)
            .await
            .map_err(|error| match error {
                HomeError::Locked => HomeError::Locked,
                other => foreign(other.to_string()),
            })?;
        if manifest.parent != parent.map(|pin| pin.digest) {
            return Err(foreign("it does not follow the last one".to_owned()));
        }
        Ok((manifest, pin))
    }

    /// Opens every chunk and throws it away.
    async fn check_chunks(&self, vault: &Arc<dyn HomeVault>, manifest: &Manifest) -> Result<(), HomeError> {
        let mut seen = HashSet::new();
        let chunks: Vec<ChunkRef> = manifest.chunks().filter(|chunk| seen.insert(chunk.name)).collect();
        futures::stream::iter(chunks)
            .map(|at| chunk::fetch(&self.shared.blobs, vault, at))
            .buffer_unordered(limits::CHUNKS_IN_FLIGHT)
            .try_for_each(|_| async { Ok(()) })
            .await
    }

    async fn write(&self, vault: &Arc<dyn HomeVault>, root: &OwnedFd, manifest: &Manifest) -> Result<(), HomeError> {
        let mut chunks = futures::stream::iter(manifest.chunks().collect::<Vec<_>>())
            .map(|at| chunk::fetch(&self.shared.blobs, vault, at))
            .buffered(limits::CHUNKS_IN_FLIGHT)
            .boxed();
        let mut writer = Writer::new(root, self.shared.owner)?;
        for entry in &manifest.entries {
            match writer.begin(entry)? {
                None => {}
                Some((mut file, Content::Inline(bytes))) => writer.finish(&mut file, entry, bytes)?,
                Some((mut file, Content::Chunks(parts))) => {
                    for _ in parts {
                        let bytes: Zeroizing<Vec<u8>> = chunks
                            .next()
                            .await
                            .ok_or_else(|| HomeError::Internal("fewer chunks than the manifest names".to_owned()))??;
                        file.write_all(&bytes).map_err(written)?;
                    }
                    writer.finish(&mut file, entry, &[])?;
                }
            }
        }
        writer.close_below(0)
    }

    fn finish_root(&self, root: &OwnedFd) -> Result<(), HomeError> {
        fchmod(root, Mode::RWXU).map_err(HomeError::files("written"))?;
        let (uid, gid) = ids(self.shared.owner);
        fchown(root, uid, gid).map_err(HomeError::files("written"))
    }

    /// What lies in the store and is not part of this manifest.
    async fn superfluous(&self, named: &HashSet<[u8; 32]>, pin: &Pin) -> Result<HashSet<String>, HomeError> {
        let needed: HashSet<String> = named.iter().map(chunk::object).collect();
        let newest = manifest::object(pin);
        let mut names = HashSet::new();
        for prefix in [CHUNK_PREFIX, MANIFEST_PREFIX] {
            let listed = self.shared.blobs.list(prefix).await?;
            names.extend(listed.into_iter().map(|blob| blob.name));
        }
        names.retain(|name| !needed.contains(name) && *name != newest);
        Ok(names)
    }
}

async fn open_manifest(vault: &Arc<dyn HomeVault>, number: u64, sealed: Bytes) -> Result<Manifest, HomeError> {
    let keys = vault.clone();
    blocking(move || Manifest::open(&*keys, number, &sealed)).await
}

fn written(error: std::io::Error) -> HomeError {
    HomeError::Files {
        doing: "written",
        why: error.to_string(),
    }
}

fn ids(owner: Owner) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
}

fn times(nanos: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: nanos.div_euclid(1_000_000_000),
        tv_nsec: nanos.rem_euclid(1_000_000_000),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Writes a tree in the manifest's order; a folder gets its owner, mode and time when the last thing in it is written.
struct Writer<'m> {
    folders: Vec<(OwnedFd, Option<&'m Entry>)>,
    owner: Owner,
}

impl<'m> Writer<'m> {
    fn new(root: &OwnedFd, owner: Owner) -> Result<Self, HomeError> {
        let root = root.try_clone().map_err(written)?;
        Ok(Self {
            folders: vec![(root, None)],
            owner,
        })
    }

    /// Makes the entry; a file is returned open, with its content.
    fn begin(&mut self, entry: &'m Entry) -> Result<Option<(std::fs::File, &'m Content)>, HomeError> {
        let error = HomeError::files("written");
        self.close_below(usize::from(entry.depth))?;
        let name = CString::new(entry.name.as_slice()).map_err(|error| HomeError::Internal(error.to_string()))?;
        let (parent, _) = self
            .folders
            .last()
            .ok_or_else(|| HomeError::Internal("no folder".to_owned()))?;
        let (uid, gid) = ids(self.owner);
        match &entry.kind {
            Kind::Folder => {
                mkdirat(parent, &name, Mode::RWXU).map_err(&error)?;
                let opened = folder::open_folder(parent, &name).map_err(&error)?;
                self.folders.push((opened, Some(entry)));
                Ok(None)
            }
            Kind::Link(target) => {
                symlinkat(target.as_slice(), parent, &name).map_err(&error)?;
                chownat(parent, &name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(&error)?;
                utimensat(parent, &name, &times(entry.modified), AtFlags::SYMLINK_NOFOLLOW).map_err(&error)?;
                Ok(None)
            }
            Kind::File(content) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = openat(parent, &name, flags, Mode::RUSR | Mode::WUSR).map_err(&error)?;
                Ok(Some((file.into(), content)))
            }
        }
    }

    fn finish(&self, file: &mut std::fs::File, entry: &Entry, bytes: &[u8]) -> Result<(), HomeError> {
        file.write_all(bytes).map_err(written)?;
        self.attributes(file.as_fd(), entry)
    }

    /// Folders at this depth and deeper are complete.
    fn close_below(&mut self, depth: usize) -> Result<(), HomeError> {
        while self.folders.len() > depth.max(1) {
            if let Some((folder, Some(entry))) = self.folders.pop() {
                self.attributes(folder.as_fd(), entry)?;
            }
        }
        Ok(())
    }

    /// Owner first: it clears what a mode may not keep. Set-user-id and set-group-id never come back.
    fn attributes(&self, fd: std::os::fd::BorrowedFd<'_>, entry: &Entry) -> Result<(), HomeError> {
        let error = HomeError::files("written");
        let (uid, gid) = ids(self.owner);
        fchown(fd, uid, gid).map_err(&error)?;
        fchmod(fd, Mode::from_raw_mode(u32::from(entry.mode) & 0o1777)).map_err(&error)?;
        futimens(fd, &times(entry.modified)).map_err(&error)
    }
}
