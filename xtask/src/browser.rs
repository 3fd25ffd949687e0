//! Browser tests: Playwright in the distribution's Chromium against real Holdfasts with data of their own.

use std::env;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::build::Profile;
use crate::image::Images;
use crate::suites::{Counts, Tally};
use crate::test::literally;
use crate::{down, machine, node::Node, running, ui};

const PATIENCE: Duration = Duration::from_secs(120);

/// Browsers at once, each with a server of its own: a page waits for its agent more than either works.
const WORKERS: usize = 2;

/// Whether the interface has browser tests.
pub fn exists() -> bool {
    ui::dir().join("e2e").is_dir()
}

/// Runs the browser tests, or those whose name contains `name`.
pub fn run(tally: &mut Tally, node: &Node, images: &Images, name: Option<&str>) -> Result<()> {
    let data_dirs: Vec<PathBuf> = (0..WORKERS)
        .map(|worker| env::temp_dir().join(format!("holdfast-browser-{}-{worker}", std::process::id())))
        .collect();
    let mut servers = Vec::new();
    let started = tally.check("Browser tests: servers", || {
        for data_dir in &data_dirs {
            servers.push(Server::start(data_dir, images)?);
        }
        Ok(())
    });
    if started {
        let mut playwright = node.command("npm");
        playwright.args(["run", "--silent", "e2e"]).current_dir(ui::dir());
        let places: Vec<Value> = servers.iter().map(Server::place).collect();
        playwright
            .env("HOLDFAST_PLACES", Value::from(places).to_string())
            .env("CI", "true");
        if let Some(chromium) = machine::program("chromium") {
            playwright.env("CHROMIUM", chromium);
        }
        if let Some(name) = name {
            playwright.args(["--", "--pass-with-no-tests", "-g", &literally(name)]);
        }
        let result = tally.run("Browser tests", Counts::Playwright, &mut playwright);
        for server in servers {
            server.stop()?;
        }
        result?;
    }
    for data_dir in &data_dirs {
        if let Err(error) = fs::remove_dir_all(data_dir) {
            eprintln!("Cannot remove {}: {error}", data_dir.display());
        }
    }
    Ok(())
}

/// A server for the tests; ended with its cells also when a test run is broken off by an error.
struct Server {
    process: Child,
    data_dir: PathBuf,
    url: String,
    /// Where the tests may start a site to sign in with, or a receiver of alerts or of push messages.
    provider_port: u16,
}

impl Server {
    fn start(data_dir: &Path, images: &Images) -> Result<Self> {
        fs::create_dir_all(data_dir).with_context(|| format!("cannot make {}", data_dir.display()))?;
        // Free at this moment; a race with another program would show as a taken port.
        let listeners = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)));
        let [port, provider_port] = listeners.map(|listener| listener.and_then(|found| found.local_addr()));
        let (port, provider_port) = (port?.port(), provider_port?.port());
        let log = File::create(data_dir.join("holdfast.log"))?;
        let mut command = Command::new(Profile::Debug.binary("holdfast"));
        images.tell(&mut command);
        command.env(
            "HOLDFAST_SIGN_IN__PRIVATE_PROVIDER_ADDRESSES",
            format!("[\"127.0.0.1:{provider_port}\"]"),
        );
        command.env(
            "HOLDFAST_ALERTS__PRIVATE_ADDRESSES",
            format!("[\"127.0.0.1:{provider_port}\"]"),
        );
        command.env(
            "HOLDFAST_PUSH__PRIVATE_ADDRESSES",
            format!("[\"127.0.0.1:{provider_port}\"]"),
        );
        let process = command
            .args(["up", "--demo", "--data-dir"])
            .arg(data_dir)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start holdfast")?;
        let mut server = Self {
            process,
            data_dir: data_dir.to_owned(),
            url: format!("http://localhost:{port}"),
            provider_port,
        };
        let started = Instant::now();
        while !running::find(data_dir).is_some_and(|server| server.is_ready()) {
            let ended = server.process.try_wait()?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                let log = fs::read_to_string(data_dir.join("holdfast.log")).unwrap_or_default();
                bail!("The server for the browser tests did not start ({ended:?}):\n{log}");
            }
            sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// How the tests find it (`ui/e2e/place.ts`).
    fn place(&self) -> Value {
        json!({"url": self.url, "dataDir": self.data_dir, "providerPort": self.provider_port})
    }

    fn stop(mut self) -> Result<()> {
        down::stop(&self.data_dir, true)?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` the process is gone and this does nothing.
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = down::stop(&self.data_dir, true);
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}
