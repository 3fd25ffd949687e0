//! `cargo xtask test`: everything that must hold, on this machine, or what matches a name.

use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::build::{self, Profile, cargo};
use crate::image::{self, Images};
use crate::suites::{Counts, Tally};
use crate::{browser, docker, machine, packages, process, ui};

/// Why a test is left out of a full run. It runs when it is named (`cargo xtask test promise_05`), and a full run says that it
/// was left out, and why. These lists must become empty.
pub const FAILED: &str = "it FAILED when it last ran; run it by name";
pub const UNSEEN: &str = "not yet seen green since what it tests was last changed; run it by name";

const LEFT_OUT: [(&str, &str); 13] = [
    (
        "answers_are_stopped_edited_given_again_and_conversations_deleted_for_good",
        FAILED,
    ),
    ("a_conversation_streams_runs_a_tool_is_rewound_and_stopped", FAILED),
    (
        "promise_05_a_kill_of_the_agent_in_a_turn_is_told_and_loses_no_saved_turn",
        FAILED,
    ),
    (
        "promise_05_a_turn_goes_on_while_the_server_is_killed_and_started_again",
        FAILED,
    ),
    (
        "promise_05_a_kill_of_the_keeper_loses_no_saved_turn_and_no_accepted_message",
        UNSEEN,
    ),
    (
        "promise_05_everything_killed_at_once_right_after_saved_keeps_what_was_saved",
        UNSEEN,
    ),
    ("promise_05_a_kill_of_postgres_does_not_touch_a_conversation", UNSEEN),
    (
        "promise_06_an_idle_cell_pauses_then_sleeps_and_the_conversation_goes_on_after_each",
        UNSEEN,
    ),
    ("promise_06_a_cell_with_a_running_turn_is_not_paused", UNSEEN),
    (
        "promise_06_the_server_goes_down_with_all_cells_asleep_and_they_come_back",
        UNSEEN,
    ),
    (
        "promise_04_a_program_in_the_agents_container_reaches_no_network_no_key_and_no_vault_file",
        UNSEEN,
    ),
    ("what_one_installation_does_leaves_the_cells_of_another_alone", UNSEEN),
    (
        "promise_05_openclaw_does_not_take_up_by_itself_what_a_crash_interrupted",
        UNSEEN,
    ),
];

#[derive(Args)]
pub struct Options {
    /// Run only the tests whose name contains this.
    name: Option<String>,
    /// Install what is missing without asking.
    #[arg(long)]
    yes: bool,
}

pub fn run(options: &Options) -> Result<()> {
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
    rust_tests(&mut tally, &images, name)?;
    if ui::exists() {
        interface(&mut tally, &images, name)?;
    }
    if !tally.close() {
        bail!("Something failed: see above.");
    }
    Ok(())
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
    if has_cargo("deny") {
        tally.run(
            "Dependencies (cargo-deny)",
            Counts::One,
            cargo().args([
                "deny",
                "--offline",
                "--log-level",
                "error",
                "check",
                "bans",
                "licenses",
                "sources",
            ]),
        )?;
    } else {
        tally.skip("Dependencies (cargo-deny)", "cargo-deny is not installed");
    }
    Ok(())
}

fn rust_tests(tally: &mut Tally, images: &Images, name: Option<&str>) -> Result<()> {
    let (counts, arguments) = if has_cargo("nextest") {
        let arguments =
            "nextest run --locked --workspace --no-fail-fast --no-tests pass --show-progress none --status-level pass";
        (Counts::Nextest, arguments)
    } else {
        (Counts::CargoTest, "test --locked --workspace --no-fail-fast")
    };
    let mut command = cargo();
    command.env("RUST_BACKTRACE", "0");
    command.args(arguments.split(' ')).args(name);
    if name.is_none() {
        for (test, why) in LEFT_OUT {
            tally.skip(test, why);
        }
        tally.skip("Figures of sealing", "they need --release and a quiet machine; `cargo nextest run --release -p keeper --lib --run-ignored only speed`");
        leave_out(&mut command, matches!(counts, Counts::CargoTest));
    }
    images.tell(&mut command);
    tally.run("Rust tests", counts, &mut command)
}

/// Tells the runner which tests are not to be run.
fn leave_out(command: &mut Command, cargo_test: bool) {
    if cargo_test {
        command.arg("--");
        for (test, _) in LEFT_OUT {
            command.args(["--skip", test]);
        }
    } else {
        let tests: Vec<String> = LEFT_OUT.iter().map(|(test, _)| format!("test({test})")).collect();
        command.args(["-E", &format!("not ({})", tests.join(" | "))]);
    }
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
        unit.args(["--", "--passWithNoTests", "-t", name]);
    }
    tally.run("Interface: unit tests", Counts::Vitest, &mut unit)?;
    if browser::exists() {
        browser::run(tally, &node, images, name)?;
    }
    Ok(())
}

fn has_cargo(tool: &str) -> bool {
    process::output(Command::new("cargo").args([tool, "--version"])).is_some()
}
