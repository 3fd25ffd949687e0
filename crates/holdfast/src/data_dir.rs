//! The data directory: one server at a time, an identity that lasts, and files that only their reader can read.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use protocol::InstallationId;
use serde::{Deserialize, Serialize};

use crate::refusal::{NEEDED_MIB, Refusal};

/// A data directory that this process holds; letting go of it lets another server in.
pub struct DataDir {
    path: PathBuf,
    lock: File,
    installation: InstallationId,
}

#[derive(Serialize, Deserialize)]
struct Installation {
    id: InstallationId,
}

impl DataDir {
    /// Makes the directory where it is missing, and takes it for this process alone.
    ///
    /// # Errors
    /// Another server holds it, the disk is full, or it cannot be written.
    pub fn hold(path: &Path) -> Result<Self, Refusal> {
        let failed = |reason| Refusal::file(path, reason);
        // Others may pass through (the embedded PostgreSQL runs as its own user) but not look around.
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o711).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o711)).map_err(failed)?;

        let lock = take_lock(&path)?;
        let free_mib = free_mib(&path);
        if free_mib < NEEDED_MIB {
            return Err(Refusal::DiskFull { dir: path, free_mib });
        }
        for (name, mode) in [("keys", 0o700), ("outbox", 0o700), ("blobs", 0o700), ("run", 0o711)] {
            let dir = path.join(name);
            match DirBuilder::new().mode(mode).create(&dir) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Refusal::file(&dir, error));
                }
                _ => {}
            }
        }
        let installation = installation(&path)?;
        Ok(Self {
            path,
            lock,
            installation,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn installation(&self) -> InstallationId {
        self.installation
    }

    /// Says in the lock file that this process has started: where people reach it, and where it listens.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(&mut self, url: &str, listens: SocketAddr) -> Result<(), Refusal> {
        // At the end, in one piece: whoever reads meanwhile never misses the process.
        let write = self.lock.write_all(format!("{url}\n{listens}\n").as_bytes());
        write.map_err(|error| Refusal::file(&self.path.join("lock"), error))
    }
}

/// Writes this process's id, for `cargo xtask` and error messages, in the place of all that an earlier one left.
fn name_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.write_all(format!("{}\n", std::process::id()).as_bytes())
}

fn take_lock(dir: &Path) -> Result<File, Refusal> {
    let path = dir.join("lock");
    let failed = |reason| Refusal::file(&path, reason);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(&path)
        .map_err(failed)?;
    match lock.try_lock() {
        // Named at once: while it starts, nobody may take an earlier process for this one.
        Ok(()) => name_holder(&mut lock).map(|()| lock).map_err(failed),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Only for the message: who it is may be unknown.
            let _ = lock.read_to_string(&mut text);
            Err(Refusal::DataDirInUse {
                dir: dir.to_owned(),
                pid: text.lines().next().and_then(|line| line.parse().ok()),
            })
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Room for a user's files on the disk that holds `path`, in MiB; as much as can be where that cannot be asked.
pub fn free_mib(path: &Path) -> u64 {
    nix::sys::statvfs::statvfs(path).map_or(u64::MAX, |disk| {
        disk.blocks_available().saturating_mul(disk.fragment_size()) / (1024 * 1024)
    })
}

/// The installation's id, made once.
fn installation(dir: &Path) -> Result<InstallationId, Refusal> {
    let path = dir.join("installation.json");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let known: Installation =
                serde_json::from_str(&text).map_err(|error| Refusal::file(&path, error.into()))?;
            Ok(known.id)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = Installation {
                id: InstallationId::new(),
            };
            let text = serde_json::to_string(&made).map_err(|error| Refusal::file(&path, error.into()))?;
            write_whole(&path, text.as_bytes(), 0o644)?;
            Ok(made.id)
        }
        Err(error) => Err(Refusal::file(&path, error)),
    }
}

/// Writes a file so that it is either not there or whole, also after a power cut.
///
/// # Errors
/// The disk is full or the folder cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Refusal> {
    let failed = |reason| Refusal::file(path, reason);
    let part = path.with_extension("part");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&part)
        .map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&part, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_never_hold_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::hold(dir.path()).unwrap();
        let Err(refusal) = DataDir::hold(dir.path()) else {
            panic!("a second server took the directory");
        };
        assert!(
            refusal.to_string().contains(&format!("process {}", std::process::id())),
            "{refusal}"
        );
        drop(first);
        assert!(DataDir::hold(dir.path()).is_ok());
    }

    #[test]
    fn whoever_holds_it_is_named_at_once_and_its_addresses_when_it_has_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lock");
        fs::write(&file, "1\nhttp://localhost:1\n127.0.0.1:1\n").unwrap();
        let mut held = DataDir::hold(dir.path()).unwrap();
        let id = std::process::id();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{id}\n"));
        held.announce("https://agents.example.org", "127.0.0.1:8080".parse().unwrap())
            .unwrap();
        let said = fs::read_to_string(&file).unwrap();
        assert_eq!(said, format!("{id}\nhttps://agents.example.org\n127.0.0.1:8080\n"));
    }

    #[test]
    fn the_identity_lasts_and_secret_folders_are_closed() {
        let dir = tempfile::tempdir().unwrap();
        let id = DataDir::hold(dir.path()).unwrap().installation();
        assert_eq!(DataDir::hold(dir.path()).unwrap().installation(), id);
        for (name, mode) in [("keys", 0o700), ("outbox", 0o700), ("blobs", 0o700)] {
            let found = fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{name}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let Err(refusal) = DataDir::hold(Path::new("/proc/holdfast")) else {
            panic!("made a folder in /proc");
        };
        assert!(refusal.to_string().contains("/proc/holdfast"), "{refusal}");
        assert_eq!(refusal.exit_code(), 73);
    }
}
