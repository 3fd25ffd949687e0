//! `cargo xtask down`: puts the cells to sleep, stops the server, and removes containers that have ended. Data stays: a cell that still
//! runs could not be sealed, or its server ended before it was, and is left as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::steps::step;
use crate::{docker, paths, process, running};

#[derive(Args)]
pub struct Options {
    /// The data directory that `up` was given.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Remove cells that still run, too, and lose what their agents did since it was last sealed.
    #[arg(long)]
    discard: bool,
}

const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(options: &Options) -> Result<()> {
    let data_dir = paths::absolute(&options.data_dir.clone().unwrap_or_else(paths::default_data_dir));
    stop(&data_dir, options.discard)
}

/// Stops the server of a data directory and everything it started; with `discard` also cells that could not be sealed.
pub fn stop(data_dir: &Path, discard: bool) -> Result<()> {
    match running::find(data_dir) {
        None => eprintln!("No Holdfast runs with the data directory {}.", data_dir.display()),
        Some(server) => {
            if !server.has_started() {
                step("Letting Holdfast start, so that it finds its cells", |_| {
                    wait_while(|| running::find(data_dir).is_some_and(|now| !now.has_started()));
                    Ok(())
                })?;
            }
            step("Putting cells to sleep and stopping Holdfast", |_| end(data_dir))?;
        }
    }
    let Some(id) = installation(data_dir) else {
        return Ok(());
    };
    let running = containers(&id, &["running", "paused", "restarting"])?;
    remove(&containers(&id, &["created", "exited", "dead"])?)?;
    if discard {
        return remove(&running);
    }
    if !running.is_empty() {
        bail!(
            "{} containers of cells still run: what their agents did last is not sealed yet. Run `cargo xtask up`, which finds them, and \
             then `cargo xtask down` again; the server's log says why a cell could not be put to sleep. `cargo xtask down --discard` \
             removes them and loses it.",
            running.len()
        );
    }
    Ok(())
}

/// Asks the server to stop and waits until it has; one whose start took too long ends it.
fn end(data_dir: &Path) -> Result<()> {
    let Some(server) = running::find(data_dir) else {
        return Ok(());
    };
    server.ask_to_stop()?;
    if !wait_while(|| running::find(data_dir).is_some_and(|now| now.pid == server.pid)) {
        bail!("Holdfast (process {}) does not stop; its log says why.", server.pid);
    }
    Ok(())
}

/// Waits while something is so; false when [`PATIENCE`] has passed and it still is.
fn wait_while(is_so: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    while is_so() {
        if started.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(100));
    }
    true
}

fn installation(data_dir: &Path) -> Option<String> {
    let text = fs::read_to_string(data_dir.join("installation.json")).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(value.get("id")?.as_str()?.to_owned())
}

/// The containers of an installation in one of these states.
fn containers(installation: &str, states: &[&str]) -> Result<Vec<String>> {
    let mut arguments = vec!["ps".to_owned(), "--all".to_owned(), "--quiet".to_owned()];
    let label = format!("label=holdfast.installation={installation}");
    let filters = states.iter().map(|state| format!("status={state}")).chain([label]);
    arguments.extend(filters.map(|filter| format!("--filter={filter}")));
    let list = docker::ask(&arguments).context(
        "Docker does not answer, so nobody can say whether cells still run: start it (`cargo xtask up` does), and run this again.",
    )?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// Removes containers. The sealed homes and vaults of their cells are volumes and blobs, and stay.
fn remove(ids: &[String]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    step("Removing the containers that were left", |_| {
        process::quiet("docker rm", Command::new("docker").args(["rm", "--force"]).args(ids))
    })
}
