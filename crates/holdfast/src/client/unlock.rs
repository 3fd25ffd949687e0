//! `holdfast unlock`: opens the vault, starts the agent and waits until it answers; on request leaves the vault open for a time.

use serde_json::json;

use super::failure::Failure;
use super::open::{Opening, Purpose, open};
use super::out::time;
use super::{Context, agent};

/// The command line of `holdfast unlock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub opening: Opening,
    /// Leave the vault open for this long though nobody uses it, so that the agent can work meanwhile: 45m, 8h, 1d. Your
    /// organisation says how long at most.
    #[arg(long = "for", value_name = "TIME", value_parser = minutes)]
    granted: Option<u32>,
    /// Return as soon as the vault is open, without waiting for the agent.
    #[arg(long)]
    no_wait: bool,
}

pub async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let mut opened = open(context, &args.opening, Purpose::Agent).await?;
    if let Some(minutes) = args.granted {
        opened.channel.call("vault.grant", json!({"minutes": minutes})).await?;
    }
    let model = agent::has_model(&opened).await?;
    if model && !args.no_wait {
        agent::ready(&mut opened, context.out).await?;
    }
    let status = opened.channel.call("vault.status", json!({})).await?;
    opened.close().await?;

    let at = |name: &str| status[name].as_i64().map(time);
    let told = json!({
        "vault": "unlocked",
        "agent": if !model { "no_model" } else if args.no_wait { "starting" } else { "ready" },
        "locks_at": status["locks_at"],
        "granted_until": status["granted_until"],
    });
    let mut text = match (model, args.no_wait) {
        (false, _) => "The vault is open. No model is connected yet: connect one in the browser.".to_owned(),
        (true, true) => "The vault is open; your agent is starting.".to_owned(),
        (true, false) => "The vault is open and your agent is ready.".to_owned(),
    };
    match (at("granted_until"), at("locks_at")) {
        (Some(until), _) => text.push_str(&format!(" It stays open until {until} though nobody uses it.")),
        (None, Some(locks)) => text.push_str(&format!(" Without use it locks at {locks}.")),
        (None, None) => {}
    }
    context.out.result(&told, &text);
    Ok(())
}

/// A time in whole minutes; how long is too long, the keeper says.
fn minutes(text: &str) -> Result<u32, String> {
    let wrong = || "give a time such as 45m, 8h or 1d".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u32 = text[..digits].parse().map_err(|_| wrong())?;
    let unit = match &text[digits..] {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(unit)
        .filter(|minutes| *minutes > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_unit() {
        assert_eq!(minutes("45m"), Ok(45));
        assert_eq!(minutes("8h"), Ok(480));
        assert_eq!(minutes("1d"), Ok(1440));
        for odd in ["", "45", "m", "0m", "-1h", "1w", "9999999d"] {
            assert!(minutes(odd).is_err(), "{odd}");
        }
    }
}
