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
use crate::running::{self, Server};
use crate::steps::step;
use crate::{docker, packages, paths, room, ui};

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
    /// The port on localhost, instead of the configuration's. [default: 8080]
    #[arg(long)]
    port: Option<u16>,
    /// Connect a scripted model, to try Holdfast without a provider's key.
    #[arg(long)]
    demo: bool,
    /// Take the binaries of the debug profile, which tests have built already.
    #[arg(long)]
    debug: bool,
}

/// How long `--detach` and the next `up` wait for a server to be ready. With its log on the terminal, whoever looks decides.
const PATIENCE: Duration = Duration::from_secs(120);

/// The same for a server that has started and is not ready: its database may be back in a moment.
const PATIENCE_STARTED: Duration = Duration::from_secs(10);

pub fn run(options: &Options) -> Result<()> {
    let data_dir = paths::absolute(&options.data_dir.clone().unwrap_or_else(paths::default_data_dir));
    if let Some(server) = running::find(&data_dir) {
        return join(options, &data_dir, server);
    }
    room::check_port(&data_dir, options.port)?;
    room::check_space(&data_dir, Profile::of(options.debug))?;
    packages::ensure(&packages::run(&data_dir), options.yes)?;
    docker::ensure_running()?;
    ui::build()?;
    let profile = Profile::of(options.debug);
    build::binaries(profile)?;
    let images = image::ensure(profile)?;

    fs::create_dir_all(&data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
    let mut child = start(options, &data_dir, &images)?;
    let patience = options.detach.then_some(PATIENCE);
    let server = step("Starting Holdfast", |_| {
        until_ready(&data_dir, child.id(), patience, || match child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("Holdfast did not start ({status}){}", last_words(options, &data_dir)),
        })
    })?;
    greet(&data_dir, &server);
    if options.detach {
        eprintln!("Stop it with: cargo xtask down --data-dir {}", data_dir.display());
        return Ok(());
    }
    eprintln!("Ctrl-C stops it; cells stay as they are.");
    let status = child.wait()?;
    if !status.success() {
        bail!("Holdfast ended with {status}.");
    }
    Ok(())
}

/// A server is there: nothing is begun again, and it is waited for where it is not ready yet.
fn join(options: &Options, data_dir: &Path, mut server: Server) -> Result<()> {
    let pid = server.pid;
    eprintln!("Holdfast already runs (process {pid}) with this data directory.");
    if !server.is_ready() {
        server = step("Waiting until it is ready", |_| {
            until_ready(data_dir, pid, Some(PATIENCE), || {
                let there = running::find(data_dir).is_some_and(|now| now.pid == pid);
                let ended = || format!("Holdfast (process {pid}) ended before it was ready: run this again.");
                there.then_some(()).with_context(ended)
            })
        })?;
    }
    let mut without_effect = Vec::new();
    if let Some(port) = options
        .port
        .filter(|port| server.port().is_some_and(|its| its != *port))
    {
        without_effect.push(format!("--port {port}"));
    }
    if options.demo && !server.was_given("--demo") {
        without_effect.push("--demo".to_owned());
    }
    if !without_effect.is_empty() {
        eprintln!(
            "It goes on as it was started, without {}: for that, stop it first with `cargo xtask down --data-dir {}`.",
            without_effect.join(" and "),
            data_dir.display()
        );
    }
    greet(data_dir, &server);
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
    if let Some(port) = options.port {
        command.arg("--port").arg(port.to_string());
    }
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

/// Waits until the server with this process id is ready. `alive` says why it will never be.
fn until_ready(
    data_dir: &Path,
    pid: u32,
    patience: Option<Duration>,
    mut alive: impl FnMut() -> Result<()>,
) -> Result<Server> {
    let mut since = Instant::now();
    let mut has_started = false;
    loop {
        alive()?;
        // Ours, not another server's that happens to answer on this port.
        let server = running::find(data_dir).filter(|server| server.pid == pid);
        if !has_started && server.as_ref().is_some_and(Server::has_started) {
            (has_started, since) = (true, Instant::now());
        }
        if let Some(server) = server.filter(Server::is_ready) {
            return Ok(server);
        }
        let patience = patience.map(|patience| if has_started { PATIENCE_STARTED } else { patience });
        if let Some(patience) = patience.filter(|patience| since.elapsed() > *patience) {
            let log = log_file(data_dir);
            let place = match log.exists() {
                true => format!(" ({})", log.display()),
                false => String::new(),
            };
            let state = match has_started {
                true => "runs and cannot serve, because its database does not answer: its log says why",
                false => "is not ready, and goes on starting: its log says with what",
            };
            bail!(
                "After {} s Holdfast (process {pid}) {state}{place}. Run this again to wait for it, or end it with `cargo xtask down \
                 --data-dir {}`.",
                patience.as_secs(),
                data_dir.display()
            );
        }
        sleep(Duration::from_millis(100));
    }
}

/// The end of the log that a server without a terminal wrote.
fn last_words(options: &Options, data_dir: &Path) -> String {
    if !options.detach {
        return ".".to_owned();
    }
    let log = fs::read_to_string(log_file(data_dir)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    format!(":\n{}", lines[lines.len().saturating_sub(5)..].join("\n"))
}

fn greet(data_dir: &Path, server: &Server) {
    eprintln!("\nHoldfast is at {}", server.url());
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
