//! What a relay tells the platform that carries keepers' connections to it (`docs/protocol.md`, section 7.7): over which of them it was
//! proved whose a mailbox is, and in which something waits.

use serde::{Deserialize, Serialize};

use super::MailboxKey;
use crate::CarrierId;

/// Where it is told, as server-sent events.
pub const PATH: &str = "/relay/news";
/// The header by which who carries a connection gives it an id, which means nothing to anybody else and is not the keeper's to choose.
pub const CARRIER: &str = "holdfast-carrier";
/// The header by which who carries a connection says that no mailbox is made over it, with the value [`OPENS_NONE`].
pub const OPENS: &str = "holdfast-opens";
pub const OPENS_NONE: &str = "none";

/// The data of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum News {
    /// Over this connection it was proved that the mailbox is its keeper's, which fetches what waits.
    Opened { carrier: CarrierId, mailbox: MailboxKey },
    /// Something waits in it, and nobody is connected to it.
    Waits { mailbox: MailboxKey },
}
