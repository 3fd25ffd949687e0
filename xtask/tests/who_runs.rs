//! Whom `cargo xtask up` and `down` take for the server of a data directory, and what they do where they cannot know. Other programs stand
//! in the server's place: neither Docker nor a build is needed.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

/// A data directory, and a program that has its lock file open, as a server has.
struct Held {
    dir: TempDir,
    holder: Child,
}

impl Held {
    /// By a shell with this script.
    fn by(script: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(dir.path().join("lock"), "").expect("it can be written");
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(dir.path());
        let holder = shell
            .stdin(File::open(dir.path().join("lock")).expect("it is there"))
            .spawn();
        let held = Self {
            dir,
            holder: holder.expect("sh can be run"),
        };
        held.writes(&held.holder.id().to_string());
        held
    }

    /// More lines in its lock file.
    fn writes(&self, lines: &str) {
        let mut file = File::options()
            .append(true)
            .open(self.file("lock"))
            .expect("it can be done");
        file.write_all(format!("{lines}\n").as_bytes()).expect("it can be done");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn xtask(verb: &str, data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg(verb).arg("--data-dir").arg(data_dir).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs it, does something once it has said this, and waits for its end: whether it succeeded, and all that it said.
fn once_it_says(command: &mut Command, words: &str, then: impl FnOnce()) -> (bool, String) {
    let mut process = command.stderr(Stdio::piped()).spawn().expect("it can be done");
    let mut lines = BufReader::new(process.stderr.take().expect("it can be done"))
        .lines()
        .map_while(Result::ok);
    let mut all = Vec::new();
    let said = lines.by_ref().any(|line| {
        let it = line.contains(words);
        all.push(line);
        it
    });
    assert!(said, "it never said {words:?}: {}", all.join("\n"));
    then();
    all.extend(lines);
    (process.wait().expect("it can be done").success(), all.join("\n"))
}

#[test]
fn a_process_that_a_server_before_it_left_in_the_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let stale = format!("{}\nhttp://localhost:1\n127.0.0.1:1\n", stranger.id());
    fs::write(dir.path().join("lock"), stale).unwrap();
    // Another has locked it, and has not come to write yet.
    let lock = File::open(dir.path().join("lock")).unwrap();
    lock.lock().unwrap();

    let down = xtask("down", dir.path()).output().unwrap();
    let lives = stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(lives, "it was ended: {}", said(&down));
    assert!(down.status.success(), "{}", said(&down));
    assert!(said(&down).contains("No Holdfast runs"), "{}", said(&down));
}

#[test]
fn down_lets_a_server_come_to_its_cells_before_it_ends_it() {
    let mut held = Held::by("trap 'touch asked; exit 0' USR1; touch trapped; while :; do sleep 0.05; done");
    while !held.file("trapped").exists() {
        std::thread::yield_now();
    }
    let mut down = xtask("down", held.dir.path());
    let (done, said) = once_it_says(&mut down, "Letting Holdfast start", || {
        assert!(!held.file("asked").exists());
        held.writes("http://localhost:1\n127.0.0.1:1");
    });
    assert!(done, "{said}");
    assert!(said.contains("✓ Putting cells to sleep"), "{said}");
    assert!(held.file("asked").exists(), "it was asked to put its cells to sleep");
    assert!(held.holder.wait().unwrap().success());
}

#[test]
fn up_waits_for_a_server_that_starts_until_it_is_ready_and_says_what_has_no_effect_on_it() {
    let held = Held::by("exec sleep 600");
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // Open from the first, ready from the third question on.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request: Vec<_> = BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            assert_eq!(request[0], "GET /readyz HTTP/1.1");
            let ready = count.fetch_add(1, Ordering::SeqCst) >= 2;
            let status = if ready { "200 OK" } else { "503 Service Unavailable" };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let mut up = xtask("up", held.dir.path());
    up.args(["--detach", "--port", "1", "--demo"]);
    let (done, said) = once_it_says(&mut up, "Waiting until it is ready", || {
        held.writes(&format!("http://localhost:{}\n{address}", address.port()));
    });
    assert!(done, "{said}");
    assert!(said.contains("already runs"), "{said}");
    assert!(asked.load(Ordering::SeqCst) > 2, "it was not asked whether it is ready");
    assert!(said.contains("without --port 1 and --demo"), "{said}");
    assert!(
        said.contains(&format!("Holdfast is at http://localhost:{}", address.port())),
        "{said}"
    );
}

#[test]
fn down_fails_where_nobody_can_say_whether_cells_still_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("installation.json"), r#"{"id":"ins-1"}"#).unwrap();
    let mut down = xtask("down", dir.path());
    let down = down.env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap();
    assert!(!down.status.success(), "{}", said(&down));
    for words in ["Docker does not answer", "whether cells still run", "run this again"] {
        assert!(said(&down).contains(words), "{words}: {}", said(&down));
    }
}

#[test]
fn what_an_interrupted_installation_left_is_listed_and_set_up() {
    let here = tempfile::tempdir().unwrap();
    let programs = here.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let program = |name: &str, script: &str| {
        fs::write(programs.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let given = here.path().join("given");
    let keep = format!("echo \"$0 $*\" >> {}", given.display());
    // A machine on which Docker's programs are unpacked; what is somebody else's concern is so, too.
    program(
        "dpkg-query",
        "printf 'installed libc6\\nunpacked containerd\\nunpacked foreign\\n'",
    );
    program(
        "apt-cache",
        "case $1 in show) echo known;; depends) printf 'docker.io\\n  Depends: containerd\\ncontainerd\\n';; esac",
    );
    program("dpkg", &keep);
    program("apt-get", &format!("{keep}; exit 1"));
    let up = |arguments: &[&str]| {
        let mut up = xtask("up", here.path());
        up.arg("--detach")
            .args(arguments)
            .env("PATH", &programs)
            .output()
            .unwrap()
    };

    let asked = up(&[]);
    assert!(!asked.status.success());
    assert!(said(&asked).contains("not set up"), "{}", said(&asked));
    assert!(said(&asked).contains("containerd"), "{}", said(&asked));
    assert!(!said(&asked).contains("foreign"), "{}", said(&asked));
    assert!(!given.exists(), "nothing is done without an answer");

    let failed = up(&["--yes"]);
    assert!(!failed.status.success());
    let given = fs::read_to_string(given).unwrap();
    let mut given = given.lines();
    let first = given.next().unwrap_or_default();
    assert!(first.ends_with("dpkg --configure -a"), "{first}");
    assert!(
        given
            .next()
            .is_some_and(|second| second.contains("install --fix-broken"))
    );
}
