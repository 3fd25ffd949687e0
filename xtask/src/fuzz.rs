//! `cargo xtask fuzz`: bent input for every parser, for as long as one likes. Coverage and libFuzzer come from the stable
//! compiler and one crate: neither a nightly toolchain nor cargo-fuzz is needed, but a C++ compiler is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::build::cargo;
use crate::{paths, process};

/// What makes a program tell libFuzzer where it has been.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

#[derive(Args)]
pub struct Options {
    /// One target; all of them, one after the other, without it.
    name: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 1)]
    minutes: u32,
    /// Only show the targets.
    #[arg(long)]
    list: bool,
}

pub fn run(options: &Options) -> Result<()> {
    let names = names()?;
    if options.list {
        println!("{}", names.join("\n"));
        return Ok(());
    }
    let chosen: Vec<&String> = names
        .iter()
        .filter(|name| options.name.as_ref().is_none_or(|wanted| wanted == *name))
        .collect();
    if chosen.is_empty() {
        bail!("There is no such target. There are: {}", names.join(", "));
    }
    let program = build()?;
    let mut broken = Vec::new();
    for name in chosen {
        if !one(&program, name, options.minutes)? {
            broken.push(name.as_str());
        }
    }
    if !broken.is_empty() {
        bail!(
            "Found something in: {}. The inputs are in {}. Mend it, then keep each input in fuzz/corpus/NAME/.",
            broken.join(", "),
            paths::cache().join("fuzz/found").display()
        );
    }
    Ok(())
}

/// The targets, as the list in `fuzz/src/` names them.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    let folder = paths::root().join("fuzz/src");
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let text = fs::read_to_string(entry?.path())?;
        names.extend(
            text.lines()
                .filter_map(|line| line.trim().strip_prefix("name: \"")?.strip_suffix("\","))
                .map(str::to_owned),
        );
    }
    names.sort();
    Ok(names)
}

fn build() -> Result<PathBuf> {
    let version = process::output(Command::new("rustc").arg("-vV")).context("cannot run rustc")?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc does not say for which machine it builds")?;
    // With a named target the flags are for the program alone, and not for what runs while it is built.
    let done = process::watched(
        cargo()
            .args([
                "build",
                "--locked",
                "--profile",
                "fuzz",
                "--package",
                "fuzz",
                "--features",
                "libfuzzer",
                "--target",
                host,
            ])
            .env("RUSTFLAGS", COVERAGE),
        |line| eprintln!("{line}"),
    )?;
    if !done {
        bail!("The fuzz targets could not be built: see above.");
    }
    Ok(paths::target().join(host).join("fuzz/fuzz"))
}

/// Runs one target; says whether it found nothing.
fn one(program: &Path, name: &str, minutes: u32) -> Result<bool> {
    let folder = |kind: &str| -> Result<PathBuf> {
        let folder = paths::cache().join("fuzz").join(kind).join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    };
    let (corpus, found) = (folder("corpus")?, folder("found")?);
    let kept = paths::root().join("fuzz/corpus").join(name);
    eprintln!("\n── {name}, {minutes} min");
    let mut command = Command::new(program);
    command
        .env("HOLDFAST_FUZZ_TARGET", name)
        .env("HOLDFAST_FUZZ_SEEDS", &corpus)
        .arg(format!("-max_total_time={}", u64::from(minutes) * 60))
        .args([
            "-max_len=16384",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
        ])
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(&corpus);
    if kept.is_dir() {
        command.arg(&kept);
    }
    process::watched(&mut command, |line| {
        let noise = line.starts_with('#') && !line.contains("DONE");
        if !noise && !line.starts_with("INFO:") {
            eprintln!("{line}");
        }
    })
}
