//! The cell as conversations and the channel see it.

use std::time::Duration;

use futures::future::BoxFuture;
use protocol::bridge::HOME_DIR;
use protocol::channel::ChannelError;
use protocol::chat::{CellEvent, CellPhase};
use serde_json::Value;

use super::start::Asked;
use super::{Cell, TurnGuard};
use crate::agent::Agent;
use crate::channel::{Methods, Subscriber, unknown_method};
use crate::chat::{Seat, TurnUnderWay};
use crate::gateway::Gateway;

/// A connection to the agent that broke is made again within this time.
const GATEWAY: Duration = Duration::from_secs(30);

/// A cell with the agent that lives in it.
#[derive(Clone)]
pub struct CellSeat {
    cell: Cell,
    agent: Agent,
}

impl CellSeat {
    /// Joins the two.
    pub fn new(cell: Cell, agent: Agent) -> Self {
        Self { cell, agent }
    }
}

impl Seat for CellSeat {
    fn ready(&self) -> BoxFuture<'_, Result<Gateway, ChannelError>> {
        Box::pin(async {
            let mut gateways = self.agent.gateways();
            let mut phases = self.cell.inner.phases.watch();
            loop {
                self.cell.ready().await?;
                let is_over =
                    |event: &Option<CellEvent>| event.as_ref().is_none_or(|event| event.phase != CellPhase::Ready);
                let connected = tokio::select! {
                    connected = tokio::time::timeout(GATEWAY, gateways.wait_for(Option::is_some)) => connected,
                    // An agent that has just ended counts as ready until that is noticed: its next start is waited for.
                    _ = phases.wait_for(is_over) => continue,
                };
                return connected
                    .ok()
                    .and_then(|gateway| gateway.ok().and_then(|gateway| gateway.clone()))
                    .ok_or_else(|| ChannelError::new("agent_failed", "The agent does not answer."));
            }
        })
    }

    fn is_ready(&self) -> bool {
        self.cell.current().phase == CellPhase::Ready && self.agent.gateway().is_some() && !self.cell.has_other_models()
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.cell.settled())
    }

    fn turn_started(&self) -> Box<dyn TurnUnderWay> {
        Box::new(Turn {
            cell: self.cell.clone(),
            guard: self.cell.turn_started(),
        })
    }

    fn saved_at_last(&self) -> BoxFuture<'_, Result<(), ChannelError>> {
        Box::pin(self.cell.saved_at_last())
    }

    fn remove_files(&self, paths: Vec<String>) -> BoxFuture<'_, Result<(), ChannelError>> {
        Box::pin(async move {
            let paths: Vec<String> = paths
                .iter()
                .filter_map(|path| path.strip_prefix(HOME_DIR)?.strip_prefix('/'))
                .map(str::to_owned)
                .collect();
            self.cell
                .remove_files(&paths)
                .await
                .map_err(|error| ChannelError::new("home", error.to_string()))
        })
    }

    fn scrub(&self) -> BoxFuture<'_, Result<(), ChannelError>> {
        Box::pin(async {
            let scrubbed = self.agent.scrub().await;
            scrubbed.map_err(|error| ChannelError::new("not_scrubbed", error.to_string()))
        })
    }
}

struct Turn {
    cell: Cell,
    guard: TurnGuard,
}

impl TurnUnderWay for Turn {
    fn finished(self: Box<Self>) -> BoxFuture<'static, Result<(), ChannelError>> {
        Box::pin(async move { self.cell.turn_finished(self.guard).await })
    }
}

impl Methods for Cell {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        Box::pin(async move {
            match method {
                // All of the event `cell`: a client that has just come knows everything.
                "cell.start" => serde_json::to_value(self.start(Asked::ByAPerson)?)
                    .map_err(|error| ChannelError::new("internal", error.to_string())),
                "model.test" => self.inner.parts.broker.test(params).await,
                _ => Err(unknown_method(method)),
            }
        })
    }
}
