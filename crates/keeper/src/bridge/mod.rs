//! PID 1 of the agent container, which has no network: joins loopback ports to the keeper's unix sockets, runs OpenClaw
//! when the keeper says so, and ends it when the keeper is gone. It holds no secret and decides nothing.
//!
//! OpenClaw never outlives the control connection: a keeper that restarts is locked, and so is what it guards.

mod control;
pub mod exec_provider;
mod join;
mod openclaw;
mod output;
mod reap;
mod scrub;
mod warm_up;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use protocol::bridge::{
    BRIDGE_SOCKET, BROKER_PORT, BROKER_SOCKET, EGRESS_PORT, EGRESS_SOCKET, SOCKET_DIR, WARM_UP_PORT,
};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};

use self::openclaw::OpenClaw;
use crate::limits;

/// How the bridge is started.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the keeper's sockets.
    #[arg(long, default_value = SOCKET_DIR)]
    sockets: PathBuf,
}

/// Runs until it is told to end by a signal.
///
/// # Errors
/// When the loopback ports cannot be bound: nothing works without them.
pub fn run(args: &Args) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(serve(args))
}

async fn serve(args: &Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut openclaw = OpenClaw::new().context("cannot listen for SIGCHLD")?;
    let _broker = join::listen(BROKER_PORT, args.sockets.join(BROKER_SOCKET))
        .await
        .context("cannot listen for the broker")?;
    let _egress = join::listen(EGRESS_PORT, args.sockets.join(EGRESS_SOCKET))
        .await
        .context("cannot listen for the egress proxy")?;
    let _warm_up = warm_up::listen(WARM_UP_PORT)
        .await
        .context("cannot listen for the warm-up")?;

    tokio::select! {
        never = attend(args.sockets.join(BRIDGE_SOCKET), &mut openclaw) => match never {},
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    openclaw.stop(limits::BRIDGE_END_GRACE).await;
    Ok(())
}

/// One control connection after the other.
async fn attend(socket: PathBuf, openclaw: &mut OpenClaw) -> std::convert::Infallible {
    let mut wait = Duration::from_millis(10);
    loop {
        let connection = tokio::select! {
            connection = UnixStream::connect(&socket) => connection,
            // Orphans of the agent's commands end here too, also while nobody is connected.
            ended = openclaw.ended() => { tracing::info!(?ended, "OpenClaw ended"); continue }
        };
        match connection {
            Ok(stream) => {
                wait = Duration::from_millis(10);
                if let Err(error) = control::attend(stream, &socket, openclaw).await {
                    tracing::info!("the keeper is gone: {error}");
                }
                openclaw.stop(limits::BRIDGE_END_GRACE).await;
            }
            Err(_) => {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    ended = openclaw.ended() => tracing::info!(?ended, "OpenClaw ended"),
                }
                wait = (wait * 2).min(limits::BRIDGE_RETRY_LONGEST);
            }
        }
    }
}
