//! How large and how busy this machine is, from `/proc` and the file system of the data directory.

use std::fs;
use std::path::Path;

use management::machine::Host;

/// Time of all processors since the boot, in ticks: at work, and altogether.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    work: u64,
    all: u64,
}

/// The machine now; how busy it is needs a look before.
pub fn now(data_dir: &Path, before: Option<Busy>) -> (Host, Option<Busy>) {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = |name: &str| value(&memory, name).unwrap_or(0).saturating_mul(1024);
    let (total, available) = (kib("MemTotal:"), kib("MemAvailable:"));
    let busy = fs::read_to_string("/proc/stat").ok().and_then(|text| busy(&text));
    let disk = nix::sys::statvfs::statvfs(data_dir).ok();
    let bytes = |blocks: Option<u64>| blocks.unwrap_or(0);
    let host = Host {
        memory_bytes: total,
        memory_used_bytes: total.saturating_sub(available),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        cpu_percent: before.zip(busy).and_then(|(before, now)| between(before, now)),
        // Without what is held back for root, which neither is used nor can be: as `df` counts.
        disk_bytes: bytes(disk.map(|disk| {
            let used = disk.blocks().saturating_sub(disk.blocks_free());
            used.saturating_add(disk.blocks_available())
                .saturating_mul(disk.fragment_size())
        })),
        disk_free_bytes: bytes(disk.map(|disk| disk.blocks_available().saturating_mul(disk.fragment_size()))),
    };
    (host, busy)
}

fn value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
fn busy(text: &str) -> Option<Busy> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map_while(|word| word.parse().ok())
        .collect();
    let idle = ticks.get(3)?.saturating_add(*ticks.get(4)?);
    let all = ticks.iter().sum::<u64>();
    Some(Busy {
        work: all.saturating_sub(idle),
        all,
    })
}

/// In hundredths of all processors together.
fn between(before: Busy, now: Busy) -> Option<f64> {
    let all = now.all.checked_sub(before.all).filter(|ticks| *ticks > 0)?;
    let work = now.work.saturating_sub(before.work);
    // Ticks between two looks are few: both are exact as f64.
    #[allow(clippy::cast_precision_loss)]
    Some(work as f64 * 100.0 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_busy_it_was_is_what_passed_between_two_looks() {
        let one = busy("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4 5\n").unwrap();
        let two = busy("cpu  150 0 150 750 150 0 0 0 0 0\n").unwrap();
        assert_eq!(between(one, two), Some(50.0));
        assert_eq!(between(two, two), None);
        assert_eq!(between(two, one), None);
        assert!(busy("cpu 1 2\n").is_none() && busy("").is_none());
    }

    #[test]
    fn this_machine_has_memory_and_a_disk() {
        let (host, busy) = now(Path::new("/"), None);
        assert!(host.memory_bytes > host.memory_used_bytes && host.memory_used_bytes > 0);
        assert!(host.disk_bytes >= host.disk_free_bytes && host.processors > 0);
        assert!(host.cpu_percent.is_none() && busy.is_some());
    }
}
