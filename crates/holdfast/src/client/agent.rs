//! Waiting until the agent answers.

use client::ClientError;
use futures::FutureExt as _;
use protocol::chat::{CellEvent, CellPhase};
use serde_json::{Value, json};

use super::failure::Failure;
use super::open::Opened;
use super::out::Out;

const FAILED: &str = "it failed a moment ago. Try again in a minute, or look in the browser.";

fn words(phase: CellPhase) -> &'static str {
    match phase {
        CellPhase::OpeningVault => "Opening the vault",
        CellPhase::RestoringHome => "Bringing back what your agent keeps",
        CellPhase::StartingAgent => "Starting your agent",
        CellPhase::WarmingUp => "Your agent is warming up",
        CellPhase::Ready => "Ready",
        CellPhase::Paused => "Waking your agent",
        CellPhase::Asleep => "Asleep",
        CellPhase::Failed => "Failed",
    }
}

/// Whether a model is connected: without one no agent starts.
///
/// # Errors
/// Those of the channel.
pub async fn has_model(opened: &Opened) -> Result<bool, Failure> {
    let model = opened.channel.call("model.get", json!({})).await?;
    Ok(model["configured"] == true)
}

/// Starts the agent and waits until it answers.
///
/// # Errors
/// [`Failure::Agent`] with its reason.
pub async fn ready(opened: &mut Opened, out: Out) -> Result<(), Failure> {
    // What was told before is of an earlier start.
    while let Some(Some(_)) = opened.events.next().now_or_never() {}
    let answer: Value = opened.channel.call("cell.start", json!({})).await?;
    match answer["phase"].as_str() {
        Some("ready") => return Ok(()),
        Some("failed") => {
            let reason = answer["message"].as_str().unwrap_or(FAILED);
            return Err(Failure::Agent(reason.to_owned()));
        }
        _ => {}
    }
    let waiting = out.waiting("Starting your agent");
    loop {
        let event = opened.events.next().await.unwrap_or(Err(ClientError::Closed(None)))?;
        if event.event != "cell" {
            continue;
        }
        let Ok(cell) = serde_json::from_value::<CellEvent>(event.data) else {
            continue;
        };
        match cell.phase {
            CellPhase::Ready => break,
            CellPhase::Failed => {
                return Err(Failure::Agent(cell.message.unwrap_or_else(|| FAILED.to_owned())));
            }
            phase => {
                let usual = cell
                    .usual_ms
                    .map(|usual| format!(" (usually {} s)", usual.div_ceil(1000)));
                waiting.set_message(format!("{}{}", words(phase), usual.unwrap_or_default()));
            }
        }
    }
    waiting.finish_and_clear();
    Ok(())
}
