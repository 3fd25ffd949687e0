//! `cargo xtask down`: puts the cells to sleep, stops the server, and removes containers that were left. Data stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::steps::step;
use crate::{paths, process, running};

#[derive(Args)]
pub struct Options {
    /// The data directory that `up` was given.
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(options: &Options) -> Result<()> {
    stop(&paths::absolute(
        &options.data_dir.clone().unwrap_or_else(paths::default_data_dir),
    ))
}

/// Stops the server of a data directory and everything it started.
pub fn stop(data_dir: &Path) -> Result<()> {
    let installation = installation(data_dir);
    match running::find(data_dir) {
        None => eprintln!("No Holdfast runs with the data directory {}.", data_dir.display()),
        Some(server) => step("Putting cells to sleep and stopping Holdfast", |_| {
            server.ask_to_stop()?;
            let started = Instant::now();
            while running::find(data_dir).is_some() {
                if started.elapsed() > PATIENCE {
                    bail!("Holdfast (process {}) does not stop; its log says why.", server.pid);
                }
                sleep(Duration::from_millis(100));
            }
            Ok(())
        })?,
    }
    match installation {
        Some(id) => remove_containers(&id),
        None => Ok(()),
    }
}

fn installation(data_dir: &Path) -> Option<String> {
    let text = fs::read_to_string(data_dir.join("installation.json")).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(value.get("id")?.as_str()?.to_owned())
}

/// Containers of this installation that are still there: their sealed homes and vaults are volumes and blobs, and stay.
fn remove_containers(installation: &str) -> Result<()> {
    let filter = format!("label=holdfast.installation={installation}");
    let Some(list) = process::output(Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &filter]))
    else {
        return Ok(());
    };
    let ids: Vec<&str> = list.lines().collect();
    if ids.is_empty() {
        return Ok(());
    }
    step("Removing the containers that were left", |_| {
        process::quiet("docker rm", Command::new("docker").args(["rm", "--force"]).args(&ids))
    })
}
