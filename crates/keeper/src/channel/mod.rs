//! The keeper's end of a channel (`docs/protocol.md`, sections 1 and 2), over any WebSocket.
//!
//! What is promised here: nothing but a handshake is answered before both ends have proved themselves; nothing but making or
//! opening the vault is answered while it is not open; a client that does not read is let go instead of filling memory; a
//! frame that is not the next one of the other end closes the connection.

mod close;
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod host;
mod methods;
mod outgoing;
mod own_methods;
mod policy_methods;
mod session;
mod slot_methods;
mod tickets;

pub use host::{ChannelHost, websocket_config};
pub use methods::{
    Methods, Router, SecretJson, SecretMethods, SlotEnd, read_params, read_value, unknown_method, write_result,
};
pub use outgoing::Subscriber;
pub(crate) use own_methods::KekParam;
