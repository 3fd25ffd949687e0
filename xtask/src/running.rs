//! Which server holds a data directory, whether it has started, and whether it is ready.
//!
//! A server writes its process id into `<data-dir>/lock` as soon as it has locked that file, and its addresses when it has started. What one
//! that was killed left in it is not believed: the process that it names must have this very file open.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// A server that holds a data directory.
pub struct Server {
    pub pid: u32,
    started: Option<Started>,
}

/// What a server says once it has started.
struct Started {
    url: String,
    /// Where it listens. Versions that did not say so wrote when they were ready.
    listens: Option<SocketAddr>,
}

/// The server that holds this data directory, if one does.
pub fn find(data_dir: &Path) -> Option<Server> {
    let mut file = File::open(data_dir.join("lock")).ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    let pid = lines.next()?.parse().ok()?;
    if !holds(pid, &file) {
        return None;
    }
    let started = lines.next().map(|url| Started {
        url: url.to_owned(),
        listens: lines.next().and_then(|address| address.parse().ok()),
    });
    Some(Server { pid, started })
}

/// Whether a process has this file open and is not this one.
fn holds(pid: u32, file: &File) -> bool {
    if pid == std::process::id() {
        return false;
    }
    match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(open) => {
            let Ok(wanted) = file.metadata() else { return false };
            open.flatten()
                .filter_map(|entry| fs::metadata(entry.path()).ok())
                .any(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
        }
        // Another user's process, which cannot be looked into, nor ended by us: the lock is what can be seen of it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
        }
        Err(_) => false,
    }
}

impl Server {
    /// Whether its start is behind it.
    pub fn has_started(&self) -> bool {
        self.started.is_some()
    }

    /// Where people reach it; nothing while it starts.
    pub fn url(&self) -> &str {
        self.started.as_ref().map_or("", |started| &started.url)
    }

    /// The port that it listens on, where it says so.
    pub fn port(&self) -> Option<u16> {
        Some(self.started.as_ref()?.listens?.port())
    }

    /// Whether it has started and `GET /readyz` answers 200.
    pub fn is_ready(&self) -> bool {
        let Some(started) = &self.started else { return false };
        started.listens.is_none_or(|address| is_ready(address).unwrap_or(false))
    }

    /// Whether it was given this option when it was started.
    pub fn was_given(&self, option: &str) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == option.as_bytes())
    }

    /// Asks it to put its cells to sleep and to end (SIGUSR1; SIGTERM alone would leave the cells as they are).
    ///
    /// # Errors
    /// The server belongs to another user.
    pub fn ask_to_stop(&self) -> Result<()> {
        let process = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let process = process.context("the lock file does not name a process")?;
        match kill_process(process, Signal::USR1) {
            // It has ended this moment.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot stop Holdfast (process {})", self.pid)),
        }
    }
}

fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let wait = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_read_timeout(Some(wait))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(b" 200"))
}
