//! `cargo xtask up` and `down` as an operator runs them, on real data directories, ports and Docker. The binaries and images of the
//! debug profile are there already when `cargo xtask test` comes to this.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

#[test]
fn up_is_ready_when_it_returns_is_found_by_the_next_and_ends_with_down() {
    let mut here = Installation::new();
    let beside = Agent::of_another_installation();
    let first = here.up(&["--yes", "--detach"]);
    assert!(first.status.success(), "{}", said(&first));
    assert!(here.is_ready(), "--detach returns when it is ready");
    assert!(beside.runs(), "what runs beside it goes on");
    // What was done, with its time; and the way in, once.
    assert!(said(&first).contains("✓ Starting Holdfast"), "{}", said(&first));
    let file = here.dir.path().join("setup-url");
    let link = std::fs::read_to_string(&file).unwrap();
    assert!(link.starts_with(&format!("http://localhost:{}/", here.port)), "{link}");
    assert!(said(&first).contains(link.trim()), "{}", said(&first));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let id = here.id();

    let second = here.up(&["--detach"]);
    assert!(second.status.success(), "{}", said(&second));
    assert!(said(&second).contains("already runs"), "{}", said(&second));
    assert!(said(&second).contains(link.trim()), "{}", said(&second));
    assert!(!said(&second).contains('✓'), "nothing is done again: {}", said(&second));

    // It runs, and its database stands still: that is not a start which goes on.
    let still = here.database_stands_still();
    let waited = here.up(&["--detach"]);
    drop(still);
    assert!(!waited.status.success());
    let sentence = "runs and cannot serve, because its database does not answer";
    assert!(said(&waited).contains(sentence), "{}", said(&waited));
    assert!(here.up(&["--detach"]).status.success(), "it serves again");

    // Another one on the same port: a sentence that says what to do, and the first goes on.
    let other = Installation {
        dir: tempfile::tempdir().unwrap(),
        port: here.port,
    };
    let refused = other.up(&["--yes", "--detach"]);
    assert!(!refused.status.success());
    let sentence = format!("Port {} on 127.0.0.1 is taken", here.port);
    assert!(said(&refused).contains(&sentence), "{}", said(&refused));
    assert!(said(&refused).contains("--port"), "{}", said(&refused));
    assert!(here.is_ready());

    let down = here.down();
    assert!(down.status.success(), "{}", said(&down));
    assert!(TcpStream::connect(("127.0.0.1", here.port)).is_err());
    let again = here.down();
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("No Holdfast runs"), "{}", said(&again));

    // What it knew is there again, at the port that the operator has set by now.
    here.port = Installation::new().port;
    let settings = format!("[server]\nport = {}\n", here.port);
    std::fs::write(here.dir.path().join("holdfast.toml"), settings).unwrap();
    let back = here.command("up", &["--debug", "--yes", "--detach"]).output().unwrap();
    assert!(back.status.success(), "{}", said(&back));
    let place = format!("Holdfast is at http://localhost:{}", here.port);
    assert!(said(&back).contains(&place), "{}", said(&back));
    assert!(here.is_ready());
    assert_eq!(here.id(), id);
}

#[test]
fn what_is_interrupted_while_it_starts_goes_on_at_the_next_run() {
    let here = Installation::new();
    assert!(!here.interrupted(&[], |_| {}).success());

    let next = here.up(&["--yes", "--detach"]);
    assert!(next.status.success(), "{}", said(&next));
    assert!(here.is_ready());
}

#[test]
fn what_starts_by_itself_when_it_is_interrupted_is_found_by_the_next_run() {
    let here = Installation::new();
    let lock = here.dir.path().join("lock");
    let status = here.interrupted(&["--detach"], |up| {
        // Until the server has the data directory: it is in a session of its own, which the interrupt does not reach.
        while !std::fs::read_to_string(&lock).is_ok_and(|text| text.ends_with('\n')) {
            assert!(up.try_wait().unwrap().is_none(), "it ended before it was interrupted");
            std::thread::yield_now();
        }
    });
    assert!(!status.success());

    let next = here.up(&["--yes", "--detach"]);
    assert!(next.status.success(), "{}", said(&next));
    assert!(said(&next).contains("already runs"), "{}", said(&next));
    assert!(here.is_ready());
}

#[test]
fn what_is_missing_is_listed_and_nothing_is_installed_without_an_answer() {
    let here = Installation::new();
    // A machine that has apt-get and nothing else of what is needed.
    let programs = tempfile::tempdir().unwrap();
    symlink("/bin/false", programs.path().join("apt-get")).unwrap();
    let mut up = here.command("up", &["--detach", "--debug", "--port", &here.port.to_string()]);
    let refused = up.env("PATH", programs.path()).output().unwrap();
    assert!(!refused.status.success());
    for words in [
        "Missing on this machine:",
        "C compiler",
        "Docker Engine",
        "(from docker.io",
        "run this again with --yes",
    ] {
        assert!(said(&refused).contains(words), "{words}: {}", said(&refused));
    }
    assert!(!here.dir.path().join("installation.json").exists(), "nothing was begun");

    let mut up = here.command(
        "up",
        &["--yes", "--detach", "--debug", "--port", &here.port.to_string()],
    );
    let failed = up.env("PATH", programs.path()).output().unwrap();
    assert!(!failed.status.success());
    assert!(said(&failed).contains("apt-get update failed"), "{}", said(&failed));
}

/// A data directory and a port of its own; what runs there ends when it is dropped.
struct Installation {
    dir: TempDir,
    port: u16,
}

impl Installation {
    fn new() -> Self {
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("there are free ports");
        Self {
            dir: tempfile::tempdir().expect("a temporary folder can be made"),
            port: free.local_addr().expect("it is bound").port(),
        }
    }

    fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg(verb).arg("--data-dir").arg(self.dir.path()).args(arguments);
        command.env_remove("DATABASE_URL").stdin(Stdio::null());
        command
    }

    fn up(&self, arguments: &[&str]) -> Output {
        let mut up = self.command("up", &["--debug", "--port", &self.port.to_string()]);
        up.args(arguments).output().expect("xtask can be run")
    }

    /// Begins `up` and interrupts it in its last step, once `until` has returned.
    fn interrupted(&self, arguments: &[&str], until: impl FnOnce(&mut Child)) -> ExitStatus {
        // A process group of its own, so that an interrupt reaches what it started too, as Ctrl-C does.
        let mut up = self
            .command("up", &["--yes", "--debug", "--port", &self.port.to_string()])
            .args(arguments)
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xtask can be run");
        let mut lines = BufReader::new(up.stderr.take().expect("it is piped")).lines();
        let starting = lines.any(|line| line.is_ok_and(|line| line.contains("Starting Holdfast")));
        assert!(starting, "it came to its last step");
        until(&mut up);
        kill_process_group(Pid::from_child(&up), Signal::INT).expect("it runs");
        // To its end: a full pipe would hold what still ends.
        lines.for_each(drop);
        up.wait().expect("it was started")
    }

    fn down(&self) -> Output {
        self.command("down", &[]).output().expect("xtask can be run")
    }

    fn is_ready(&self) -> bool {
        self.ready().unwrap_or(false)
    }

    /// What it says itself: its port is open long before.
    fn ready(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    }

    fn id(&self) -> String {
        id(self.dir.path()).expect("it has a name")
    }

    /// Its PostgreSQL and all that serve connections of it, until this is dropped.
    fn database_stands_still(&self) -> Still {
        let file = self.dir.path().join("postgres/data/postmaster.pid");
        let text = std::fs::read_to_string(file).expect("PostgreSQL runs");
        let postmaster = text.lines().next().expect("it names a process");
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = std::fs::read_to_string(children).expect("it runs");
        let all: Vec<i32> = std::iter::once(postmaster)
            .chain(children.split_whitespace())
            .map(|pid| pid.parse().expect("a process id"))
            .collect();
        for pid in &all {
            send(*pid, Signal::STOP);
        }
        Still(all)
    }
}

/// A container of the agent's image, until it is dropped.
struct Agent(String);

impl Agent {
    fn of_another_installation() -> Self {
        let image = std::env::var("HOLDFAST_CELLS__AGENT_IMAGE").expect("cargo xtask test names the agent's image");
        let run = ["run", "--detach", "--rm", "--network", "none", &image, "sleep", "3600"];
        Self(docker(&run).expect("a container starts"))
    }

    fn runs(&self) -> bool {
        docker(&["inspect", "--format", "{{.State.Running}}", &self.0]).as_deref() == Some("true")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.0]);
    }
}

/// What docker says, unless it fails.
fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("docker can be run");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

struct Still(Vec<i32>);

impl Drop for Still {
    fn drop(&mut self) {
        for pid in &self.0 {
            send(*pid, Signal::CONT);
        }
    }
}

fn send(pid: i32, signal: Signal) {
    // One that served a connection may have ended meanwhile.
    let _ = kill_process(Pid::from_raw(pid).expect("it has an id"), signal);
}

impl Drop for Installation {
    fn drop(&mut self) {
        if self.dir.path().join("lock").exists() {
            let _ = self.down();
        }
    }
}

fn id(data_dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(data_dir.join("installation.json")).ok()?;
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(value.get("id")?.as_str()?.to_owned())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
