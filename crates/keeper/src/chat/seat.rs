//! What conversations need of the cell that they take place in.

use futures::future::BoxFuture;
use protocol::channel::ChannelError;

use crate::gateway::Gateway;

/// The code of what [`TurnUnderWay::finished`] comes to when the home could not be sealed; its message is for people.
pub const NOT_SAVED: &str = "not_saved";

/// The cell, as conversations see it.
pub trait Seat: Send + Sync + 'static {
    /// Waits until the agent answers; starts or resumes it if need be.
    fn ready(&self) -> BoxFuture<'_, Result<Gateway, ChannelError>>;
    /// The agent answers now, and what it is given now.
    fn is_ready(&self) -> bool;
    /// Waits while the agent answers still, and is about to be started again for other models: what begins then is for those.
    fn settled(&self) -> BoxFuture<'_, ()>;
    /// A turn begins: no pause until what is returned is dropped or finished.
    fn turn_started(&self) -> Box<dyn TurnUnderWay>;
    /// Resolves when the home is sealed and durable after it could not be: by whatever seals it next, or by a try from time to time.
    fn saved_at_last(&self) -> BoxFuture<'_, Result<(), ChannelError>>;
    /// Removes files of the home by their absolute paths; a path that leads out of the home is refused.
    fn remove_files(&self, paths: Vec<String>) -> BoxFuture<'_, Result<(), ChannelError>>;
    /// Takes what the agent has deleted out of its files.
    fn scrub(&self) -> BoxFuture<'_, Result<(), ChannelError>>;
}

/// A turn that keeps the cell awake.
pub trait TurnUnderWay: Send + 'static {
    /// The turn is over: resolves when the home that holds it is sealed and durable.
    fn finished(self: Box<Self>) -> BoxFuture<'static, Result<(), ChannelError>>;
}
