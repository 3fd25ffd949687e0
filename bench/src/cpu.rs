//! CPU time of processes, as the kernel counts it (`/proc/<pid>/stat`, in ticks of 10 ms).

use std::fs;
use std::path::Path;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(10);

/// A server and the PostgreSQL that it works with.
pub struct Processes {
    pub server: u32,
    pub postmaster: u32,
}

impl Processes {
    /// What they have used until now. PostgreSQL has a process for each connection, and some that end by themselves.
    pub fn used(&self) -> Duration {
        let children = format!("/proc/{0}/task/{0}/children", self.postmaster);
        let children = fs::read_to_string(children).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        let used: Duration = children.chain([self.postmaster, self.server]).map(of).sum();
        used + of_ended_children(self.postmaster)
    }
}

/// The first process of the cluster of an installation.
pub fn postmaster(data_dir: &Path) -> u32 {
    let file = data_dir.join("postgres/data/postmaster.pid");
    let text = fs::read_to_string(file).expect("PostgreSQL runs");
    let pid = text.lines().next().and_then(|line| line.trim().parse().ok());
    pid.expect("its file names it")
}

/// utime and stime (proc(5)), counted from the third field.
fn of(pid: u32) -> Duration {
    ticks(pid, 11)
}

/// cutime and cstime.
fn of_ended_children(pid: u32) -> Duration {
    ticks(pid, 13)
}

/// Two fields of a process, the first of them the one after so many.
fn ticks(pid: u32, after: usize) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(after).take(2);
    let ticks: u32 = fields.filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}
