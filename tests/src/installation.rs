//! A real Holdfast with data of its own, started for one test and gone after it.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::model::Model;
use crate::person::{self, Answer, Person};
use rustix::process::Signal;

use crate::process::{kill_now, serve, signal, wait_until, written};
use crate::{docker, outbox};

/// Free on every installation's own network.
const SEPARATE_MODEL_PORT: u16 = 11_812;
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(90);

/// How an installation is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    environment: Vec<(String, String)>,
    without_demo: bool,
}

impl Settings {
    /// Sets one setting of the configuration, such as `cells.pause_after`.
    #[must_use]
    pub fn set(self, name: &str, value: &str) -> Self {
        let name = format!("HOLDFAST_{}", name.replace('.', "__").to_uppercase());
        self.environment(&name, value)
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the server without a scripted model of its own; [`Installation::separate_model`] makes one.
    #[must_use]
    pub fn separate_model(mut self) -> Self {
        self.without_demo = true;
        let address = format!("[\"host.holdfast.internal:{SEPARATE_MODEL_PORT}\"]");
        self.set("cells.private_model_addresses", &address)
    }

    /// Names a PostgreSQL server instead of the embedded one.
    #[must_use]
    pub fn database(self, url: &str) -> Self {
        self.environment("DATABASE_URL", url)
    }

    /// Starts it.
    pub async fn start(self) -> Installation {
        Installation::start_with(self).await
    }
}

/// A running Holdfast. Its data directory, containers and volumes go when it is dropped.
pub struct Installation {
    dir: TempDir,
    port: u16,
    settings: Settings,
    server: Option<Child>,
}

impl Installation {
    /// Starts one with the scripted model and the default settings.
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    async fn start_with(settings: Settings) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("holdfast-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        let port = free_port();
        let mut installation = Self {
            dir,
            port,
            settings,
            server: None,
        };
        installation.run().await;
        installation
    }

    /// Starts the server again, on the same data and port.
    pub async fn run(&mut self) {
        let demo = (!self.settings.without_demo).then_some("--demo");
        let mut command = Command::new(binary());
        command
            .args(["up", "--data-dir"])
            .arg(self.data_dir())
            .args(demo)
            .args(["--port", &self.port.to_string()])
            .env_remove("DATABASE_URL")
            // What asks thousands of times a minute is measured and tried here, not refused.
            .env("HOLDFAST_LIMITS__REQUESTS_PER_PERSON", "1000000")
            .env("HOLDFAST_LIMITS__REQUESTS_PER_KEY", "1000000")
            .envs(self.settings.environment.iter().cloned());
        let (log, url) = (self.log_file(), self.url());
        serve(&mut command, &mut self.server, &log, &url, START).await;
    }

    /// Where people reach it.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The id on the labels of its containers.
    pub fn id(&self) -> String {
        let text = fs::read_to_string(self.data_dir().join("installation.json")).expect("the server made its identity");
        let value: Value = serde_json::from_str(&text).expect("the identity is JSON");
        value["id"].as_str().expect("the id is text").to_owned()
    }

    /// All that the server wrote so far.
    pub fn log(&self) -> String {
        written(&self.log_file())
    }

    fn log_file(&self) -> PathBuf {
        self.data_dir().join("holdfast.log")
    }

    /// The scripted model.
    pub fn model(&self) -> Model {
        Model::of(self.data_dir()).expect("the server was started with a scripted model")
    }

    /// A scripted model in a process of its own, for an installation that was started with [`Settings::separate_model`].
    pub async fn separate_model(&self) -> Model {
        let networks = docker::networks(&self.id());
        let network = networks.first().expect("the installation has a network");
        let gateway = docker::docker(&[
            "network",
            "inspect",
            "--format",
            "{{(index .IPAM.Config 0).Gateway}}",
            network,
        ]);
        Model::start(&format!("{gateway}:{SEPARATE_MODEL_PORT}")).await
    }

    /// The server's process.
    pub fn server_pid(&self) -> u32 {
        self.server.as_ref().expect("the server runs").id()
    }

    /// The postmaster of the embedded PostgreSQL, if it runs.
    pub fn postgres_pid(&self) -> Option<u32> {
        postmaster(self.data_dir())
    }

    /// A database of its own in this installation's PostgreSQL, as another installation would be given one.
    pub fn owner_database_url(&self) -> String {
        let socket = find_socket(&self.data_dir().join("postgres")).expect("PostgreSQL has a socket");
        let folder = socket.parent().expect("a socket is in a folder").display();
        let made = Command::new("createdb")
            .args(["--host", &folder.to_string(), "--username", "holdfast", "guest"])
            .output()
            .expect("createdb can be run");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        format!("postgresql:///guest?host={folder}&user=holdfast")
    }

    /// Kills the server where it stands, with SIGKILL.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.kill().expect("a child can be killed");
        server.wait().expect("a child can be waited for");
    }

    /// Stops the server and leaves its cells as they are.
    pub async fn stop(&mut self) {
        self.end(Signal::TERM).await;
    }

    /// Puts all cells to sleep and stops the server.
    pub async fn down(&mut self) {
        self.end(Signal::USR1).await;
    }

    async fn end(&mut self, how: Signal) {
        let mut server = self.server.take().expect("the server runs");
        signal(server.id(), how);
        let status = wait_until("the server stops", STOP, async || {
            server.try_wait().expect("a child can be asked")
        })
        .await;
        assert!(status.success(), "the server ended with {status}:\n{}", self.log());
    }

    /// Makes the first organisation and its owner, by the setup link.
    pub async fn owner(&self) -> Person {
        let link = fs::read_to_string(self.data_dir().join("setup-url")).expect("nobody owns this installation yet");
        let body = json!({ "token": token(&link), "organisation": "Test", "name": "Olga Owner", "email": "owner@example.org" });
        let answer = self.post("/api/v1/setup", &body).await;
        Person::signed_in(&self.url(), answer)
    }

    /// Has the operator make another organisation, whose owner comes.
    pub async fn organisation(&self, name: &str, owner: &str, email: &str) -> Person {
        let shown = fs::read_to_string(self.data_dir().join("admin-token")).expect("the server made its token");
        let answer = self
            .post("/api/v1/operator/sign-in", &json!({ "token": shown.trim() }))
            .await;
        let cookie = |name| answer.cookie(name).expect("the operator is signed in");
        let cookies = format!("{}; {}", cookie("holdfast_operator"), cookie("holdfast_operator_csrf"));
        let wanted = json!({ "name": name, "email": email });
        let path = "/api/v1/operator/tenants";
        person::request(&self.url(), Method::POST, path, Some(&cookies), Some(&wanted))
            .await
            .ok();
        self.joins(owner, email).await
    }

    /// Has the owner invite someone, who accepts.
    pub async fn member(&self, owner: &Person, name: &str, email: &str) -> Person {
        let invitation = json!({ "email": email, "role": "member" });
        owner.post("/api/v1/invitations", &invitation).await.ok();
        self.joins(name, email).await
    }

    async fn joins(&self, name: &str, email: &str) -> Person {
        let link = self.mail(email, "join").await;
        let answer = self
            .post(
                "/api/v1/invitations/accept",
                &json!({ "token": token(&link), "name": name }),
            )
            .await;
        Person::signed_in(&self.url(), answer)
    }

    /// Signs in by a link in a mail, as on a new device.
    pub async fn sign_in(&self, email: &str) -> Person {
        // Links of earlier sign-ins work once: wait for one that is new.
        let before = outbox::newest_link(&self.outbox(), email, "sign-in");
        let browser = self.ask_for_link(email).await;
        let link = wait_until(
            "the mail with the sign-in link arrives",
            Duration::from_secs(15),
            async || outbox::newest_link(&self.outbox(), email, "sign-in").filter(|link| Some(link) != before.as_ref()),
        )
        .await;
        self.open_link(&browser, &link).await
    }

    /// Asks for a sign-in link, as on a new device: what marks the browser that asks.
    pub async fn ask_for_link(&self, email: &str) -> String {
        let asked = self.post("/api/v1/sign-in", &json!({ "email": email })).await;
        let browser = asked.cookie("holdfast_begun").expect("the browser that asks is marked");
        let browser = browser.to_owned();
        asked.ok();
        browser
    }

    /// Opens a sign-in link in the browser that asked for it.
    pub async fn open_link(&self, browser: &str, link: &str) -> Person {
        let (path, body) = ("/api/v1/sign-in/complete", json!({ "token": token(link) }));
        let answer = person::request(&self.url(), Method::POST, path, Some(browser), Some(&body)).await;
        Person::signed_in(&self.url(), answer)
    }

    /// A request without a session.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        person::request(&self.url(), Method::POST, path, None, Some(body)).await
    }

    /// A request without a session.
    pub async fn get(&self, path: &str) -> Answer {
        person::request(&self.url(), Method::GET, path, None, None).await
    }

    /// The newest link to a page in a mail to someone.
    pub async fn mail(&self, address: &str, page: &str) -> String {
        wait_until("the mail arrives", Duration::from_secs(15), async || {
            outbox::newest_link(&self.outbox(), address, page)
        })
        .await
    }

    /// The newest link that is there now.
    pub fn newest_link(&self, address: &str, page: &str) -> Option<String> {
        outbox::newest_link(&self.outbox(), address, page)
    }

    /// The newest mail to someone with this subject, once there is one.
    pub async fn letter(&self, address: &str, subject: &str) -> String {
        wait_until("the mail arrives", Duration::from_secs(90), async || {
            outbox::newest_letter(&self.outbox(), address, subject)
        })
        .await
    }

    fn outbox(&self) -> PathBuf {
        self.data_dir().join("outbox")
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "── the server's log\n{}",
                lines[lines.len().saturating_sub(60)..].join("\n")
            );
        }
        let installation = fs::read_to_string(self.data_dir().join("installation.json"))
            .ok()
            .and_then(|text| {
                serde_json::from_str::<Value>(&text).ok()?["id"]
                    .as_str()
                    .map(str::to_owned)
            });
        if std::thread::panicking()
            && let Some(installation) = &installation
        {
            for container in docker::containers(installation) {
                let output = Command::new("docker")
                    .args(["logs", "--tail", "40", &container])
                    .output();
                let text = output
                    .map(|output| [output.stdout, output.stderr].concat())
                    .unwrap_or_default();
                eprintln!(
                    "── the log of container {container:.12}\n{}",
                    String::from_utf8_lossy(&text)
                );
            }
        }
        // Without cells there is nothing to put to sleep; the server removes its network and rules and ends.
        if let Some(installation) = &installation {
            docker::remove_cells(installation);
        }
        if let Some(mut server) = self.server.take() {
            signal(server.id(), Signal::USR1);
            let started = std::time::Instant::now();
            while matches!(server.try_wait(), Ok(None)) && started.elapsed() < Duration::from_secs(30) {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        if let Some(postgres) = self.postgres_pid() {
            kill_now(postgres);
        }
        if let Some(installation) = &installation {
            docker::remove_all(installation);
        }
    }
}

/// The part of a link that only its receiver knows.
fn token(link: &str) -> &str {
    link.trim().split_once('#').map_or("", |(_, token)| token)
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port can be bound");
    listener.local_addr().expect("it has an address").port()
}

/// The server as `cargo xtask test` has built it, or the one that `cargo xtask bench` names.
pub fn binary() -> PathBuf {
    if let Some(named) = env::var_os("HOLDFAST_BINARY") {
        return PathBuf::from(named);
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    let binary = target.join("debug/holdfast");
    assert!(
        binary.is_file(),
        "{} is missing: run `cargo xtask test`",
        binary.display()
    );
    binary
}

/// The postmaster of the embedded PostgreSQL in a data directory, if it runs.
pub(crate) fn postmaster(data_dir: &Path) -> Option<u32> {
    let file = find_file(&data_dir.join("postgres"), "postmaster.pid")?;
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

fn find_socket(folder: &Path) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        let found = if path.is_dir() {
            find_socket(&path)
        } else {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(".s.PGSQL")
                .then_some(path)
        };
        if let Some(found) = found.filter(|path| path.extension().is_none_or(|extension| extension != "lock")) {
            return Some(found);
        }
    }
    None
}

fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find_file(&path, name) {
                return Some(found);
            }
        } else if entry.file_name() == name {
            return Some(path);
        }
    }
    None
}
