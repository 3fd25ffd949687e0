//! What the tenant API needs of whoever speaks to the cells in platform custody. The two know nothing else of each other.

use std::time::Duration;

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::chat::{CellEvent, ChatEvent};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::cell_control::CellRef;

/// Why a cell did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AgentError {
    /// It cannot be reached now. The text is for the developer.
    #[error("{message}")]
    Unavailable { message: String, retry_after: Duration },
    /// It was removed, or is about to be.
    #[error("There is nothing here any more: the tenant, or its agent, was removed.")]
    Gone,
    /// Its keeper refused.
    #[error("{0}")]
    Refused(#[from] ChannelError),
    /// Trying again does not help: somebody has to look at it.
    #[error("{0}")]
    Failed(String),
}

/// Reads what a keeper answered.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, AgentError> {
    serde_json::from_value(answer).map_err(|error| AgentError::Failed(format!("the keeper's answer: {error}")))
}

/// What happens in a cell.
#[derive(Debug, Clone)]
pub enum AgentEvent {
    /// In the conversation that is listened to.
    Chat(ChatEvent),
    /// How far the agent is from answering.
    Cell(CellEvent),
}

/// A conversation that is listened to.
pub struct Listening {
    /// Ends when the connection ends, or when too much waits to be read.
    pub events: mpsc::Receiver<AgentEvent>,
    /// Done once every event of the conversation from here on is told. Waits for the agent.
    pub opened: BoxFuture<'static, Result<(), AgentError>>,
}

/// A model and its key, on the way into a vault.
#[derive(Serialize)]
pub struct ModelParams {
    pub kind: String,
    pub base_url: String,
    /// Absent: the one that is stored for the same address.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_clear")]
    pub key: Option<Zeroizing<String>>,
    pub model: String,
    /// Absent: as it was. Null: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Value>,
}

fn in_clear<S: Serializer>(key: &Option<Zeroizing<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.as_deref().map_or("", String::as_str))
}

/// What was removed with a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedCell {
    /// Sealed pieces of its home, and their size together.
    pub blobs: u64,
    pub bytes: u64,
}

/// Speaks to cells in platform custody, waking them and opening their vaults.
pub trait PlatformAgents: Send + Sync + 'static {
    /// Calls a method of the cell's channel (`docs/protocol.md`, section 2).
    fn call<'a>(
        &'a self,
        cell: CellRef,
        method: &'static str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, AgentError>>;
    /// Puts a model's key into the cell's vault, as the one that is asked first. The others stay.
    fn set_model(&self, cell: CellRef, model: ModelParams) -> BoxFuture<'_, Result<(), AgentError>>;
    /// The same of all its models, in the order in which they are asked.
    fn set_models(&self, cell: CellRef, models: Vec<ModelParams>) -> BoxFuture<'_, Result<(), AgentError>>;
    /// Hears of a conversation.
    fn listen<'a>(&'a self, cell: CellRef, conversation: &'a str) -> BoxFuture<'a, Result<Listening, AgentError>>;
    /// Whether the cell may be woken though nobody waits for it: it runs already, or leaves room for those that somebody waits for.
    fn has_room(&self, cell: CellRef) -> bool;
    /// Whoever woke it needs it no more: it is frozen, and makes room for others. Whether it is so now; not while its agent is at something.
    fn leave(&self, cell: CellRef) -> BoxFuture<'_, bool>;
    /// Removes the cell for ever: containers, vault, home, everything sealed. Returns when it is done.
    fn remove(&self, cell: CellRef) -> BoxFuture<'_, Result<RemovedCell, AgentError>>;
}
