//! OpenClaw as the cell's agent.

use std::time::Duration;

use futures::future::BoxFuture;
use protocol::Millis;
use protocol::control::AgentState;
use secrecy::SecretString;
use tokio::sync::watch;

use super::AgentPort;
use crate::agent::{Agent, AgentError, StartWith};
use crate::guide::Told;
use crate::template::Furnishing;

fn words(error: AgentError) -> String {
    error.to_string()
}

impl AgentPort for Agent {
    fn state(&self) -> watch::Receiver<AgentState> {
        Agent::state(self)
    }

    fn failure(&self) -> Option<String> {
        let failure = Agent::failure(self)?;
        Some(format!("{} {}", failure.message, failure.last_output).trim().to_owned())
    }

    fn prepare(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Agent::prepare(self).await.map_err(words) })
    }

    fn unprepare(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Agent::unprepare(self).await.map_err(words) })
    }

    fn furnish(&self, furnishing: Furnishing) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Agent::furnish(self, furnishing).await.map_err(words) })
    }

    fn start<'a>(&'a self, with: StartWith<'a>, token: SecretString) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move { Agent::start(self, with, token).await.map_err(words) })
    }

    fn tell(&self, told: Told) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Agent::tell(self, told).await.map_err(words) })
    }

    fn warm_up(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Agent::warm_up(self).await.map_err(words) })
    }

    fn suspend(&self) -> BoxFuture<'_, Result<bool, String>> {
        Box::pin(async move { Agent::suspend(self).await.map_err(words) })
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Agent::resume(self).await.map_err(words) })
    }

    fn stop(&self, grace: Duration) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Agent::stop(self, grace).await.map_err(words) })
    }

    fn next_wake_at(&self) -> BoxFuture<'_, Option<Millis>> {
        Box::pin(Agent::next_wake_at(self))
    }
}
