//! Whether there is room for Holdfast: on the disk for what is built, and at the port where it will listen. Asked before minutes are built for.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::build::Profile;
use crate::{paths, settings};

/// What the first build leaves behind (binaries, the interface, the images and what they are assembled from), with room to work in.
const FIRST_BUILD_BYTES: u64 = 6 << 30;
/// What a build takes where most of it is there already.
const NEXT_BUILD_BYTES: u64 = 512 << 20;

/// Refuses where the disk of the build or of the data has too little space.
pub fn check_space(data_dir: &Path, profile: Profile) -> Result<()> {
    let needed = match profile.binary("holdfast").exists() {
        true => NEXT_BUILD_BYTES,
        false => FIRST_BUILD_BYTES,
    };
    has_space(&paths::target(), needed)?;
    has_space(data_dir, NEXT_BUILD_BYTES)
}

/// `place` need not be there yet.
fn has_space(place: &Path, needed: u64) -> Result<()> {
    let there = place.ancestors().find(|dir| dir.exists()).unwrap_or(place);
    let disk = rustix::fs::statvfs(there).with_context(|| format!("cannot look at the disk of {}", place.display()))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < needed {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        bail!(
            "The disk of {} has {:.1} GiB free, and {:.0} GiB are needed: free some, then run this again.",
            place.display(),
            gib(free),
            gib(needed)
        );
    }
    Ok(())
}

/// Refuses where something listens already at the port that Holdfast will take.
pub fn check_port(data_dir: &Path, port: Option<u16>) -> Result<()> {
    is_free(settings::listens(data_dir, port))
}

fn is_free(address: SocketAddr) -> Result<()> {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let (port, address) = (address.port(), address.ip());
            let holder = holder(port).map_or_else(String::new, |who| format!(" by {who}"));
            bail!("Port {port} on {address} is taken{holder}: stop what uses it, or choose another with --port.");
        }
        // What else is wrong with it, the server says.
        _ => Ok(()),
    }
}

/// The process that listens at this port, where we may know.
fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets: Vec<String> = tables.iter().flat_map(|table| listening(table, port)).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    // Not `self` and `thread-self`, which are links to our own.
    for process in processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit)) {
        let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let mut links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        if links.any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str())) {
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            let pid = process.file_name();
            return Some(format!("{} (process {})", name.trim(), pid.to_string_lossy()));
        }
    }
    None
}

/// The sockets that listen at a port, as links in `/proc/<pid>/fd` name them.
fn listening(table: &str, port: u16) -> Vec<String> {
    /// The state LISTEN.
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect());
    rows.filter(|row: &Vec<&str>| row.get(1).is_some_and(|local| local.ends_with(&port)) && row.get(3) == Some(&LISTEN))
        .filter_map(|row| Some(format!("socket:[{}]", row.get(9)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_refused_with_who_holds_it_and_what_to_do() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = taken.local_addr().unwrap();
        let said = is_free(address).unwrap_err().to_string();
        let us = format!("(process {})", std::process::id());
        assert!(said.contains(&us) && said.contains("--port"), "{said}");
        assert!(said.contains(&format!("Port {}", address.port())), "{said}");
        drop(taken);
        is_free(address).unwrap();
    }

    #[test]
    fn a_disk_without_space_is_refused_with_what_is_needed() {
        let dir = tempfile::tempdir().unwrap();
        let not_there = dir.path().join("not/there/yet");
        has_space(&not_there, 1).unwrap();
        let said = has_space(&not_there, 1 << 60).unwrap_err().to_string();
        assert!(said.contains("1073741824 GiB are needed"), "{said}");
        assert!(said.contains("not/there/yet"), "{said}");
    }
}
