//! `cargo xtask bench`: release binaries and their images, measured; the table is kept in `bench/results.md`.

use std::fs;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::build::{self, Profile, cargo};
use crate::{docker, figures, image, packages, paths, ui};

#[derive(Args)]
pub struct Options {
    /// Install what is missing without asking.
    #[arg(long)]
    yes: bool,
}

const INTRODUCTION: &str = "# Last results of `cargo xtask bench`\n\n\
    The real binary, Docker, PostgreSQL and OpenClaw with a scripted model, all on one machine. Compare rows of one run\n\
    with each other, not times of different machines.\n\n";

pub fn run(options: &Options) -> Result<()> {
    packages::ensure(packages::RUN, options.yes)?;
    docker::ensure_running()?;
    ui::build()?;
    build::binaries(Profile::Release)?;
    let images = image::ensure(Profile::Release)?;
    let mut bench = cargo();
    bench.args([
        "run",
        "--quiet",
        "--locked",
        // The client, too, is a part of what is measured.
        "--release",
        "--package",
        "bench",
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
    let table = String::from_utf8_lossy(&output.stdout);
    let table = format!("{}\n{}", table.trim_end(), figures::measure()?);
    println!("{table}");
    let file = paths::root().join("bench/results.md");
    fs::write(&file, format!("{INTRODUCTION}{table}")).with_context(|| format!("cannot write {}", file.display()))
}
