//! Cargo builds of the binaries.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{paths, process, steps::step};

/// There is one in each cell, so its size counts: released, it has a profile of its own (`cell` in `Cargo.toml`).
pub const KEEPER: &str = "holdfast-keeper";

/// How the binaries are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Debug,
    Release,
}

impl Profile {
    /// The profile that `--debug` chooses.
    pub fn of(debug: bool) -> Self {
        if debug { Self::Debug } else { Self::Release }
    }

    /// Where cargo puts a binary of this profile.
    pub fn binary(self, name: &str) -> PathBuf {
        let folder = match self {
            Self::Debug => "debug",
            Self::Release if name == KEEPER => "cell",
            Self::Release => "release",
        };
        paths::target().join(folder).join(name)
    }
}

/// Builds `holdfast` and `holdfast-keeper`; for debugging together with all tests. By themselves they would be built a second time and
/// nearly all of their libraries too: the tests turn on a feature of `tokio`.
pub fn binaries(profile: Profile) -> Result<()> {
    match profile {
        Profile::Debug => built(
            "Building the binaries and the tests (debug)",
            "test --locked --workspace --no-run",
        ),
        Profile::Release => {
            built(
                "Building the server",
                "build --locked --release --package holdfast --bins",
            )?;
            built(
                "Building the keeper",
                "build --locked --profile cell --package keeper --bins",
            )
        }
    }
}

fn built(name: &str, arguments: &str) -> Result<()> {
    step(name, |step| {
        let mut output = Vec::new();
        let done = process::watched(cargo().args(arguments.split(' ')), |line| {
            if let Some(compiling) = line.trim_start().strip_prefix("Compiling ") {
                step.detail(compiling);
            }
            output.push(line.to_owned());
        })?;
        if !done {
            let end = output.len().saturating_sub(20);
            let errors = output.iter().position(|line| line.starts_with("error")).unwrap_or(end);
            anyhow::bail!("cargo build failed:\n{}", output[errors..].join("\n"));
        }
        Ok(())
    })
}

/// Cargo, in the repository.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::root());
    // Set for xtask itself by `cargo run`. Passed on, they would rebuild what looks at them, and all that is made of it: ring, with the
    // server and the keeper, at each change between `cargo` and `cargo xtask`.
    let own = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|set| name.starts_with(set))
    });
    for (name, _) in own {
        command.env_remove(name);
    }
    command
}
