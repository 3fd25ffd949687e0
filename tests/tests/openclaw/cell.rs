//! One agent container, as the `docker` driver makes it, and the keeper's side of its sockets.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::http::HeaderValue;
use holdfast::dev_model;
use keeper::agent::{Agent, AgentPaths, StartWith};
use keeper::broker::ModelPublic;
use keeper::gateway::{Gateway, GatewayEvent, RunEventKind};
use keeper::vault_service::ModelKind;
use protocol::template::ToolsPolicy;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// Longer than the keeper waits for a start (its limit AGENT_START), so that its own error is seen.
const PATIENCE: Duration = Duration::from_secs(260);

/// An agent container with its keeper's sockets. All of it goes away when dropped.
pub struct Cell {
    pub agent: Agent,
    container: String,
    folder: tempfile::TempDir,
    model: JoinHandle<()>,
}

impl Cell {
    /// Makes the container and waits for its bridge. OpenClaw does not run yet.
    pub async fn new() -> Self {
        Self::asking(serve_model).await
    }

    /// One whose agent finds this on the broker's socket.
    pub async fn asking(serve: impl FnOnce(UnixListener) -> JoinHandle<()>) -> Self {
        let image = std::env::var("HOLDFAST_CELLS__AGENT_IMAGE").expect("cargo xtask test names the agent's image");
        let folder = tempfile::tempdir().expect("a folder");
        let (sockets, home) = (folder.path().join("sockets"), folder.path().join("home"));
        open_to_agent(folder.path(), &sockets, &home);
        let socket = sockets.join("broker.sock");
        let listener = UnixListener::bind(&socket).expect("the broker's socket");
        allow(&socket, 0o666);
        let model = serve(listener);
        let agent = Agent::listen(AgentPaths {
            sockets: sockets.clone(),
            home: home.clone(),
        })
        .expect("the bridge's socket");
        let container = format!("holdfast-test-openclaw-{}", uuid::Uuid::new_v4().simple());
        let seccomp = concat!(env!("CARGO_MANIFEST_DIR"), "/../images/agent/seccomp.json");
        docker(&[
            "run",
            "--detach",
            "--name",
            &container,
            "--hostname",
            "cell-test",
            "--network",
            "none",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--security-opt",
            &format!("seccomp={seccomp}"),
            "--pids-limit",
            "512",
            "--memory",
            "2048m",
            "--tmpfs",
            "/tmp:mode=1777",
            "--volume",
            &format!("{}:/run/holdfast:ro", sockets.display()),
            "--volume",
            &format!("{}:/home/node", home.display()),
            &image,
        ]);
        Self {
            agent,
            container,
            folder,
            model,
        }
    }

    /// Starts OpenClaw.
    pub async fn start(&self, kind: ModelKind) -> Gateway {
        let model = ModelPublic {
            kind,
            base_url: "unused".to_owned(),
            model: dev_model::MODEL.to_owned(),
        };
        self.start_with(&[model]).await
    }

    /// Starts OpenClaw with these models.
    pub async fn start_with(&self, models: &[ModelPublic]) -> Gateway {
        let token = secrecy::SecretString::from("t".repeat(43));
        let tools = &ToolsPolicy::default();
        let starting = self.agent.start(StartWith { models, tools }, token);
        let started = tokio::time::timeout(PATIENCE, starting).await.expect("in time");
        if let Err(error) = started {
            let output = self
                .agent
                .failure()
                .map(|failure| failure.last_output)
                .unwrap_or_default();
            panic!("{error}\n{output}\n{}", self.logs());
        }
        self.agent.gateway().expect("a connection")
    }

    /// A container that was running is as it was, but for its processes: as after a crash.
    pub fn kill(&self) {
        docker(&["kill", &self.container]);
    }

    pub fn start_container(&self) {
        docker(&["start", &self.container]);
    }

    /// Runs a command in the container, as the agent; its output.
    pub fn exec(&self, command: &str) -> String {
        docker(&["exec", &self.container, "sh", "-c", command])
    }

    pub fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }

    fn logs(&self) -> String {
        docker(&["logs", "--tail", "50", &self.container])
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.model.abort();
        let _ = Command::new("docker")
            .args(["rm", "--force", &self.container])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Sends a message and returns everything about its run, the end last.
pub async fn turn(gateway: &Gateway, session: &str, run: &str, message: &str) -> Vec<RunEventKind> {
    let mut events = gateway.events();
    gateway
        .chat_send(session, run, message)
        .await
        .expect("a message is taken");
    let mut seen = Vec::new();
    let whole = tokio::time::timeout(PATIENCE, async {
        loop {
            if let GatewayEvent::Run(event) = events.recv().await.expect("an event")
                && event.run_id == run
            {
                assert_eq!(event.session, session);
                let ends = matches!(
                    event.kind,
                    RunEventKind::Final { .. } | RunEventKind::Aborted { .. } | RunEventKind::Error { .. }
                );
                seen.push(event.kind);
                if ends {
                    return;
                }
            }
        }
    })
    .await;
    assert!(whole.is_ok(), "the run does not end: {seen:?}");
    seen
}

/// What a run said, put together from its deltas.
pub fn said(events: &[RunEventKind]) -> String {
    let mut text = String::new();
    for event in events {
        if let RunEventKind::Text { delta, replace } = event {
            if *replace {
                text.clear();
            }
            text.push_str(delta);
        }
    }
    text
}

/// The scripted model, and in front of it what the broker does: OpenClaw has no key.
fn serve_model(listener: UnixListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        let router = dev_model::router(dev_model::Options::default());
        let router = router.layer(axum::middleware::map_request(
            async |mut request: axum::extract::Request| {
                for (name, key) in [("authorization", "Bearer any"), ("x-api-key", "any")] {
                    request.headers_mut().insert(name, HeaderValue::from_static(key));
                }
                request
            },
        ));
        axum::serve(listener, router).await.expect("the model answers");
    })
}

fn open_to_agent(folder: &Path, sockets: &Path, home: &Path) {
    for path in [sockets, home] {
        std::fs::create_dir(path).expect("a folder");
    }
    for path in [folder, sockets] {
        allow(path, 0o755);
    }
    std::os::unix::fs::chown(home, Some(1000), Some(1000)).expect("the tests run as root");
}

fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("permissions");
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker runs");
    assert!(
        output.status.success(),
        "docker {}: {}",
        arguments[0],
        String::from_utf8_lossy(&output.stderr)
    );
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
