//! The client on the command line, driven as a script drives it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::installation::{Installation, binary};
use crate::process::wait_until;

/// How long one command may take, a cold start of the agent included.
const COMMAND: Duration = Duration::from_secs(300);

/// Somebody's command line: what the client keeps is in a folder of its own.
pub struct CommandLine {
    home: TempDir,
}

/// How a command has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// What it told on standard output; panics with the error if there was one.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Code of the error, with the exit code.
    pub fn refusal(&self) -> (Option<i32>, String) {
        assert_eq!(self.stdout, "", "{self:?}");
        let told: Value = serde_json::from_str(self.stderr.trim()).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        (self.code, told["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Default for CommandLine {
    fn default() -> Self {
        Self {
            home: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }
}

impl CommandLine {
    /// A folder that only this person uses.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What the client keeps.
    pub fn state_file(&self) -> PathBuf {
        self.home().join("state/holdfast/client.json")
    }

    fn start(&self, args: &[&str]) -> Child {
        Command::new(binary())
            .args(args)
            .arg("--json")
            .env("XDG_STATE_HOME", self.home().join("state"))
            .env("HOME", self.home())
            .current_dir(self.home())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary can be run")
    }

    /// Runs a command with `--json`; `input` is its standard input.
    pub async fn run(&self, args: &[&str], input: &str) -> Ended {
        let mut child = self.start(args);
        let mut stdin = child.stdin.take().expect("it is piped");
        // A command that was refused at once has not read it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        ended(child, args).await
    }

    /// Signs in: reads the mail and pastes its link, then types what else is asked for.
    pub async fn login(&self, installation: &Installation, email: &str, then: &str) -> Ended {
        let before = installation.newest_link(email, "sign-in");
        let (url, args) = (installation.url(), ["login", "--stdin", "--email", email]);
        let args = [&args[..], &[&url]].concat();
        let mut child = self.start(&args);
        let link = wait_until(
            "the mail with the sign-in link arrives",
            Duration::from_secs(15),
            async || {
                let link = installation.newest_link(email, "sign-in");
                link.filter(|link| Some(link) != before.as_ref())
            },
        )
        .await;
        let mut stdin = child.stdin.take().expect("it is piped");
        let _ = stdin.write_all(format!("{link}\n{then}").as_bytes()).await;
        drop(stdin);
        ended(child, &args).await
    }

    /// Every byte that the client has written.
    pub fn written(&self) -> Vec<u8> {
        let folder = self.home().join("state/holdfast");
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files
            .flat_map(|file| fs::read(file.path()).unwrap_or_default())
            .collect()
    }
}

async fn ended(child: Child, args: &[&str]) -> Ended {
    let output = tokio::time::timeout(COMMAND, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("holdfast {}: not done after {} s", args.join(" "), COMMAND.as_secs()))
        .expect("a child can be waited for");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
