//! `holdfast lock`: locks the vault and puts the cell to sleep. Whether it is locked already is proved by the keeper, not believed.

use client::ClientError;
use protocol::channel::VaultState;
use serde_json::json;

use super::Context;
use super::failure::Failure;
use super::open::{Opening, Purpose, open};

/// The command line of `holdfast lock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub opening: Opening,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let opened = open(context, &args.opening, Purpose::Proof).await?;
    let was_open = opened.channel.vault() == VaultState::Unlocked;
    let mut saved = true;
    if was_open {
        let waiting = context.out.waiting("Sealing what your agent keeps, and locking");
        let locked = opened.channel.lock().await;
        waiting.finish_and_clear();
        match locked {
            Ok(all) => saved = all,
            // The keeper that went to sleep may take its answer with it.
            Err(ClientError::Closed(_)) if opened.channel.vault() == VaultState::Locked => {}
            Err(error) => return Err(error.into()),
        }
    }
    opened.close().await?;
    let text = match (was_open, saved) {
        (false, _) => "It was locked already.",
        (true, true) => "Locked.",
        (true, false) => {
            "Locked. Not everything that your agent did could be saved before: it is in the server's memory. Unlock again, wait until your \
             agent has started, and lock again. If it stays so, tell the person who runs the server."
        }
    };
    let result = json!({"vault": "locked", "was_open": was_open, "saved": saved});
    context.out.result(&result, text);
    Ok(())
}
