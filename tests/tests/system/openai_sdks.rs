//! OpenAI's official libraries for Python and Node, unchanged and pinned (`tests/openai`), against the real thing: a conversation,
//! streaming, cancellation, a tool call, errors, and trying again. The API is turned on by its environment here, with a token and a master
//! key that are in no file.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::{Installation, Program, Settings, model_of, wait_until};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "a-token-that-the-operator-keeps-elsewhere";

/// What the libraries are made of, in this repository.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openai")
}

/// Where they are installed, once for each set of versions.
fn place(name: &str, versions: &str) -> PathBuf {
    let versions = fs::read(source().join(versions)).expect("the versions are in this repository");
    let sum = versions.iter().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(1_099_511_628_211).wrapping_add(u64::from(*byte))
    });
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("openai-{name}-{sum:016x}"))
}

fn run(command: &mut Command) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [done.stdout, done.stderr].concat();
    assert!(
        done.status.success(),
        "{command:?}:\n{}",
        String::from_utf8_lossy(&said)
    );
}

/// A virtual environment with the library; what broke off before it was whole is made anew.
fn python() -> PathBuf {
    let place = place("python", "requirements.txt");
    let program = place.join("bin/python");
    if !place.join("whole").exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(&program)
            .args(install)
            .arg(source().join("requirements.txt")));
        fs::write(place.join("whole"), "").expect("the folder can be written");
    }
    program
}

fn node_modules() -> PathBuf {
    let place = place("node", "package-lock.json");
    if !place.join("whole").exists() {
        fs::create_dir_all(&place).expect("a folder can be made");
        for file in ["package.json", "package-lock.json"] {
            fs::copy(source().join(file), place.join(file)).expect("a file can be copied");
        }
        run(Command::new("npm")
            .args(["ci", "--silent", "--ignore-scripts"])
            .current_dir(&place));
        fs::write(place.join("whole"), "").expect("the folder can be written");
    }
    place
}

/// Runs a program of ours with its settings on standard input; the keys are in no argument.
fn go_through(command: &mut Command, settings: &Value) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be run");
    let mut input = child.stdin.take().expect("its input is ours");
    input
        .write_all(settings.to_string().as_bytes())
        .expect("it reads its settings");
    drop(input);
    let done = child.wait_with_output().expect("a child can be waited for");
    let said = [done.stdout, done.stderr].concat();
    assert!(
        done.status.success(),
        "{command:?}:\n{}",
        String::from_utf8_lossy(&said)
    );
}

/// An address that leads to this port of the machine. The first connection breaks when the answer on it comes.
async fn losing_an_answer_of(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move {
        let mut loses = true;
        loop {
            let (mut client, _) = listener.accept().await.expect("somebody connects");
            let mut server = TcpStream::connect(("localhost", port))
                .await
                .expect("the server listens");
            let loses = std::mem::take(&mut loses);
            tokio::spawn(async move {
                if !loses {
                    return drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                }
                let (mut from_server, mut to_server) = server.split();
                tokio::select! {
                    _left = tokio::io::copy(&mut client, &mut to_server) => {}
                    _answered = from_server.read_u8() => {}
                }
            });
        }
    });
    format!("http://{address}")
}

async fn tenant(installation: &Installation, name: &str, limits: Value) -> Program {
    let model = model_of(&installation.model().base_url(), "sk-test");
    let wanted = json!({"name": name, "model": model, "limits": limits});
    let operator = Program {
        base: installation.url(),
        key: TOKEN.to_owned(),
    };
    operator.tenant(&wanted).await.1
}

#[tokio::test]
async fn the_official_libraries_of_openai_work_unchanged() {
    let (python, modules) = tokio::task::spawn_blocking(|| (python(), node_modules()))
        .await
        .unwrap();
    let settings = Settings::default()
        .environment("OPENCLAW_MULTITENANT", "1")
        .environment("OPENCLAW_ADMIN_TOKEN", TOKEN)
        .environment(
            "OPENCLAW_TENANT_MASTER_KEY",
            "a passphrase that the operator keeps elsewhere",
        );
    let installation = settings.start().await;
    let token_of_the_file = Program::operator(&installation);
    let refused = token_of_the_file.send(Method::GET, "/api/v1/tenants", None).await;
    assert_eq!(refused.0, 401, "{}", refused.1);
    assert!(!installation.data_dir().join("keys/tenant-master.key").exists());
    let libraries = tenant(&installation, "libraries", json!({"requests_per_minute": 10_000})).await;
    let limited = tenant(&installation, "limited", json!({"requests_per_minute": 20})).await;
    let model = fs::read_to_string(installation.data_dir().join("demo-model-url")).unwrap();
    let control = model.trim().trim_end_matches("/v1").to_owned();
    let settings = async |name: &str| {
        let (url, losing) = (installation.url(), losing_an_answer_of(installation.port()).await);
        json!({
            "base_url": format!("{url}/v1"), "key": libraries.key, "limited_key": limited.key,
            "losing": format!("{losing}/v1"), "sessions": format!("{url}/api/v1/sessions"),
            "held": format!("{control}/_control/held/{name}"), "modules": modules,
        })
    };
    let (for_python, for_node) = (settings("python").await, settings("node").await);
    tokio::task::spawn_blocking(move || {
        go_through(Command::new(python).arg(source().join("python.py")), &for_python);
        go_through(Command::new("node").arg(source().join("node.mjs")), &for_node);
    })
    .await
    .unwrap();

    // What was cancelled is stopped.
    wait_until("no turn runs", Duration::from_secs(60), async || {
        let listed = libraries.ok(Method::GET, "/api/v1/sessions", None).await;
        let all = listed["sessions"].as_array()?.clone();
        all.iter().all(|session| session["running"] == false).then_some(())
    })
    .await;
}
