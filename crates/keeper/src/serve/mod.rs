//! `holdfast-keeper serve`: the keeper as a process. It gives up what it was started with before it reads anything, and
//! uses one thread, because it waits more than it works and must be small.

mod platform_requests;
mod privileges;
mod sockets;
mod wiring;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use protocol::bridge::{HOME_DIR, PLATFORM_DIR, PLATFORM_SOCKET, SOCKET_DIR, VAULT_DIR};

/// Where the keeper finds its things; the defaults are the cell's mounts.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder of the vault: the keeper's own volume.
    #[arg(long, default_value = VAULT_DIR)]
    pub vault: PathBuf,
    /// The agent's home, in memory.
    #[arg(long, default_value = HOME_DIR)]
    pub home: PathBuf,
    /// Folder in which the keeper makes its sockets for the agent's container.
    #[arg(long, default_value = SOCKET_DIR)]
    pub sockets: PathBuf,
    /// The platform's socket.
    #[arg(long, default_value_os_t = PathBuf::from(PLATFORM_DIR).join(PLATFORM_SOCKET))]
    pub platform: PathBuf,
    /// Keep the user that started the process, for running outside a container.
    #[arg(long)]
    pub keep_user: bool,
}

/// Threads for file work and name resolution live only while there is some.
const WORKERS: usize = 8;
const WORKER_STACK: usize = 512 * 1024;
const WORKER_IDLE: Duration = Duration::from_secs(2);

/// Runs the keeper until it is told to end by a signal, or finds itself at a foreign platform.
///
/// # Errors
/// One sentence that says what is wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let owner = privileges::give_up(args).context("the keeper could not give up its privileges")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(WORKERS)
        .thread_stack_size(WORKER_STACK)
        .thread_keep_alive(WORKER_IDLE)
        .build()
        .context("the keeper could not start its event loop")?;
    let result = runtime.block_on(wiring::run(args, owner));
    // File work that hangs must not keep a keeper that was told to end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}
