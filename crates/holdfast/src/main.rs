//! The `holdfast` binary: reads its command line and calls the library.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use holdfast::refusal::Refusal;
use holdfast::{audit, client, dev_model, doctor, keys, owner, relay_alone, up};

#[derive(Parser)]
#[command(
    name = "holdfast",
    version,
    about = "An OpenClaw agent for each person, with secrets that the platform cannot read"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the platform until it is stopped.
    Up(up::Args),
    /// Run the relay by itself, with a database of its own, until it is stopped.
    Relay(relay_alone::Args),
    /// Look at this machine and say what Holdfast would miss.
    Doctor {
        /// Where Holdfast keeps, or would keep, its data.
        #[arg(long, env = "HOLDFAST_DATA_DIR", default_value = "/var/lib/holdfast")]
        data_dir: PathBuf,
    },
    /// Check what the audit log has recorded.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look after the keys with which the server keeps secrets of the tenant API.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Help somebody who owns an organisation alone and is locked out.
    #[command(subcommand)]
    Owner(owner::Command),
    /// Serve a scripted model that speaks the protocols of OpenAI and Anthropic, for trying and testing.
    DevModel(dev_model::Args),
    #[command(flatten)]
    Client(client::Command),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // The one choice of a TLS implementation; it can only fail if it was made before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Refusal::Other(format!("The system gives no threads: {error}."))),
    };
    runtime.block_on(async {
        let done = match command {
            Command::Up(args) => up::run(args).await,
            Command::Relay(args) => relay_alone::run(args).await,
            Command::Doctor { data_dir } => doctor::run(&data_dir).await,
            Command::Audit(command) => audit::run(command),
            Command::Keys(command) => keys::run(command).await,
            Command::Owner(command) => owner::run(command).await,
            Command::DevModel(args) => dev_model::run(args).await,
            Command::Client(command) => return client::run(command).await,
        };
        done.map_or_else(|refusal| end(&refusal), |()| ExitCode::SUCCESS)
    })
}

fn end(refusal: &Refusal) -> ExitCode {
    eprintln!("holdfast: {refusal}");
    ExitCode::from(refusal.exit_code())
}
