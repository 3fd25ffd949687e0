//! Resident memory, as the kernel counts it.

use std::fs;

use system_tests::docker::{Part, container, pid};
use system_tests::{Installation, Person};

use crate::report::Report;
use crate::wake::CELLS;

/// Memory of a process, in MB.
pub struct Memory {
    pub resident: f64,
    /// Of it, what is not shared with the file that it was started from.
    own: f64,
}

/// What a process has now; nothing of one that is gone.
pub fn of(pid: u32) -> Memory {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let mb = |name| field(name).unwrap_or(0) as f64 / 1024.0;
    Memory {
        resident: mb("VmRSS:"),
        own: mb("RssAnon:"),
    }
}

/// Resident memory of a process: all of it, and what is its own.
pub fn resident(pid: u32) -> String {
    let Memory { resident, own } = of(pid);
    format!("{resident:.1} MB ({own:.1} MB its own)")
}

/// A process's share of memory: what it has with others, the same program most of all, counts once for all of them.
fn share(pid: u32) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let share = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = share.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    format!("{:.1} MB", kib.unwrap_or(0) as f64 / 1024.0)
}

/// The two parts of a cell; OpenClaw is a child of the bridge.
pub fn of_cell(_installation: &Installation, person: &Person, report: &mut Report) {
    if let Some(keeper) = container(person.cell(), Part::Keeper) {
        report.row("keeper, resident, vault open, idle", &resident(pid(&keeper)), "≤ 8 MB");
        report.row(
            &format!("the same keeper's share, {CELLS} of them being there"),
            &share(pid(&keeper)),
            "",
        );
    }
    if let Some(agent) = container(person.cell(), Part::Agent) {
        report.row("bridge, resident", &resident(pid(&agent)), "");
        let openclaw = children(pid(&agent))
            .into_iter()
            .map(resident)
            .collect::<Vec<_>>()
            .join(", ");
        report.row("OpenClaw, resident", &openclaw, "");
    }
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
