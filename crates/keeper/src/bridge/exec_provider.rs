//! `holdfast-keeper secrets`: an exec provider of secrets as OpenClaw runs one. It carries a request from standard input to the
//! keeper and the answer to standard output; what may be told is decided by the keeper alone.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use protocol::bridge::{BROKER_PORT, BROKER_SOCKET, SOCKET_DIR};
use serde::Deserialize;
use tokio::net::UnixStream;

use crate::limits;

/// How it is started.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the keeper's sockets.
    #[arg(long, default_value = SOCKET_DIR)]
    sockets: PathBuf,
}

#[derive(Deserialize)]
struct Refusal {
    error: Reason,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    message: String,
}

/// Asks once.
///
/// # Errors
/// One sentence with the keeper's code, such as `vault_locked`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let most = u64::try_from(limits::SECRETS_ASKED_BYTES).unwrap_or(u64::MAX);
    let mut asked = Vec::new();
    std::io::stdin()
        .take(most + 1)
        .read_to_end(&mut asked)
        .context("standard input cannot be read")?;
    let told = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(ask(args, asked))?;
    std::io::stdout()
        .write_all(&told)
        .context("standard output cannot be written")
}

async fn ask(args: &Args, asked: Vec<u8>) -> anyhow::Result<Bytes> {
    let keeper = UnixStream::connect(args.sockets.join(BROKER_SOCKET))
        .await
        .context("the keeper does not answer")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(keeper))
        .await
        .context("the keeper does not answer")?;
    tokio::spawn(connection);
    let request = Request::post("/secrets")
        .header(HOST, format!("127.0.0.1:{BROKER_PORT}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(asked)))
        .context("the request cannot be made")?;
    let answer = sender
        .send_request(request)
        .await
        .context("the keeper does not answer")?;
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .context("the keeper's answer was cut")?;
    let body = body.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    match serde_json::from_slice(&body) {
        Ok(Refusal { error }) => bail!("{}: {}", error.code, error.message),
        Err(_) => bail!("the keeper answered {status}"),
    }
}
