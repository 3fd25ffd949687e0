//! What machine this was.

use std::fs;
use std::process::Command;

/// One paragraph: processor, cores, memory, kernel, Docker, and how busy it was.
pub fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or_default();
    format!(
        "{model}, {cores} cores, {} GiB, Linux {}, Docker {} (cgroup v{}). Load at the end: {load}.",
        memory / (1024 * 1024),
        said("uname", &["-r"]),
        said("docker", &["info", "--format", "{{.ServerVersion}}"]),
        said("docker", &["info", "--format", "{{.CgroupVersion}}"]),
    )
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
