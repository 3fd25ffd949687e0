//! Makes the parts of the keeper and joins them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use protocol::bridge::{BROKER_SOCKET, EGRESS_SOCKET};
use protocol::control::{AgentState, KeeperStatus, PlatformOp};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

use super::platform_requests::Requests;
use super::{Args, sockets};
use crate::activity::tell_deeds;
use crate::agent::{Agent, AgentPaths};
use crate::approvals::{bridge_commands, carry_seconds, tell_platform};
use crate::backup::Backups;
use crate::cell::{Cell, CellSeat, Parts};
use crate::channel::ChannelHost;
use crate::chat::Chat;
use crate::clock::{Clock, SystemClock};
use crate::egress::NamedAddresses;
use crate::home::{Home, Owner};
use crate::platform::Platform;
use crate::relay::Relay;
use crate::services::Services;
use crate::vault_service::VaultService;

/// How long a keeper that is told to end tries to seal the home.
const LAST_SEAL: Duration = Duration::from_secs(8);

pub(super) async fn run(args: &Args, owner: Owner) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let vault = VaultService::open(&args.vault, clock.clone()).context("the vault could not be opened")?;
    let status = KeeperStatus {
        vault: vault.state(),
        agent: AgentState::Absent,
        busy: false,
        claim: vault.claim(),
        wake_at: None,
        approvals: Vec::new(),
    };
    let platform = Platform::new(&args.platform, status);
    let named = NamedAddresses::default();
    let relay = Relay::new(vault.clone(), platform.clone(), clock.clone());
    // The agent reaches models through the broker; the operator's private addresses are none of its business.
    let services = Services::new(&vault, clock.clone(), &named, NamedAddresses::default(), relay.clone());
    let (broker, egress) = (services.broker, services.egress);
    let (approvals, rates, shares, unlock) = (services.approvals, services.rates, services.shares, services.unlock);
    // Before the relay is reached: what arrives for nobody would wait for the next connection.
    shares.ask_about_groups(Arc::new(platform.clone()));
    let sharing = shares.carry();
    let seconds = carry_seconds(&approvals);
    let listen = |name| sockets::listen(&args.sockets, name).with_context(|| format!("{name} could not be made"));
    let (to_broker, to_egress) = (listen(BROKER_SOCKET)?, listen(EGRESS_SOCKET)?);
    let agent = Agent::listen(AgentPaths {
        sockets: args.sockets.clone(),
        home: args.home.clone(),
    })?;
    let asks = approvals.clone();
    agent.ask_before_commands(move || asks.asks_before_commands().unwrap_or(true));
    let commands = bridge_commands(approvals.clone(), agent.gateways());
    let (cell, life) = Cell::new(Parts {
        vault: vault.clone(),
        home: Home::new(&args.home, owner, platform.blobs()),
        agent: Arc::new(agent.clone()),
        platform: platform.clone(),
        broker: broker.clone(),
        clock: clock.clone(),
        guide: Some(services.guide),
        templates: Some(services.templates),
    });
    let backups = Arc::new(Backups::new(vault.clone(), cell.clone()));
    // After the cell's: by then the agent is still.
    services.write_behind.write_before_lock();
    let chat = Chat::new(
        vault.clone(),
        Arc::new(CellSeat::new(cell.clone(), agent)),
        clock.clone(),
        services.functions,
    );
    approvals.set_turns(Arc::new(chat.clone()));
    let router = services
        .router
        .namespace("chat", Arc::new(chat))
        .namespace("cell", Arc::new(cell.clone()))
        .secret_namespace("backup", backups.clone())
        .secret_namespace("restore", backups)
        .method("model.test", Arc::new(cell.clone()));
    let host = ChannelHost::new(vault.clone(), router);
    let requests = Arc::new(Requests {
        vault,
        cell: cell.clone(),
        host: host.clone(),
        named,
        unlock,
        approvals: approvals.clone(),
    });
    let away = tell_platform(approvals.clone(), rates.clone(), host.clone(), platform.clone());
    let deeds = tell_deeds(services.activity, platform.clone());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let tell_approvals = || host.broadcast("approvals", &json!({"waiting": approvals.waiting()}));
    let tell_rates = || host.broadcast("rates", &json!({}));
    let tell_shares = || host.broadcast("shares", &json!({}));
    let serve = async {
        tokio::select! {
            foreign = platform.run(requests) => match foreign {
                Ok(()) => Ok(()),
                Err(why) => Err(anyhow!("{why}")),
            },
            () = life => Err(anyhow!("the vault is gone")),
            () = cell.clone().prepare_at(host.greetings()) => Err(anyhow!("the channels are gone")),
            () = tell_phases(&cell, &host) => Err(anyhow!("the cell is gone")),
            () = tell(approvals.changes(), tell_approvals) => Err(anyhow!("the approvals are gone")),
            () = tell(rates.changes(), tell_rates) => Err(anyhow!("the counts are gone")),
            () = tell(shares.changes(), tell_shares) => Err(anyhow!("the shares are gone")),
            () = away => Err(anyhow!("the approvals are gone")),
            () = deeds => Err(anyhow!("the activity is gone")),
            () = sharing => Err(anyhow!("the shares are gone")),
            () = seconds => Err(anyhow!("the approvals are gone")),
            () = commands => Err(anyhow!("the agent is gone")),
            never = broker.serve(to_broker) => match never {},
            never = egress.serve(to_egress) => match never {},
            never = relay.run() => match never {},
        }
    };
    let mut serve = std::pin::pin!(serve);
    tokio::select! {
        ended = &mut serve => return ended,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Sealing needs the platform until the last.
    tokio::select! {
        ended = serve => ended,
        () = last_seal(&cell) => Ok(()),
    }
}

/// Tells every client how far the cell is.
async fn tell_phases(cell: &Cell, host: &ChannelHost) {
    let mut events = cell.events();
    loop {
        match events.recv().await {
            Ok(event) => host.broadcast("cell", &event),
            Err(RecvError::Lagged(_)) => host.broadcast("cell", &cell.current()),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Tells every client at each change.
async fn tell<T>(mut changes: watch::Receiver<T>, clients: impl Fn()) {
    while changes.changed().await.is_ok() {
        clients();
    }
}

/// Told to end without having been asked to sleep before: seals what can be sealed.
async fn last_seal(cell: &Cell) {
    if tokio::time::timeout(LAST_SEAL, cell.handle(PlatformOp::PrepareSleep))
        .await
        .is_err()
    {
        tracing::warn!("ended before the home was sealed");
    }
}
