//! `holdfast keys rotate`: has a server that runs seal again what it keeps for the tenant API, under a new key.

use std::path::{Path, PathBuf};

use management::MasterKeyIn;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::data_dir::write_whole;
use crate::operator_token;
use crate::refusal::Refusal;
use crate::up::tenant_api;

/// What can be done with the platform's keys.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Seal again, under a new wrapping key, what opens the cells of the tenant API. The server goes on serving.
    Rotate {
        /// Where the server that runs keeps its data.
        #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = "/var/lib/holdfast")]
        data_dir: PathBuf,
        /// The address of that server, instead of the one that it has written down.
        #[arg(long)]
        server: Option<String>,
        /// Change the master key, too, to the one in this file (at least 32 bytes).
        #[arg(long)]
        new_master_key_file: Option<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// The server does not run, or refuses; a file cannot be read or written.
pub async fn run(command: Command) -> Result<(), Refusal> {
    let Command::Rotate {
        data_dir,
        server,
        new_master_key_file,
    } = command;
    let server = match server {
        Some(server) => server,
        None => announced(&data_dir)?,
    };
    let new_master = new_master_key_file.as_deref().map(read).transpose()?;
    let rotated = ask(&server, &data_dir, new_master.as_deref().map(Vec::as_slice)).await?;
    println!(
        "Wrapping key {} is in use; {} secrets were sealed again.",
        rotated["key"], rotated["secrets"]
    );
    let Some(new_master) = new_master else { return Ok(()) };
    match serde_json::from_value(rotated["master_key_in"].clone()) {
        Ok(MasterKeyIn::DataDirectory) => {
            write_whole(&tenant_api::own_master_key(&data_dir), &new_master, 0o600)?;
            println!(
                "The new master key is in the data directory. The old one opens nothing once the server was started again."
            );
        }
        Ok(MasterKeyIn::Environment) => println!(
            "Set OPENCLAW_TENANT_MASTER_KEY to the new master key in the environment of the server before you start it again."
        ),
        Ok(MasterKeyIn::File) => println!(
            "Put the new master key in the file that `master_key_file` of the server names before you start it again."
        ),
        Err(_) => println!("Put the new master key in the place of the old one before you start the server again."),
    }
    Ok(())
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let bytes = std::fs::read(path).map(Zeroizing::new);
    bytes.map_err(|error| Refusal::Other(format!("{} cannot be read: {error}.", path.display())))
}

/// Where the server says that it answers.
fn announced(data_dir: &Path) -> Result<String, Refusal> {
    let text = std::fs::read_to_string(data_dir.join("lock")).unwrap_or_default();
    let url = text.lines().nth(1).map(str::to_owned);
    url.ok_or_else(|| Refusal::Other(format!("No server has started with {}.", data_dir.display())))
}

async fn ask(server: &str, data_dir: &Path, new_master: Option<&[u8]>) -> Result<Value, Refusal> {
    let token = operator_token::of_tenant_api(data_dir)?;
    let failed = |error: reqwest::Error| Refusal::Other(format!("{server} does not answer: {error}."));
    let answer = reqwest::Client::new()
        .post(format!("{}/api/v1/platform-keys/rotate", server.trim_end_matches('/')))
        .bearer_auth(token.trim())
        .json(&match new_master.map(std::str::from_utf8) {
            None => json!({}),
            Some(Ok(text)) => json!({"new_master_key": text}),
            Some(Err(_)) => json!({"new_master_key_bytes": new_master.map(protocol::b64::encode)}),
        })
        .send()
        .await
        .map_err(failed)?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(failed)?;
    match status.is_success() {
        true => Ok(body),
        false if status == reqwest::StatusCode::NOT_FOUND => Err(Refusal::Other(
            "The tenant API is not turned on there, so there is nothing to rotate.".to_owned(),
        )),
        false => Err(Refusal::Other(format!(
            "The server refused: {}",
            body["detail"].as_str().unwrap_or("it gave no reason")
        ))),
    }
}
