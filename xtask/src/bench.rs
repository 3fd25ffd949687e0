//! `cargo xtask bench`: release binaries and their images, measured; the tables are kept in `bench/results.md`, a section for each part.

use std::fs;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use crate::build::{self, Profile, cargo};
use crate::image::Images;
use crate::{docker, figures, image, packages, paths, ui};

#[derive(Args)]
pub struct Options {
    /// What to measure; all of it where nothing is named. What else was measured before stays as it is.
    parts: Vec<Part>,
    /// Install what is missing without asking.
    #[arg(long)]
    yes: bool,
}

/// What is measured in one run of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Requests to a server, beside the bare reference.
    ControlPlane,
    /// Waking, answering, sealing and resting.
    Cells,
    /// More than a server can serve.
    Overload,
    /// Vaults, homes, capabilities and the relay.
    Figures,
}

impl Part {
    const ALL: [Self; 4] = [Self::ControlPlane, Self::Cells, Self::Overload, Self::Figures];

    fn heading(self) -> &'static str {
        match self {
            Self::ControlPlane => "## Requests",
            Self::Cells => "## Cells",
            Self::Overload => "## Overload",
            Self::Figures => "## Vaults, homes, capabilities and the relay",
        }
    }
}

const INTRODUCTION: &str = "# Last results of `cargo xtask bench`\n\n\
    The real binary, Docker, PostgreSQL and OpenClaw with a scripted model, all on one machine. Compare rows of one section\n\
    with each other, not times of different machines. OCMT's rates are of a machine on which the bare \"who am I\" was answered\n\
    7,327 times a second: beside them, what a rate comes to at that pace.\n";

pub fn run(options: &Options) -> Result<()> {
    packages::ensure(packages::RUN, options.yes)?;
    docker::ensure_running()?;
    ui::build()?;
    build::binaries(Profile::Release)?;
    let images = image::ensure(Profile::Release)?;
    let parts = match options.parts.as_slice() {
        [] => &Part::ALL,
        parts => parts,
    };
    let file = paths::root().join("bench/results.md");
    for part in parts {
        let table = match part {
            Part::ControlPlane => measured("control-plane", &images)?,
            Part::Cells => measured("cells", &images)?,
            Part::Overload => measured("overload", &images)?,
            Part::Figures => format!(
                "{}\n\n| what | measured | target |\n|---|---|---|\n{}",
                measured("machine", &images)?.trim_end(),
                figures::measure()?
            ),
        };
        println!("{}\n\n{table}", part.heading());
        let before = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        fs::write(&file, with(&before, *part, &table)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// What the bench prints of one of its parts.
fn measured(part: &str, images: &Images) -> Result<String> {
    let mut bench = cargo();
    // The client, too, is a part of what is measured.
    bench.args([
        "run",
        "--quiet",
        "--locked",
        "--release",
        "--package",
        "bench",
        "--",
        part,
    ]);
    bench.env("HOLDFAST_BINARY", Profile::Release.binary("holdfast"));
    images.tell(&mut bench);
    let output = bench
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("The bench did not finish ({}).", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The results, with what was measured of one part now.
fn with(before: &str, part: Part, table: &str) -> String {
    let mut results = INTRODUCTION.to_owned();
    for each in Part::ALL {
        let heading = each.heading();
        let kept = || {
            let (_, rest) = before.split_once(&format!("{heading}\n"))?;
            Some(rest.split("\n## ").next().unwrap_or(rest))
        };
        if let Some(section) = (each == part).then_some(table).or_else(kept) {
            results += &format!("\n{heading}\n\n{}\n", section.trim());
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_now_stays() {
        let first = with("", Part::Overload, "old overload\n");
        let both = with(&first, Part::Cells, "cells");
        assert_eq!(
            both,
            format!("{INTRODUCTION}\n## Cells\n\ncells\n\n## Overload\n\nold overload\n")
        );
        let anew = with(&both, Part::Overload, "new overload");
        assert_eq!(anew, both.replace("old", "new"));
    }
}
