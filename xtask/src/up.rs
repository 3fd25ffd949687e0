//! `cargo xtask up`: from a bare machine to a running Holdfast, or from a built one in seconds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::build::{self, Profile};
use crate::image::{self, Images};
use crate::steps::step;
use crate::{docker, packages, paths, running, ui};

#[derive(Args)]
pub struct Options {
    /// Install what is missing without asking.
    #[arg(long)]
    yes: bool,
    /// Return when Holdfast is ready, and leave it running.
    #[arg(long)]
    detach: bool,
    /// Where Holdfast keeps its data. [default: /var/lib/holdfast for root, .holdfast in the repository otherwise]
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The port on localhost.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Connect a scripted model, to try Holdfast without a provider's key.
    #[arg(long)]
    demo: bool,
    /// Take the binaries of the debug profile, which tests have built already.
    #[arg(long)]
    debug: bool,
}

const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(options: &Options) -> Result<()> {
    let data_dir = paths::absolute(&options.data_dir.clone().unwrap_or_else(paths::default_data_dir));
    if let Some(server) = running::find(&data_dir) {
        eprintln!(
            "Holdfast already runs (process {}) with this data directory.",
            server.pid
        );
        greet(&data_dir, &server.url);
        return Ok(());
    }
    packages::ensure(packages::RUN, options.yes)?;
    docker::ensure_running()?;
    ui::build()?;
    let profile = Profile::of(options.debug);
    build::binaries(profile)?;
    let images = image::ensure(profile)?;

    fs::create_dir_all(&data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
    let mut server = start(options, &data_dir, &images)?;
    step("Starting Holdfast", |_| until_ready(&mut server, options, &data_dir))?;
    greet(&data_dir, &format!("http://localhost:{}", options.port));
    if options.detach {
        eprintln!("Stop it with: cargo xtask down --data-dir {}", data_dir.display());
        return Ok(());
    }
    eprintln!("Ctrl-C stops it; cells stay as they are.");
    let status = server.wait()?;
    if !status.success() {
        bail!("Holdfast ended with {status}.");
    }
    Ok(())
}

fn start(options: &Options, data_dir: &Path, images: &Images) -> Result<Child> {
    let binary = Profile::of(options.debug).binary("holdfast");
    let mut command = if options.detach {
        // A session of its own, so that closing this terminal does not end it.
        let mut setsid = Command::new("setsid");
        setsid.arg(&binary);
        setsid
    } else {
        Command::new(&binary)
    };
    command.arg("up").arg("--data-dir").arg(data_dir);
    command.arg("--port").arg(options.port.to_string());
    if options.demo {
        command.arg("--demo");
    }
    images.tell(&mut command);
    command.stdin(Stdio::null());
    if options.detach {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log_file(data_dir))
            .with_context(|| format!("cannot write {}", log_file(data_dir).display()))?;
        command.stdout(log.try_clone()?).stderr(log);
    }
    command
        .spawn()
        .with_context(|| format!("cannot run {}", binary.display()))
}

fn until_ready(server: &mut Child, options: &Options, data_dir: &Path) -> Result<()> {
    let started = Instant::now();
    loop {
        if let Some(status) = server.try_wait()? {
            if !options.detach {
                bail!("Holdfast did not start ({status}).");
            }
            let log = fs::read_to_string(log_file(data_dir)).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(5).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            bail!("Holdfast did not start ({status}):\n{}", last.join("\n"));
        }
        // Ours, not another server's that happens to answer on this port.
        if running::find(data_dir).is_some() && running::is_ready(options.port) {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            bail!(
                "Holdfast is not ready after {} s; see {}",
                PATIENCE.as_secs(),
                log_file(data_dir).display()
            );
        }
        sleep(Duration::from_millis(100));
    }
}

fn greet(data_dir: &Path, url: &str) {
    eprintln!("\nHoldfast is at {url}");
    if let Ok(setup) = fs::read_to_string(data_dir.join("setup-url")) {
        eprintln!(
            "Nobody owns it yet. This link makes you the owner, once:\n\n  {}\n",
            setup.trim()
        );
    }
}

fn log_file(data_dir: &Path) -> PathBuf {
    data_dir.join("holdfast.log")
}
