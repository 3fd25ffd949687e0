//! `holdfast status`: who is signed in, how the cell is, whether the vault is open, and the ways into it. An asleep cell is left asleep.

use protocol::channel::{SlotInfo, VaultState};
use serde_json::json;

use super::failure::Failure;
use super::login::Me;
use super::out::{plain_line, time};
use super::server::Server;
use super::{Common, Context};

/// The command line of `holdfast status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    /// Start the keeper of a cell that sleeps, to ask it for the ways into the vault.
    #[arg(long, conflicts_with = "no_keeper")]
    wake: bool,
    /// Do not ask the keeper, even if it runs: being asked counts as use of the cell.
    #[arg(long)]
    no_keeper: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let session = context.state.session()?;
    let server = Server::of(&session)?;
    let odd = || Failure::NotHoldfast {
        server: server.base().to_owned(),
        status: 200,
    };
    let me: Me = serde_json::from_value(server.get("/api/v1/me").await?).map_err(|_| odd())?;
    let cell = server.get("/api/v1/cell").await?;
    let state = cell["state"].as_str().ok_or_else(odd)?.to_owned();

    let ask = args.wake || (!args.no_keeper && matches!(state.as_str(), "awake" | "starting"));
    let mut vault = match state.as_str() {
        // A cell that is paused or asleep has forgotten its keys.
        "paused" | "asleep" => Some(VaultState::Locked),
        _ => None,
    };
    let mut slots: Option<Vec<SlotInfo>> = None;
    if ask {
        let waiting = context.out.waiting("Asking your keeper");
        let handshake = server.dial(context.state.known(&session)?).await;
        waiting.finish_and_clear();
        let handshake = handshake?;
        vault = Some(handshake.hello().vault);
        slots = Some(handshake.hello().slots.clone());
    }
    // Asleep, a vault that was never made looks like one that is locked.
    if slots.is_none() && context.state.known(&session)?.is_none() {
        vault = None;
    }

    let told = json!({
        "server": server.base(),
        "user": {"id": me.user.id, "name": me.user.name, "email": me.user.email, "role": me.user.role},
        "organisation": me.tenant.name,
        "cell": {"id": me.cell.id, "state": state},
        "vault": vault,
        "slots": slots,
    });
    let mut text = format!(
        "{} ({}, {}) of {} at {}\nCell: {}\nVault: {}",
        plain_line(&me.user.name),
        plain_line(&me.user.email),
        plain_line(&me.user.role),
        plain_line(&me.tenant.name),
        server.base(),
        plain_line(&state),
        vault.map_or("not known", words),
    );
    for slot in slots.iter().flatten() {
        let kind = serde_json::to_value(slot.kind).ok();
        let kind = kind
            .as_ref()
            .and_then(|kind| kind.as_str())
            .unwrap_or("?")
            .replace('_', " ");
        let name = plain_line(&slot.name);
        let since = slot
            .created
            .map(|at| format!(", since {}", time(at)))
            .unwrap_or_default();
        text.push_str(&format!("\nWay in: {kind} {name:?}{since} ({})", slot.id));
    }
    context.out.result(&told, &text);
    Ok(())
}

fn words(vault: VaultState) -> &'static str {
    match vault {
        VaultState::New => "not made yet",
        VaultState::Locked => "locked",
        VaultState::Unlocked => "open",
    }
}
