//! The two images, assembled without a registry of images: Debian's (or Ubuntu's) packages, npm's packages with the
//! integrity hashes of the lock file, and the keeper binary. Each layer is tagged by a hash of what it is made of, so
//! that a run with nothing to do takes milliseconds and an interrupted one goes on where it was.

mod agent;
mod bake;
mod base;
mod container;
mod hash;
mod keeper;
mod trim;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::build::Profile;
use crate::paths;

/// The references of the images that belong to one build of the keeper binary.
#[derive(Debug, Clone)]
pub struct Images {
    pub agent: String,
    pub keeper: String,
}

impl Images {
    /// Tells a server, or a test that starts one, to use these.
    pub fn tell(&self, command: &mut Command) {
        command.env("HOLDFAST_CELLS__AGENT_IMAGE", &self.agent);
        command.env("HOLDFAST_CELLS__KEEPER_IMAGE", &self.keeper);
    }
}

/// Makes what is missing of the images around the keeper binary of `profile`, which must have been built.
pub fn ensure(profile: Profile) -> Result<Images> {
    let _lock = lock()?;
    container::sweep();
    let binary = keeper::Binary::of(profile)?;
    let openclaw = agent::openclaw()?;
    let baked = bake::ensure(&openclaw)?;
    Ok(Images {
        agent: agent::with_keeper(&baked, &binary)?,
        keeper: keeper::image(&binary)?,
    })
}

/// What is kept between runs.
fn cache() -> PathBuf {
    paths::cache().join("image")
}

/// One assembly at a time; the lock goes away with the process.
fn lock() -> Result<File> {
    fs::create_dir_all(cache()).with_context(|| format!("cannot make {}", cache().display()))?;
    let path = cache().join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    file.lock().context("cannot lock the images' cache")?;
    Ok(file)
}
