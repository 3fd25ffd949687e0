//! The `iptables` command. Where a machine has two (over nf_tables and legacy), the one that Docker uses is the one that
//! knows its chain.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::driver::DriverError;

const COMMANDS: [&str; 3] = ["iptables", "iptables-nft", "iptables-legacy"];
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];
/// Seconds to wait for another program that changes rules.
const LOCK_SECONDS: &str = "10";

#[derive(Default)]
pub(super) struct Iptables {
    command: OnceCell<PathBuf>,
}

impl Iptables {
    async fn command(&self) -> Result<&Path, DriverError> {
        self.command.get_or_try_init(find).await.map(PathBuf::as_path)
    }

    async fn run(&self, args: &[&str]) -> Result<Output, DriverError> {
        let command = self.command().await?;
        run(command, args).await
    }

    async fn must(&self, args: &[&str]) -> Result<(), DriverError> {
        let output = self.run(args).await?;
        if output.status.success() {
            Ok(())
        } else {
            Err(refused(&format!("iptables {}", args.join(" ")), &output))
        }
    }

    /// Replaces the chains that the text declares, all or none.
    pub async fn restore(&self, text: &str) -> Result<(), DriverError> {
        let command = self.command().await?;
        let mut restore = command.as_os_str().to_owned();
        restore.push("-restore");
        let mut child = Command::new(&restore)
            .args(["-w", LOCK_SECONDS, "--noflush"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| machine(&format!("{} could not be run: {error}", restore.display())))?;
        if let Some(mut stdin) = child.stdin.take() {
            // If it ended early, its exit status says why.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
        let output = child
            .wait_with_output()
            .await
            .map_err(|error| machine(&error.to_string()))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(refused("iptables-restore", &output))
        }
    }

    /// Has the rule in the chain, inserted at its beginning if it is not there.
    pub async fn ensure_first(&self, chain: &str, rule: &[&str]) -> Result<(), DriverError> {
        if self.has(chain, rule).await? {
            return Ok(());
        }
        self.must(&[&["-I", chain, "1"], rule].concat()).await
    }

    async fn has(&self, chain: &str, rule: &[&str]) -> Result<bool, DriverError> {
        let output = self.run(&[&["-C", chain], rule].concat()).await?;
        Ok(output.status.success())
    }

    pub async fn delete_all(&self, chain: &str, rule: &[&str]) -> Result<(), DriverError> {
        while self.has(chain, rule).await? {
            self.must(&[&["-D", chain], rule].concat()).await?;
        }
        Ok(())
    }

    pub async fn remove_chain(&self, chain: &str) -> Result<(), DriverError> {
        if self.run(&["-n", "-L", chain]).await?.status.success() {
            self.must(&["-F", chain]).await?;
            self.must(&["-X", chain]).await?;
        }
        Ok(())
    }
}

async fn find() -> Result<PathBuf, DriverError> {
    let mut complaint = None;
    for name in COMMANDS {
        let Some(path) = FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(name))
            .find(|path| path.exists())
        else {
            continue;
        };
        let output = run(&path, &["-n", "-L", "DOCKER-USER"]).await?;
        if output.status.success() {
            return Ok(path);
        }
        complaint.get_or_insert_with(|| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Err(match complaint {
        None => machine(
            "iptables is missing, and without it keepers could reach this machine's own ports: install it \
             (`apt-get install iptables`), restart Docker and try again",
        ),
        Some(text) if text.contains("ermission denied") || text.contains("must be root") => {
            machine("the host rules for cells need root: run holdfast as root or with CAP_NET_ADMIN")
        }
        Some(text) => machine(&format!(
            "Docker's chain DOCKER-USER is not there ({text}): start Docker without `--iptables=false`"
        )),
    })
}

async fn run(command: &Path, args: &[&str]) -> Result<Output, DriverError> {
    Command::new(command)
        .args(["-w", LOCK_SECONDS])
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| machine(&format!("{} could not be run: {error}", command.display())))
}

fn machine(message: &str) -> DriverError {
    DriverError::Machine(message.to_owned())
}

fn refused(step: &str, output: &Output) -> DriverError {
    DriverError::Failed {
        step: step.to_owned(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    }
}
