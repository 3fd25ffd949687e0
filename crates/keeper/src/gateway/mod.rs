//! A client of OpenClaw's Gateway protocol, version 4, over any byte stream (a connection that the bridge joined).
//!
//! A [`Gateway`] is one authenticated connection. It ends when the stream ends or the last clone is dropped, answers
//! every request that was under way with an error then, and never reconnects by itself: `agent` does that.

mod connection;
mod error;
mod event;
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod requests;

pub use connection::Gateway;
pub use error::GatewayError;
pub use event::{GatewayEvent, RunEvent, RunEventKind};
pub use history::{Block, Entry, EntryKind, History, InFlight};
pub use requests::{Cron, SendStatus, SessionRow, Suspension};

/// The version of OpenClaw's protocol that this client speaks.
pub const PROTOCOL: u64 = 4;
