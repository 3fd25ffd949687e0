//! The containers and volumes of one installation, by their labels.

use std::process::Command;

/// A part of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Keeper,
    Agent,
}

impl Part {
    fn label(self) -> &'static str {
        match self {
            Self::Keeper => "keeper",
            Self::Agent => "agent",
        }
    }
}

/// Runs docker; panics with what it said if it fails.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker can be run");
    assert!(
        output.status.success(),
        "docker {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// All containers of an installation, also stopped ones.
pub fn containers(installation: &str) -> Vec<String> {
    list(&["ps", "--all", "--quiet", "--no-trunc"], installation)
}

/// All volumes of an installation.
pub fn volumes(installation: &str) -> Vec<String> {
    list(&["volume", "ls", "--quiet"], installation)
}

/// All networks of an installation.
pub fn networks(installation: &str) -> Vec<String> {
    list(&["network", "ls", "--quiet"], installation)
}

/// The container that is one part of a cell, if it is there.
pub fn container(cell: &str, part: Part) -> Option<String> {
    let cell = format!("label=holdfast.cell={cell}");
    let part = format!("label=holdfast.part={}", part.label());
    let text = docker(&[
        "ps",
        "--all",
        "--quiet",
        "--no-trunc",
        "--filter",
        &cell,
        "--filter",
        &part,
    ]);
    text.lines().next().map(str::to_owned)
}

/// One field of `docker inspect`.
pub fn inspect(container: &str, format: &str) -> String {
    docker(&["inspect", "--format", format, container])
}

/// The first process of a container.
pub fn pid(container: &str) -> u32 {
    inspect(container, "{{.State.Pid}}")
        .parse()
        .expect("docker gives a number")
}

/// The first process of a part of a cell, if it runs.
pub fn process(cell: &str, part: Part) -> Option<u32> {
    let container = container(cell, part)?;
    // It may go between the two looks.
    let output = Command::new("docker")
        .args(["inspect", "--format", "{{.State.Pid}}", &container])
        .output()
        .expect("docker can be run");
    let process = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
    (process != 0).then_some(process)
}

/// Runs a program inside a container; whether it succeeded, and what it wrote to both streams.
pub fn exec(container: &str, args: &[&str]) -> (bool, String) {
    let output = Command::new("docker")
        .args(["exec", container])
        .args(args)
        .output()
        .expect("docker can be run");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// All that a container wrote to both streams.
pub fn logs(container: &str) -> String {
    let output = Command::new("docker")
        .args(["logs", container])
        .output()
        .expect("docker can be run");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Removes the cells of an installation.
pub(crate) fn remove_cells(installation: &str) {
    let containers = containers(installation);
    // As the platform does: Docker 20.10 does not always survive the end of several that are paused.
    remove(&["unpause"], &containers);
    remove(&["rm", "--force"], &containers);
    remove(&["volume", "rm", "--force"], &volumes(installation));
}

/// Removes what a server that was killed could not: its cells, its firewall rules and its network.
pub(crate) fn remove_all(installation: &str) {
    remove_cells(installation);
    let short = installation.rsplit('-').next().unwrap_or_default();
    for (chain, from) in [
        (format!("HF-{short}-IN"), "INPUT"),
        (format!("HF-{short}-FWD"), "DOCKER-USER"),
    ] {
        let iptables = |args: &[&str]| Command::new("iptables").arg("-w").args(args).output();
        let bridge = format!("hf-{short}");
        let _ = iptables(&["-D", from, "-i", &bridge, "-j", &chain]);
        let _ = iptables(&["-F", &chain]);
        let _ = iptables(&["-X", &chain]);
    }
    remove(&["network", "rm"], &networks(installation));
}

fn remove(command: &[&str], names: &[String]) {
    if !names.is_empty() {
        // What is gone already is no reason to fail a test that has passed.
        let _ = Command::new("docker").args(command).args(names).output();
    }
}

fn list(command: &[&str], installation: &str) -> Vec<String> {
    let filter = format!("label=holdfast.installation={installation}");
    let args: Vec<&str> = command.iter().copied().chain(["--filter", &filter]).collect();
    docker(&args).lines().map(str::to_owned).collect()
}
