//! Which system user PostgreSQL runs as: ourselves, or, when we are root, the distribution's `postgres`.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use tokio::process::Command;

use super::error::PostgresError;

const NAME: &str = "postgres";

/// The user to change to; `None` when we are an ordinary user already.
#[derive(Debug, Clone)]
pub(super) struct Account(Option<(u32, u32)>);

impl Account {
    pub(super) fn choose() -> Result<Self, PostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        // The package makes this user on the machine itself, never in a directory service.
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(NAME)).then(|| Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?)))
        });
        match ids.flatten() {
            Some((uid, gid)) if uid != 0 => Ok(Self(Some((uid, gid)))),
            _ => Err(PostgresError::NoAccount),
        }
    }

    /// A command that runs as this user, with an empty environment and no way to our terminal's signals.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .process_group(0);
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Gives a folder or file to this user.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match self.0 {
            Some((uid, gid)) => chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// Checks that the user gets through every folder above `path`.
    pub(super) fn check_reach(&self, path: &Path) -> Result<(), PostgresError> {
        let Some((uid, gid)) = self.0 else { return Ok(()) };
        for folder in path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty()) {
            let meta = fs::metadata(folder).map_err(super::error::at(folder))?;
            let needed = match () {
                () if meta.uid() == uid => 0o100,
                () if meta.gid() == gid => 0o010,
                () => 0o001,
            };
            if meta.mode() & needed == 0 {
                return Err(PostgresError::Unreachable {
                    account: NAME.into(),
                    path: path.into(),
                    blocked: folder.into(),
                });
            }
        }
        Ok(())
    }
}
