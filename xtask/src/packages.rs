//! What Holdfast needs of the machine: found by looking, listed, asked about, and installed from the distribution.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{dpkg, machine, node, process, settings, steps::step};

/// One thing that the machine must have.
#[derive(Clone, Copy)]
pub struct Need {
    name: &'static str,
    why: &'static str,
    packages: &'static [&'static str],
    present: fn() -> bool,
}

const COMPILER: Need = Need {
    name: "C compiler",
    why: "links the binaries",
    packages: &["build-essential"],
    present: || machine::program("cc").is_some(),
};
const CERTIFICATES: Need = Need {
    name: "CA certificates",
    why: "downloads over TLS",
    packages: &["ca-certificates"],
    present: || Path::new("/etc/ssl/certs/ca-certificates.crt").is_file(),
};
const NODE: Need = Need {
    name: "Node.js and npm",
    why: "build the interface and the agent's image",
    packages: &["nodejs", "npm"],
    present: node::npm_is_here,
};
const DOCKER: Need = Need {
    name: "Docker Engine",
    why: "runs the cells",
    packages: &["docker.io", "docker-cli"],
    present: || machine::program("docker").is_some() && machine::program("dockerd").is_some(),
};
const IPTABLES: Need = Need {
    name: "iptables",
    why: "keeps cells away from the host and from private networks",
    packages: &["iptables"],
    present: || machine::program("iptables").is_some(),
};
const POSTGRES: Need = Need {
    name: "PostgreSQL",
    why: "keeps accounts and metadata",
    packages: &["postgresql"],
    present: machine::has_postgres,
};
const DEBOOTSTRAP: Need = Need {
    name: "debootstrap",
    why: "assembles the base of the images",
    packages: &["debootstrap"],
    present: || machine::program("debootstrap").is_some(),
};
const CHROMIUM: Need = Need {
    name: "Chromium",
    why: "browser tests",
    packages: &["chromium"],
    present: || machine::program("chromium").is_some(),
};
const REDIS: Need = Need {
    name: "Redis",
    why: "tests limits that servers share",
    packages: &["redis-server"],
    present: || machine::program("redis-server").is_some(),
};
const STRACE: Need = Need {
    name: "strace",
    why: "tests what crosses the sockets",
    packages: &["strace"],
    present: || machine::program("strace").is_some(),
};

const BUSYBOX: Need = Need {
    name: "busybox",
    why: "is all that small test images hold",
    packages: &["busybox-static"],
    present: || machine::program("busybox").is_some(),
};

const PYTHON: Need = Need {
    name: "Python 3",
    why: "runs schemathesis, which tests the API against its document",
    packages: &["python3", "python3-venv"],
    present: || process::output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_some(),
};

/// For building the interface.
pub const UI: &[Need] = &[CERTIFICATES, NODE];
/// For running Holdfast.
pub const RUN: &[Need] = &[COMPILER, CERTIFICATES, NODE, DOCKER, IPTABLES, POSTGRES, DEBOOTSTRAP];
/// For all tests.
pub const TEST: &[Need] = &[
    COMPILER,
    CERTIFICATES,
    NODE,
    DOCKER,
    IPTABLES,
    POSTGRES,
    DEBOOTSTRAP,
    CHROMIUM,
    STRACE,
    REDIS,
    BUSYBOX,
    PYTHON,
];

/// For running Holdfast on a data directory: without PostgreSQL where the configuration names another.
pub fn run(data_dir: &Path) -> Vec<Need> {
    let named = settings::name_a_database(data_dir);
    let needs = RUN.iter().copied();
    needs.filter(|need| !named || need.name != POSTGRES.name).collect()
}

/// Installs what is missing, after asking. What an installation that was interrupted left is set up first.
pub fn ensure(needs: &[Need], yes: bool) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    let half_done = half_done(needs);
    if missing.is_empty() && half_done.is_empty() {
        return Ok(());
    }
    if !missing.is_empty() {
        eprintln!("Missing on this machine:");
    }
    for need in &missing {
        eprintln!("  {:<18} {} (from {})", need.name, need.why, need.packages.join(", "));
    }
    if !half_done.is_empty() {
        eprintln!(
            "Unpacked but not set up, by an installation that was interrupted:\n  {}",
            half_done.join(", ")
        );
    }
    if machine::program("apt-get").is_none() {
        bail!("This machine has no apt-get: install the above by hand and run this again.");
    }
    if !yes && !confirmed()? {
        bail!("Nothing was installed. Install the above by hand, or run this again with --yes.");
    }
    if !half_done.is_empty() {
        finish(needs, &half_done)?;
    }
    install(&missing)
}

/// Installs the packages of what is missing.
fn install(missing: &[&Need]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let wanted: BTreeSet<&str> = missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
    step("Reading the distribution's package lists", |_| {
        process::quiet("apt-get update", apt().arg("update"))
    })?;
    // Some distributions split a package that others ship whole: ask only for those that exist here.
    let known: Vec<&str> = wanted.into_iter().filter(|name| dpkg::is_known(name)).collect();
    if known.contains(&"postgresql") {
        without_a_cluster_of_the_system()?;
    }
    step(&format!("Installing {}", known.join(", ")), |_| {
        process::quiet(
            "apt-get install",
            apt().args(["install", "--yes", "--no-install-recommends"]).args(&known),
        )
    })?;
    let still: Vec<&str> = missing
        .iter()
        .filter(|need| !(need.present)())
        .map(|need| need.name)
        .collect();
    if !still.is_empty() {
        bail!(
            "The distribution's packages did not bring {}: install it by hand and run this again.",
            still.join(", ")
        );
    }
    Ok(())
}

fn half_done(needs: &[Need]) -> Vec<String> {
    let packages: Vec<&str> = needs.iter().flat_map(|need| need.packages.iter().copied()).collect();
    dpkg::half_done(&packages)
}

/// Sets up what is unpacked.
fn finish(needs: &[Need], begun: &[String]) -> Result<()> {
    if begun.iter().any(|name| name.starts_with("postgresql")) {
        without_a_cluster_of_the_system()?;
    }
    step("Setting up what an interrupted installation left", |_| {
        // apt-get does nothing before dpkg's own journal is done with. What dpkg cannot set up for want of another package, apt-get fetches.
        let set_up = || -> Result<Result<()>> {
            let set_up = process::quiet("dpkg --configure -a", as_root("dpkg").args(["--configure", "-a"]));
            process::quiet(
                "apt-get install --fix-broken",
                apt().args(["install", "--fix-broken", "--yes", "--no-install-recommends"]),
            )?;
            Ok(set_up)
        };
        // A dpkg that outlived what was killed has the lock, for which apt-get waits and dpkg does not: then both once more.
        let set_up = set_up().or_else(|_| set_up())?;
        match half_done(needs) {
            left if left.is_empty() => Ok(()),
            left => set_up.and_then(|()| {
                bail!(
                    "{} could not be set up: do it by hand and run this again.",
                    left.join(", ")
                )
            }),
        }
    })
}

/// The distribution's package would make and start a cluster of its own, which nobody here uses.
fn without_a_cluster_of_the_system() -> Result<()> {
    let file = Path::new("/etc/postgresql-common/createcluster.conf");
    if file.exists() {
        return Ok(());
    }
    let script = format!(
        "mkdir -p {} && echo 'create_main_cluster = false' > {}",
        file.parent().unwrap_or(Path::new("/")).display(),
        file.display()
    );
    process::quiet("postgresql-common settings", as_root("sh").args(["-c", &script]))
}

/// A program as root, which asks nothing.
fn as_root(program: &str) -> Command {
    machine::as_root(program, &[("DEBIAN_FRONTEND", "noninteractive")])
}

fn apt() -> Command {
    let mut command = as_root("apt-get");
    command.args(["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]);
    command
}

fn confirmed() -> Result<bool> {
    if !machine::has_terminal() {
        bail!("There is no terminal to ask on: run this again with --yes to install them.");
    }
    eprint!("Install them now? [Y/n] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgresql_is_not_asked_for_where_the_configuration_names_another() {
        let dir = tempfile::tempdir().unwrap();
        let asked_for = || run(dir.path()).iter().any(|need| need.name == POSTGRES.name);
        assert!(asked_for());
        std::fs::write(dir.path().join("holdfast.toml"), "[database]\nurl_file = \"/x\"\n").unwrap();
        assert!(!asked_for());
        assert_eq!(run(dir.path()).len(), RUN.len() - 1);
    }
}
