//! What an installation of packages that was interrupted left: unpacked, so that its programs are there, and not set up.

use std::collections::HashSet;
use std::process::Command;

use crate::process;

/// Packages that are not set up, of these and what they depend on; others are no concern of ours. None where there is no dpkg.
pub fn half_done(packages: &[&str]) -> Vec<String> {
    let mut query = Command::new("dpkg-query");
    let states = process::output(query.args(["--show", "--showformat", "${db:Status-Status} ${Package}\n"]));
    let half_done = not_set_up(&states.unwrap_or_default());
    if half_done.is_empty() {
        return half_done;
    }
    let mut depends = Command::new("apt-cache");
    depends.args(["depends", "--recurse", "--important"]);
    depends.args(packages.iter().filter(|name| is_known(name)));
    let ours = process::output(&mut depends).unwrap_or_default();
    let ours: HashSet<&str> = names(&ours).chain(packages.iter().copied()).collect();
    half_done
        .into_iter()
        .filter(|name| ours.contains(name.as_str()))
        .collect()
}

/// Whether the distribution has a package.
pub fn is_known(package: &str) -> bool {
    process::output(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
        .is_some_and(|text| !text.is_empty())
}

/// From lines of a state and a package's name.
fn not_set_up(states: &str) -> Vec<String> {
    let waits = |state: &str| !matches!(state, "installed" | "not-installed" | "config-files");
    let pairs = states.lines().filter_map(|line| line.split_once(' '));
    pairs
        .filter(|(state, _)| waits(state))
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// The packages that `apt-cache depends` speaks of: why stands indented below each.
fn names(depends: &str) -> impl Iterator<Item = &str> {
    depends.lines().filter(|line| !line.starts_with([' ', '<', '|']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dpkg_has_not_set_up_is_told_from_what_is_or_was_installed() {
        let states = "installed libc6\nunpacked docker.io\nhalf-configured postgresql-common\nconfig-files old\n\
                      not-installed never\nhalf-installed runc\ntriggers-awaited libc-bin\n";
        assert_eq!(
            not_set_up(states),
            ["docker.io", "postgresql-common", "runc", "libc-bin"]
        );
        assert!(not_set_up("").is_empty());
    }

    #[test]
    fn names_are_those_that_apt_speaks_of_not_the_reasons() {
        let depends = "docker.io\n  Depends: containerd\n |Depends: <virtual>\n    other\n<virtual>\ncontainerd\n";
        assert_eq!(names(depends).collect::<Vec<_>>(), ["docker.io", "containerd"]);
    }
}
