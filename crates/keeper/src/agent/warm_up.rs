//! The first turn after a start loads and compiles what later turns find in memory, which takes seconds. It is spent on
//! a turn of our own, before the person's: an incognito session, which OpenClaw keeps in memory alone, with a model that
//! the bridge answers for. No provider is asked and nothing is left behind.

use serde_json::json;
use tokio::time::timeout;

use super::{Agent, AgentError, config};
use crate::gateway::{Gateway, GatewayEvent, RunEventKind};
use crate::limits;

const MESSAGE: &str = "Warming up; answer with one word.";

impl Agent {
    /// Runs the warm-up turn.
    ///
    /// # Errors
    /// [`AgentError`]; the agent works all the same, only its first turn is slow.
    pub async fn warm_up(&self) -> Result<(), AgentError> {
        let gateway = self.gateway().ok_or(AgentError::NotRunning)?;
        timeout(limits::WARM_UP, turn(&gateway))
            .await
            .map_err(|_| AgentError::Slow(limits::WARM_UP))?
    }
}

async fn turn(gateway: &Gateway) -> Result<(), AgentError> {
    let created = gateway
        .call(
            "sessions.create",
            json!({"incognito": true, "model": config::WARM_UP_MODEL}),
        )
        .await?;
    let session = created["key"].as_str().ok_or(AgentError::NotRunning)?.to_owned();
    let mut events = gateway.events();
    let run = uuid::Uuid::new_v4().to_string();
    let result = async {
        gateway.chat_send(&session, &run, MESSAGE).await?;
        loop {
            match events.recv().await {
                Ok(GatewayEvent::Run(event)) if event.run_id == run => match event.kind {
                    RunEventKind::Final { .. } | RunEventKind::Aborted { .. } => return Ok(()),
                    RunEventKind::Error { message, .. } => {
                        tracing::info!("the warm-up turn failed: {message}");
                        return Ok(());
                    }
                    _ => {}
                },
                Ok(GatewayEvent::Closed) | Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                    return Err(AgentError::NotRunning);
                }
                Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            }
        }
    }
    .await;
    gateway
        .call("sessions.delete", json!({"key": session, "deleteTranscript": true}))
        .await?;
    result
}
