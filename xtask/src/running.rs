//! Whether a server holds a data directory, and where it answers.
//!
//! The server keeps `<data-dir>/lock` locked while it lives, so a stale process id is never mistaken for a server.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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
    /// Sends a signal by name.
    pub fn signal(&self, name: &str) -> bool {
        Command::new("kill")
            .args(["-s", name, &self.pid.to_string()])
            .status()
            .is_ok_and(|status| status.success())
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
