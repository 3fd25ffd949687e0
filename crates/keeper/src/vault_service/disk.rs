//! The vault's folder: whole files, replaced atomically and durably.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::VaultError;

/// The vault itself.
pub(super) const VAULT: &str = "vault";
/// The claim, while the vault is new.
pub(super) const CLAIM: &str = "claim";
/// Wrong attempts, by slot.
pub(super) const ATTEMPTS: &str = "attempts.json";
const LOCK: &str = "lock";

/// The folder, held by this process alone. Every method blocks.
pub(super) struct Disk {
    dir: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Disk {
    /// Takes the folder, making it if need be, and drops what an interrupted write left.
    pub fn open(dir: &Path) -> Result<Self, VaultError> {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let lock = private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(dir.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(VaultError::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let disk = Self {
            dir: dir.to_owned(),
            _lock: lock,
        };
        for name in [VAULT, CLAIM, ATTEMPTS] {
            remove_if_there(&disk.temporary(name))?;
        }
        Ok(disk)
    }

    fn temporary(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.new"))
    }

    /// A whole file; none if it is not there. More than `limit` bytes are not read.
    pub fn read(&self, name: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        match File::open(self.dir.join(name)) {
            Ok(file) => read_at_most(file, limit).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a file: durable when it returns, and as it was before if it fails. `check` sees the bytes as they were read
    /// back, and nothing is replaced unless it agrees.
    pub fn replace(
        &self,
        name: &str,
        bytes: &[u8],
        check: impl FnOnce(&[u8]) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let temporary = self.temporary(name);
        let written = self.write_and_check(&temporary, bytes, check);
        if written.is_err() {
            // The error that matters is the first one; what is left is dropped at the next start.
            let _ = fs::remove_file(&temporary);
            return written;
        }
        fs::rename(&temporary, self.dir.join(name))?;
        self.sync_dir()?;
        Ok(())
    }

    fn write_and_check(
        &self,
        temporary: &Path,
        bytes: &[u8],
        check: impl FnOnce(&[u8]) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let mut file = private().write(true).create(true).truncate(true).open(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        let read_back = read_at_most(File::open(temporary)?, bytes.len())?;
        if read_back != bytes {
            return Err(
                io::Error::new(io::ErrorKind::InvalidData, "a file did not read back as it was written").into(),
            );
        }
        check(&read_back)
    }

    /// Removes a file, durably.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        remove_if_there(&self.dir.join(name))?;
        self.sync_dir()
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn read_at_most(file: File, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "a file of the vault is larger than it may be",
        ));
    }
    Ok(bytes)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
