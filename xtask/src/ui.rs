//! The user interface: its packages installed once for a lock file, its output built once for its sources.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::node::{self, Node};
use crate::steps::step;
use crate::{paths, process};

/// Whether this tree has an interface to build.
pub fn exists() -> bool {
    dir().join("package.json").is_file()
}

pub fn dir() -> PathBuf {
    paths::root().join("ui")
}

/// Installs the interface's packages exactly as locked, once for a lock file.
pub fn install() -> Result<Node> {
    let node = node::ensure()?;
    let stamp = Stamp::new(
        dir().join("node_modules/.holdfast-stamp"),
        &[dir().join("package.json"), dir().join("package-lock.json")],
    )?;
    if !stamp.holds() {
        step("Installing the interface's packages", |_| {
            process::quiet(
                "npm ci",
                node.command("npm")
                    .args(["ci", "--no-audit", "--no-fund"])
                    .current_dir(dir()),
            )
        })?;
        stamp.set()?;
    }
    Ok(node)
}

/// Builds the interface into `ui/dist`, unless that is already what these sources give.
pub fn build() -> Result<()> {
    if !exists() {
        return Ok(());
    }
    let node = install()?;
    let stamp = Stamp::new(dir().join("dist/.holdfast-stamp"), &sources()?)?;
    if !stamp.holds() {
        step("Building the interface", |_| {
            process::quiet(
                "npm run build",
                node.command("npm").args(["run", "build"]).current_dir(dir()),
            )
        })?;
        stamp.set()?;
    }
    Ok(())
}

fn sources() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let skipped = ["node_modules", "dist", "test-results", "e2e"];
    walk(&dir(), &skipped, &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(dir: &Path, skipped: &[&str], files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        if skipped.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), skipped, files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Says whether something was made from exactly these files.
struct Stamp {
    file: PathBuf,
    hash: String,
}

impl Stamp {
    fn new(file: PathBuf, inputs: &[PathBuf]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for input in inputs {
            input.hash(&mut hasher);
            fs::read(input)
                .with_context(|| format!("cannot read {}", input.display()))?
                .hash(&mut hasher);
        }
        Ok(Self {
            file,
            hash: format!("{:016x}", hasher.finish()),
        })
    }

    fn holds(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.hash)
    }

    fn set(&self) -> Result<()> {
        fs::write(&self.file, &self.hash).with_context(|| format!("cannot write {}", self.file.display()))
    }
}
