//! `holdfast-keeper`: the keeper itself (`serve`), PID 1 of the agent's container (`bridge`), and the agent's way to the secrets that
//! it may see (`secrets`).

use std::alloc::System;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use zeroizing_alloc::ZeroAlloc;

/// Wipes memory when it is freed. What we own wipes itself; what passes through the buffers of libraries (HTTP, TLS, JSON) would
/// otherwise lie in freed memory after a lock.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

#[derive(Parser)]
#[command(
    name = "holdfast-keeper",
    version,
    about = "Holds a cell's vault and joins its agent to it"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The keeper of a cell.
    Serve(keeper::serve::Args),
    /// PID 1 of the agent's container.
    Bridge(keeper::bridge::Args),
    /// OpenClaw's way to the secrets that the agent may see, in the agent's container.
    Secrets(keeper::bridge::exec_provider::Args),
}

fn main() -> anyhow::Result<()> {
    // The library tells what it hears: the agent's words, which are not for a log.
    let unheard = "rmcp=off".parse().context("a filter of the log")?;
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| "info".into())
                .add_directive(unheard),
        )
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match Cli::parse().command {
        Command::Serve(args) => keeper::serve::run(&args),
        Command::Bridge(args) => keeper::bridge::run(&args),
        Command::Secrets(args) => keeper::bridge::exec_provider::run(&args),
    }
}
