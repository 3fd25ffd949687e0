//! The Docker daemon: started where it does not run, through the service manager where there is one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::{machine, process, steps::step};

const LOG: &str = "/var/log/dockerd.log";
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns once the daemon answers.
pub fn ensure_running() -> Result<()> {
    if answers() {
        return Ok(());
    }
    step("Starting Docker", |_| {
        let mut daemon = None;
        if machine::has_systemd() {
            process::quiet(
                "systemctl start docker",
                machine::as_root("systemctl", &[]).args(["start", "docker"]),
            )?;
        } else {
            daemon = Some(start_in_background()?);
        }
        let started = Instant::now();
        while !answers() {
            let ended = match &mut daemon {
                Some(daemon) => daemon.try_wait().context("cannot see whether dockerd runs")?.is_some(),
                None => false,
            };
            if ended || started.elapsed() > PATIENCE {
                bail!("{}", reason());
            }
            sleep(Duration::from_millis(250));
        }
        Ok(())
    })
}

/// What `docker` prints, given these; `None` where the daemon refuses, or does not answer within [`PATIENCE`].
pub fn ask<S: AsRef<OsStr>>(arguments: &[S]) -> Option<String> {
    let mut docker = Command::new("timeout");
    docker.args(["--foreground", &PATIENCE.as_secs().to_string(), "docker"]);
    process::output(docker.args(arguments))
}

fn answers() -> bool {
    ask(&["version", "--format", "{{.Server.Version}}"]).is_some_and(|version| !version.is_empty())
}

/// Without a service manager: a daemon in a session of its own, which outlives this command.
fn start_in_background() -> Result<Child> {
    let log = File::create(LOG).with_context(|| format!("cannot write {LOG}: run this as root"))?;
    machine::as_root("setsid", &[])
        .arg(machine::program("dockerd").context("dockerd is not installed")?)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start dockerd")
}

fn reason() -> String {
    if machine::has_systemd() {
        "Docker does not answer: see `journalctl -u docker`, or add your user to the group docker.".to_owned()
    } else {
        let log = fs::read_to_string(LOG).unwrap_or_default();
        let last = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("nothing");
        format!("Docker does not answer. The last that it wrote in {LOG}: {last}")
    }
}
