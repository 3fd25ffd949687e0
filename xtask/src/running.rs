//! Whether a server holds a data directory, and where it answers.
//!
//! The server keeps `<data-dir>/lock` locked while it lives, so a stale process id is never mistaken for a server.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// A server that holds a data directory.
pub struct Server {
    pub pid: u32,
    pub url: String,
}

/// The server that holds this data directory, if one does.
pub fn find(data_dir: &Path) -> Option<Server> {
    let mut file = File::open(data_dir.join("lock")).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let mut lines = text.lines();
    Some(Server {
        pid: lines.next()?.parse().ok()?,
        url: lines.next().unwrap_or_default().to_owned(),
    })
}

impl Server {
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

/// Whether `GET /readyz` on the loopback port answers 200.
pub fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let wait = Some(Duration::from_secs(5));
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = [0; 12];
    stream.set_read_timeout(wait).is_ok()
        && stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b" 200")
}
