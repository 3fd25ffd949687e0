//! Processes by their id, and waiting for something to become true.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

/// Ends a process with SIGKILL, as a crash or the kernel's memory killer would; false where there is none.
pub fn kill_now(pid: u32) -> bool {
    signal(pid, Signal::KILL)
}

/// Asks a process to end, as Docker and service managers do.
pub fn end(pid: u32) {
    signal(pid, Signal::TERM);
}

/// A process that stands still until this is dropped.
#[derive(Debug)]
pub struct Still(u32);

impl Still {
    pub fn hold(pid: u32) -> Self {
        assert!(signal(pid, Signal::STOP), "process {pid} is gone");
        Self(pid)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) -> bool {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| kill_process(process, signal).is_ok())
}

/// Now, in milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is right");
    i64::try_from(since.as_millis()).expect("the clock is right")
}

/// Looks until `look` gives something; panics with `what` when `limit` has passed.
pub async fn wait_until<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < limit, "{what}: not so after {} s", limit.as_secs());
        sleep(Duration::from_millis(50)).await;
    }
}
