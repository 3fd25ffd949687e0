//! What this machine is and has, found by looking and never by asking for a version of a distribution.

use std::env;
use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether this process is root.
pub fn is_root() -> bool {
    // The owner of our own /proc entry is our effective user.
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// A program as root, with these variables.
pub fn as_root(program: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = if is_root() {
        Command::new(program)
    } else {
        let names: Vec<&str> = variables.iter().map(|(name, _)| *name).collect();
        let mut sudo = Command::new("sudo");
        if !names.is_empty() {
            sudo.arg(format!("--preserve-env={}", names.join(",")));
        }
        sudo.arg(program);
        sudo
    };
    command.envs(variables.iter().copied());
    command
}

/// Whether a person can answer a question.
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Finds a program in PATH or in the folders of system administration, which PATH may lack.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Whether systemd runs this machine, so that services are started through it.
pub fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether the binaries of some version of the PostgreSQL server are installed.
pub fn has_postgres() -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else {
        return false;
    };
    versions
        .flatten()
        .any(|version| version.path().join("bin/postgres").is_file())
}
