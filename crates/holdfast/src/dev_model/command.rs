//! `holdfast dev-model`: the scripted model as a program of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;

use super::{MODEL, Options, serve};
use crate::refusal::Refusal;

/// The command line of `holdfast dev-model`.
#[derive(clap::Args)]
pub struct Args {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:11811")]
    listen: SocketAddr,
    /// A file that holds the one key that it takes; without it, any key will do.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// The models that it has.
    #[arg(long = "model", default_values_t = [MODEL.to_owned()])]
    models: Vec<String>,
    /// Milliseconds between two words.
    #[arg(long, default_value_t = 30)]
    pace_ms: u64,
}

/// Serves until it is stopped.
///
/// # Errors
/// The address is taken, or the key's file cannot be read.
pub async fn run(args: Args) -> Result<(), Refusal> {
    let key = match &args.key_file {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| Refusal::file(file, error))?;
            Some(text.trim().to_owned())
        }
        None => None,
    };
    let (address, port) = (args.listen.ip(), args.listen.port());
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Refusal::listen(address, port, error))?;
    println!("The scripted model answers at http://{}/v1", args.listen);
    let options = Options {
        key,
        models: args.models,
        pace: Duration::from_millis(args.pace_ms),
    };
    serve(listener, options)
        .await
        .map_err(|error| Refusal::listen(address, port, error))
}
