//! A relay that runs by itself (`holdfast relay`), with a data directory and a PostgreSQL of its own.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::installation::{binary, free_port, postmaster};
use crate::person;
use crate::process::{kill_now, signal, wait_until};

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
        assert!(self.process.is_none(), "the relay runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("relay.log"))
            .expect("the log can be written");
        let process = Command::new(binary())
            .args(["relay", "--data-dir"])
            .arg(self.dir.path())
            .env("HOLDFAST_RELAY__PORT", self.port.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be opened twice"))
            .stderr(log)
            .spawn()
            .expect("the server's binary can be run");
        self.process = Some(process);
        wait_until("the relay answers that it is ready", START, async || {
            let process = self.process.as_mut().expect("it was started");
            if let Some(status) = process.try_wait().expect("a child can be asked") {
                panic!("the relay ended with {status}:\n{}", self.log());
            }
            let url = format!("http://{}/readyz", self.address());
            let answer = person::http().get(url).send().await;
            answer.ok().filter(|answer| answer.status().is_success())
        })
        .await;
    }

    /// `host:port`, for `relay.address`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// All that it wrote so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("relay.log")).unwrap_or_default()
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
