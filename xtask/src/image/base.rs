//! The base of the agent's image: a minimal system of the host's own suite, so that the keeper binary that was built
//! here finds the same libraries there, with the security updates of today.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::container::{self, Owner};
use super::hash::Inputs;
use super::{cache, trim};
use crate::{machine, process, steps::step};

/// What an agent's commands find.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    "curl",
    "git",
    "less",
    "procps",
    "python3",
    "xz-utils",
];
const RECIPE: &str = "base 1";

/// Assembles the base unless it is there, and names it.
pub fn ensure() -> Result<String> {
    let suite = suite()?;
    let tag = Inputs::new(RECIPE).text(&suite).text(&PACKAGES.join(",")).tag();
    let image = format!("holdfast/base:{tag}");
    if container::exists(&image) {
        return Ok(image);
    }
    step("Assembling the base of the agent's image", |step| {
        let root = cache().join("base.partial");
        remove(&root)?;
        let mut debootstrap = privileged("debootstrap");
        debootstrap
            .args(["--variant=minbase", &format!("--include={}", PACKAGES.join(","))])
            .arg(&suite)
            .arg(&root);
        if let Some(mirror) = uri(&suite) {
            debootstrap.arg(mirror);
        }
        let mut output = String::new();
        let done = process::watched(&mut debootstrap, |line| {
            step.detail(line.trim_start_matches("I: "));
            output.push_str(line);
            output.push('\n');
        })?;
        if !done {
            let lines: Vec<&str> = output.lines().collect();
            bail!(
                "debootstrap failed:\n{}",
                lines[lines.len().saturating_sub(15)..].join("\n")
            );
        }
        step.detail("security updates");
        update(&root, &suite)?;
        chroot(
            &root,
            &[
                "useradd",
                "--uid",
                "1000",
                "--create-home",
                "--home-dir",
                "/home/node",
                "--shell",
                "/bin/bash",
                "node",
            ],
        )?;
        trim::system(&root)?;
        step.detail("importing");
        container::import(&root, Owner::AsTheyAre, &image, &[])?;
        remove(&root)
    })?;
    Ok(image)
}

/// The host's release, by its code name.
fn suite() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .context("/etc/os-release names no VERSION_CODENAME: images are assembled on Debian and Ubuntu")
}

/// Where this machine's own packages of a suite come from; debootstrap knows a default where there is none.
fn uri(suite: &str) -> Option<String> {
    let list = process::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(RELEASE)",
        "Created-By: Packages",
        "Component: main",
    ]))?;
    list.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(uri, release)| *release == suite && uri.starts_with("http"))
        .map(|(uri, _)| uri.to_owned())
}

/// Brings security updates in, from where this machine gets its own.
fn update(root: &Path, suite: &str) -> Result<()> {
    let security = format!("{suite}-security");
    let Some(uri) = uri(&security) else {
        return Ok(());
    };
    let list = root.join("etc/apt/sources.list.d/security.list");
    write(&list, &format!("deb {uri} {security} main\n"))?;
    // The names of the mirrors are looked up as on this machine.
    write(
        &root.join("etc/resolv.conf"),
        &fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
    )?;
    chroot(root, &["apt-get", "-q", "update"])?;
    chroot(root, &["apt-get", "-q", "--yes", "--no-install-recommends", "upgrade"])?;
    write(&root.join("etc/resolv.conf"), "")
}

fn chroot(root: &Path, command: &[&str]) -> Result<()> {
    process::quiet(
        "the base of the images",
        privileged("chroot")
            .arg(root)
            .arg("/usr/bin/env")
            .args([
                "-i",
                "DEBIAN_FRONTEND=noninteractive",
                "LC_ALL=C",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            ])
            .args(command),
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    let mut tee = privileged("tee")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("cannot run tee")?;
    if let Some(mut input) = tee.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    if !tee.wait()?.success() {
        bail!("cannot write {}", path.display());
    }
    Ok(())
}

/// Removes a folder that root may have made. What is mounted in it is unmounted first: a debootstrap that was killed leaves `/proc` and `/sys`.
fn remove(folder: &Path) -> Result<()> {
    let mounts = fs::read("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    // The table names no links. In what is not there nothing is mounted.
    let real = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    for mount in mounted_in(&mounts, &real) {
        process::quiet("umount", privileged("umount").arg(mount))?;
    }
    process::quiet("rm", privileged("rm").args(["-rf", "--one-file-system"]).arg(folder))
}

/// What is mounted below a folder, by the lines of a mount table (proc_pid_mounts(5): the path is the second field, with spaces and the like in
/// octal), what was mounted last first.
fn mounted_in(mounts: &[u8], folder: &Path) -> Vec<PathBuf> {
    let paths = mounts
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(1));
    let paths = paths.map(|path| PathBuf::from(OsString::from_vec(unescaped(path))));
    let mut found: Vec<PathBuf> = paths
        .filter(|path| path.starts_with(folder) && path != folder)
        .collect();
    found.reverse();
    found
}

/// `\040` as the byte that it is.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = (byte == b'\\').then(|| after.get(..3)).flatten();
        let value = octal.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(value.unwrap_or(byte));
        rest = if value.is_some() { &after[3..] } else { after };
    }
    bytes
}

/// A command as root: as it is when we are, through sudo otherwise.
pub fn privileged(program: &str) -> Command {
    let found = machine::program(program).unwrap_or_else(|| program.into());
    if machine::is_root() {
        Command::new(found)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg(found);
        sudo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_in_a_folder_is_found_the_last_first() {
        let mounts = br"proc /proc proc rw 0 0
proc /cache/a\040b/base.partial/proc proc rw,nosuid 0 0
sysfs /cache/a\040b/base.partial/sys sysfs rw 0 0
tmpfs /cache/a\040b/base.partial/sys/back\134slash tmpfs rw 0 0
tmpfs /cache/a\040b/base.partial-2/proc tmpfs rw 0 0
tmpfs /cache/a\040b tmpfs rw 0 0
";
        let root = Path::new("/cache/a b/base.partial");
        let found = mounted_in(mounts, root);
        assert_eq!(found, [r"sys/back\slash", "sys", "proc"].map(|name| root.join(name)));
    }

    #[test]
    fn a_root_that_was_left_with_something_mounted_is_removed_and_what_is_mounted_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("base of an image");
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir_all(root.join("proc")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        fs::write(elsewhere.join("file"), "of somebody else").unwrap();
        let mut mount = privileged("mount");
        mount.arg("--bind").arg(&elsewhere).arg(root.join("proc"));
        assert!(mount.status().unwrap().success());
        assert!(root.join("proc/file").exists());
        remove(&root).unwrap();
        assert!(!root.exists());
        assert!(elsewhere.join("file").exists());
        remove(&root).unwrap();
    }
}
