//! Processes by their id, and waiting for something to become true.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::person::http;

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

/// Starts a server of ours that writes to `log`, and returns when `url` says within `limit` that it is ready. It belongs to the caller from
/// the first moment, also where it never is.
pub(crate) async fn serve(command: &mut Command, process: &mut Option<Child>, log: &Path, url: &str, limit: Duration) {
    assert!(process.is_none(), "it runs already");
    let output = File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("the log can be written");
    let spawned = command
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file can be opened twice"))
        .stderr(output)
        .spawn()
        .expect("the server's binary can be run");
    let process = process.insert(spawned);
    wait_until("it answers that it is ready", limit, async || {
        if let Some(status) = process.try_wait().expect("a child can be asked") {
            panic!("it ended with {status}:\n{}", written(log));
        }
        let answer = http().get(format!("{url}/readyz")).send().await;
        answer.ok().filter(|answer| answer.status().is_success())
    })
    .await;
}

/// All that is in a log so far.
pub(crate) fn written(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}
