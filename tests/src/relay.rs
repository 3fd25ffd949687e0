//! A relay that runs by itself (`holdfast relay`), with a data directory and a PostgreSQL of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::installation::{binary, free_port, postmaster};
use crate::process::{kill_now, serve, signal, written};

const START: Duration = Duration::from_secs(60);

/// A running relay. What it keeps goes when it is dropped.
#[derive(Debug)]
pub struct RelayAlone {
    dir: TempDir,
    port: u16,
    process: Option<Child>,
}

impl RelayAlone {
    pub async fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("holdfast-test-relay-")
            .tempdir()
            .expect("a temporary folder can be made");
        let mut relay = Self {
            dir,
            port: free_port(),
            process: None,
        };
        relay.run().await;
        relay
    }

    /// Starts it again, on the same data and port, and returns when it is ready.
    pub async fn run(&mut self) {
        let mut command = Command::new(binary());
        command
            .args(["relay", "--data-dir"])
            .arg(self.dir.path())
            .env("HOLDFAST_RELAY__PORT", self.port.to_string());
        let (log, url) = (self.log_file(), format!("http://{}", self.address()));
        serve(&mut command, &mut self.process, &log, &url, START).await;
    }

    /// `host:port`, for `relay.address`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where its token lies, for `relay.news_token_file`.
    pub fn news_token_file(&self) -> PathBuf {
        self.dir.path().join("news-token")
    }

    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// All that it wrote so far.
    pub fn log(&self) -> String {
        written(&self.log_file())
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("relay.log")
    }

    /// Kills it where it stands, with SIGKILL.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the relay runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("a child can be waited for");
    }
}

impl Drop for RelayAlone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("── the relay's log\n{}", self.log());
        }
        if let Some(mut process) = self.process.take() {
            signal(process.id(), Signal::TERM);
            let _ = process.wait();
        }
        if let Some(postgres) = postmaster(self.dir.path()) {
            kill_now(postgres);
        }
    }
}
