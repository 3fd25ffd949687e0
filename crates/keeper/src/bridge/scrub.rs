//! Taking what OpenClaw has deleted out of the files of its databases, beside OpenClaw.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;
use tokio::time::timeout;

use super::openclaw::script;
use crate::limits::{LAST_OUTPUT_BYTES, SCRUB};

const SCRUB_DATABASES: &str = include_str!("scrub.mjs");

/// Returns when the files have nothing any more of what was deleted.
///
/// # Errors
/// Why that is not so.
pub async fn run() -> Result<(), String> {
    let mut child = script(SCRUB_DATABASES)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let pid = Pid::from_child(&child);
    let output = child.stdout.take().ok_or("it has no output")?;
    let output = ChildStdout::from_std(output).map_err(|error| error.to_string())?;
    // The reaper takes how it ended: what it says is what counts.
    let mut said = String::new();
    let read = async {
        let most = u64::try_from(LAST_OUTPUT_BYTES).unwrap_or(u64::MAX);
        output.take(most).read_to_string(&mut said).await
    };
    match timeout(SCRUB, read).await {
        Ok(Ok(_)) if said == "done" => Ok(()),
        Ok(Ok(_)) => Err(said),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            let _ = kill_process(pid, Signal::KILL);
            Err(format!("it took more than {} s (SCRUB)", SCRUB.as_secs()))
        }
    }
}
