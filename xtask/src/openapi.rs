//! `cargo xtask openapi`: writes `docs/openapi.json` anew, after a change to a route or to a type of it.

use std::fs;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::build::cargo;
use crate::paths;

pub fn run() -> Result<()> {
    let file = paths::root().join("docs/openapi.json");
    // The server carries the document, so there must be one before there is a new one.
    if !file.exists() {
        fs::write(&file, "{}\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    let output = cargo()
        .args(["run", "--quiet", "--package", "management", "--example", "openapi"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("The document was not made: see above.");
    }
    fs::write(&file, &output.stdout).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}
