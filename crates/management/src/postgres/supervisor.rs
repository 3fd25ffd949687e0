//! Keeps one postmaster running: starts it again when it dies, with growing pauses, until told to stop.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{oneshot, watch};

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use super::folder::Folder;

/// How long a clean stop may take before the postmaster is told to quit at once (it recovers from its log at the next start).
const STOP_TIME: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A postmaster that ran this long was well: the next restart is quick again.
const WELL_AFTER: Duration = Duration::from_secs(30);

pub(super) struct Supervisor {
    pub folder: Arc<Folder>,
    pub binaries: Binaries,
    pub account: Account,
}

impl Supervisor {
    /// Starts a postmaster. Listens on the socket alone; everything acknowledged is on the disk.
    pub(super) fn spawn(&self) -> Result<Child, PostgresError> {
        let log = self.folder.open_log()?;
        let settings = [
            "listen_addresses=",
            "unix_socket_permissions=0700",
            "port=5432",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "max_connections=40",
            "shared_buffers=32MB",
            "huge_pages=off",
            "jit=off",
            "max_wal_size=256MB",
            // The log must not repeat what people typed: no statements, no rows, no parameters.
            "log_statement=none",
            "log_error_verbosity=terse",
            "log_min_error_statement=panic",
            "log_parameter_max_length_on_error=0",
            "log_min_messages=warning",
            "log_checkpoints=off",
            "logging_collector=off",
            "cluster_name=holdfast",
        ];
        let mut command: Command = self.account.command(&self.binaries.postgres);
        command.arg("-D").arg(&self.folder.data).arg("-k").arg(&self.folder.run);
        for setting in settings {
            command.args(["-c", setting]);
        }
        command
            .current_dir(&self.folder.data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|source| PostgresError::Program {
                program: self.binaries.postgres.clone(),
                source,
            })
    }

    /// Runs until `stop` fires or its sender is dropped; then stops the postmaster cleanly.
    pub(super) async fn run(self, mut child: Child, pid: watch::Sender<Option<i32>>, mut stop: oneshot::Receiver<()>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = tokio::time::Instant::now();
            pid.send_replace(child.id().and_then(|id| id.try_into().ok()));
            tokio::select! {
                _ = &mut stop => {
                    shut_down(&mut child).await;
                    pid.send_replace(None);
                    return;
                }
                status = child.wait() => {
                    pid.send_replace(None);
                    tracing::error!(?status, "PostgreSQL died; starting it again");
                }
            }
            if started.elapsed() > WELL_AFTER {
                pause = FIRST_PAUSE;
            }
            child = loop {
                tokio::select! {
                    _ = &mut stop => return,
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.spawn() {
                    Ok(child) => break child,
                    Err(error) => tracing::error!(%error, "PostgreSQL cannot be started"),
                }
            };
        }
    }
}

async fn shut_down(child: &mut Child) {
    for (signal, time) in [(Signal::INT, STOP_TIME), (Signal::QUIT, Duration::from_secs(5))] {
        if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) {
            let _gone = kill_process(pid, signal);
        }
        if tokio::time::timeout(time, child.wait()).await.is_ok() {
            return;
        }
    }
    tracing::error!("PostgreSQL did not stop; killing it (nothing acknowledged is lost)");
    let _gone = child.kill().await;
}
