//! Reaping: as PID 1 the bridge inherits every orphan of the agent's commands.

use rustix::process::{Pid, WaitOptions, WaitStatus};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for any child.
pub struct Reaper {
    child_ended: Signal,
}

impl Reaper {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            child_ended: signal(SignalKind::child())?,
        })
    }

    /// Reaps until one that is `wanted` has ended. Safe to cancel: what ends meanwhile is found next time.
    pub async fn wait_for(&mut self, wanted: impl Fn(Pid) -> bool) -> (Pid, WaitStatus) {
        loop {
            while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                if wanted(pid) {
                    return (pid, status);
                }
            }
            if self.child_ended.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        }
    }
}
