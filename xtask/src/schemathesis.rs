//! Schemathesis, which the tests of the API's contract run: from PyPI, with everything that it needs in pinned versions, in a
//! Python environment of its own in the cache.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{paths, process, steps::step};

/// What is installed, by exact version.
const PINNED: &str = "tests/schemathesis.txt";

/// The environment variable by which tests learn where it is.
pub const VARIABLE: &str = "HOLDFAST_SCHEMATHESIS";

/// Finds it, installing it where it is not there as pinned.
pub fn ensure() -> Result<PathBuf> {
    let pinned = paths::root().join(PINNED);
    let wanted = fs::read_to_string(&pinned).with_context(|| format!("cannot read {}", pinned.display()))?;
    let dir = paths::cache().join("schemathesis");
    let program = dir.join("bin/schemathesis");
    // Written last: an environment without it was not finished.
    let mark = dir.join("installed.txt");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(program);
    }
    step("Installing schemathesis from PyPI", |_| {
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        process::quiet(
            "python3 -m venv",
            Command::new("python3").args(["-m", "venv"]).arg(&dir),
        )?;
        let mut pip = Command::new(dir.join("bin/pip"));
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--requirement",
        ]);
        process::quiet("pip install schemathesis", pip.arg(&pinned))
    })?;
    if process::output(Command::new(&program).arg("--version")).is_none() {
        bail!("{} was installed but does not run.", program.display());
    }
    fs::write(&mark, wanted).with_context(|| format!("cannot write {}", mark.display()))?;
    Ok(program)
}
