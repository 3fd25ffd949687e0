//! What a cell needs of its agent.

use std::time::Duration;

use futures::future::BoxFuture;
use protocol::Millis;
use protocol::control::AgentState;
use secrecy::SecretString;
use tokio::sync::watch;

use crate::agent::StartWith;
use crate::guide::Told;
use crate::template::Furnishing;

/// The agent, through its bridge.
pub trait AgentPort: Send + Sync + 'static {
    /// How far it is.
    fn state(&self) -> watch::Receiver<AgentState>;
    /// What it said at its end, for its owner only.
    fn failure(&self) -> Option<String>;
    /// Has its code loaded before there is a home.
    fn prepare(&self) -> BoxFuture<'_, Result<(), String>>;
    /// Frees what was prepared and not used.
    fn unprepare(&self) -> BoxFuture<'_, Result<(), String>>;
    /// Puts what its template says into the restored home, if it was given another version last; it does not run.
    fn furnish(&self, furnishing: Furnishing) -> BoxFuture<'_, Result<(), String>>;
    /// Starts it in the restored home, with the token that the keeper shows it; returns when it answers.
    fn start<'a>(&'a self, with: StartWith<'a>, token: SecretString) -> BoxFuture<'a, Result<(), String>>;
    /// Tells it about its keeper and of what others share, in its home, which is there; takes away what it was told before and is not now.
    fn tell(&self, told: Told) -> BoxFuture<'_, Result<(), String>>;
    /// Makes the first turn as fast as those after it.
    fn warm_up(&self) -> BoxFuture<'_, Result<(), String>>;
    /// Has it put everything on its disk and take no new work; false when it is too busy.
    fn suspend(&self) -> BoxFuture<'_, Result<bool, String>>;
    /// Undoes [`Self::suspend`]; harmless without one.
    fn resume(&self) -> BoxFuture<'_, Result<(), String>>;
    /// Ends it.
    fn stop(&self, grace: Duration) -> BoxFuture<'_, Result<(), String>>;
    /// When it next wants to be awake.
    fn next_wake_at(&self) -> BoxFuture<'_, Option<Millis>>;
}
