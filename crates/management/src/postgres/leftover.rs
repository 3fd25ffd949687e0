//! What an earlier run left: a postmaster that outlived a killed server, or the file that names a dead one.
//! Only one that provably serves our own folder is touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

use super::error::{PostgresError, at};

const SOCKET_LOCK: &str = ".s.PGSQL.5432.lock";
const STOP_TIME: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Stops a postmaster of ours that still runs in `data`; removes a `postmaster.pid` whose process is gone or is not ours.
pub(super) async fn clear(data: &Path) -> Result<(), PostgresError> {
    let path = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let pid = text
        .lines()
        .next()
        .and_then(|line| Pid::from_raw(line.trim().parse().ok().filter(|pid| *pid > 1)?));
    match pid {
        Some(pid) if serves(pid, data) => {
            tracing::info!(
                pid = pid.as_raw_nonzero(),
                "stopping the PostgreSQL that an earlier run left behind"
            );
            let until = Instant::now() + STOP_TIME;
            let _gone = kill_process(pid, Signal::INT);
            while alive(pid) && serves(pid, data) {
                if Instant::now() > until {
                    return Err(PostgresError::OldOneRuns {
                        pid: pid.as_raw_nonzero().get(),
                    });
                }
                // There is no event to await for a process that is not our child.
                sleep(LOOK_AGAIN).await;
            }
            Ok(())
        }
        _ => fs::remove_file(&path).map_err(at(&path)),
    }
}

/// Removes the lock of the socket in `run` if no postmaster of ours holds it. PostgreSQL itself lets a stale one stand for as
/// long as any process has its number, also one that is dead and waits to be collected.
pub(super) fn unlock_socket(run: &Path, data: &Path) -> Result<(), PostgresError> {
    let path = run.join(SOCKET_LOCK);
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let pid = text
        .lines()
        .next()
        .and_then(|line| Pid::from_raw(line.trim().parse().ok()?));
    if pid.is_some_and(|pid| serves(pid, data)) {
        return Ok(());
    }
    fs::remove_file(&path).map_err(at(&path))
}

/// A postmaster's working directory is its data directory.
fn serves(pid: Pid, data: &Path) -> bool {
    let pid = pid.as_raw_nonzero();
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    let folder = fs::read_link(format!("/proc/{pid}/cwd"));
    program.is_ok_and(|program| program.file_name().is_some_and(|name| name == "postgres"))
        && folder.is_ok_and(|folder| folder == data)
}

fn alive(pid: Pid) -> bool {
    !matches!(test_kill_process(pid), Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_lock_of_a_process_that_is_no_postmaster_of_ours_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join(SOCKET_LOCK);
        // This process lives, and is no postmaster.
        fs::write(&lock, format!("{}\n{}\n", std::process::id(), dir.path().display())).unwrap();
        unlock_socket(dir.path(), dir.path()).unwrap();
        assert!(!lock.exists());
        unlock_socket(dir.path(), dir.path()).unwrap();
    }
}
