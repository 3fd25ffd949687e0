//! The files of the cluster, under `<data-dir>/postgres`: `data` (made whole by initdb or not at all), `run` (the socket),
//! `postgres.log`, and `lock`, which one server holds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::account::Account;
use super::binaries::Binaries;
use super::error::{PostgresError, at};

/// `sun_path` of unix(7), less its ending zero.
const SOCKET_PATH_BYTES: usize = 107;
/// The log is set aside at start when it is larger than this; one old one is kept.
const LOG_BYTES: u64 = 8 * 1024 * 1024;

/// Where things are, and the lock that makes them ours.
#[derive(Debug)]
pub(super) struct Folder {
    pub data: PathBuf,
    pub run: PathBuf,
    pub log: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folders, gives them to the account, and takes the lock.
    pub(super) fn open(root: &Path, account: &Account) -> Result<Self, PostgresError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o711).create(root);
        made.map_err(at(root))?;
        let root = &root.canonicalize().map_err(at(root))?;
        let base = root.join("postgres");
        let run = base.join("run");
        let socket = run.join(".s.PGSQL.5432");
        if socket.as_os_str().len() > SOCKET_PATH_BYTES {
            return Err(PostgresError::SocketPathTooLong {
                path: socket,
                limit: SOCKET_PATH_BYTES,
            });
        }
        // The account owns `data` and `run` only: nothing that we open lies in a folder that it can write.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&base)
            .map_err(at(&base))?;
        account.check_reach(&run)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&run)
            .map_err(at(&run))?;
        account.own(&run).map_err(at(&run))?;
        let lock_path = base.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path);
        let lock = lock.map_err(at(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PostgresError::InUse(root.clone())),
            Err(TryLockError::Error(error)) => return Err(at(&lock_path)(error)),
        }
        Ok(Self {
            data: base.join("data"),
            run,
            log: base.join("postgres.log"),
            _lock: lock,
        })
    }

    /// Makes the cluster if there is none. An initdb that was cut off leaves nothing that counts.
    pub(super) async fn create_cluster(&self, binaries: &Binaries, account: &Account) -> Result<(), PostgresError> {
        if self.data.join("PG_VERSION").is_file() {
            return Ok(());
        }
        let new = self.data.with_extension("new");
        match fs::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&new)(error)),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&new).map_err(at(&new))?;
        account.own(&new).map_err(at(&new))?;
        let output = account
            .command(&binaries.initdb)
            .args([
                "--username=holdfast",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
            ])
            // Whoever reaches the socket's folder (mode 0700) is the database's own user or root.
            .args(["--auth-local=trust", "--auth-host=reject", "--pgdata"])
            .arg(&new)
            .current_dir(&new)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| PostgresError::Program {
                program: binaries.initdb.clone(),
                source,
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said
                .lines()
                .find(|line| line.contains("error"))
                .or(said.lines().last())
                .unwrap_or_default();
            return Err(PostgresError::Initdb {
                said: said.trim().to_owned(),
            });
        }
        fs::rename(&new, &self.data).map_err(at(&self.data))?;
        let base = self.data.parent().unwrap_or(&self.data);
        File::open(base).and_then(|folder| folder.sync_all()).map_err(at(base))
    }

    /// Opens the log for appending; a long one is set aside first.
    pub(super) fn open_log(&self) -> Result<File, PostgresError> {
        if fs::metadata(&self.log).is_ok_and(|meta| meta.len() > LOG_BYTES) {
            fs::rename(&self.log, self.log.with_extension("log.1")).map_err(at(&self.log))?;
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.log)
            .map_err(at(&self.log))?;
        log.set_permissions(fs::Permissions::from_mode(0o600))
            .map_err(at(&self.log))?;
        Ok(log)
    }

    /// The last reason in the log, after `from` bytes.
    pub(super) fn last_complaint(&self, from: u64) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log =
            String::from_utf8_lossy(log.get(usize::try_from(from).unwrap_or(0)..).unwrap_or_default()).into_owned();
        let marks = ["FATAL:", "PANIC:", "ERROR:"];
        let found = log.lines().rev().find_map(|line| {
            marks
                .iter()
                .find_map(|mark| line.split_once(mark))
                .map(|(_, reason)| reason.trim().to_owned())
        });
        found
            .or_else(|| log.lines().last().map(str::to_owned))
            .unwrap_or_else(|| "it said nothing".into())
    }
}
