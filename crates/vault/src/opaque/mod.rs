//! OPAQUE (RFC 9807) in the one suite that the channel uses: ristretto255 with SHA-512, 3DH, Argon2id in the client.
//! Messages go in and out as bytes; nothing outside this module knows which library is behind it.

mod client;
#[cfg(test)]
mod rfc9807;
mod server;
mod suite;

pub use client::{ClientLogin, ClientRegistration, LoggedIn, Registered};
pub use server::{LoginChallenge, Registration, ServerSetup};
pub(crate) use suite::stretch;
pub use suite::{ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES};

use uuid::Uuid;

/// Why a step is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpaqueError {
    #[error("an OPAQUE message is malformed")]
    Malformed,
    /// The client cannot tell which: that is the point of OPAQUE.
    #[error("the password or phrase is wrong, or this is not the keeper that it was registered with")]
    WrongSecretOrKeeper,
    #[error("the proof of the password is wrong")]
    WrongProof,
}

/// What both ends put in as their identities, so that a registration fits one slot of one cell only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    pub cell: Uuid,
    pub slot: Uuid,
}

impl Names {
    fn client(&self) -> String {
        format!("holdfast/slot/{}", self.slot)
    }

    fn server(&self) -> String {
        format!("holdfast/cell/{}", self.cell)
    }

    fn credential(&self) -> String {
        self.slot.to_string()
    }
}

/// What both ends of an exchange must agree on, as the RFC names it.
#[derive(Clone, Copy, Default)]
struct Agreed<'a> {
    client: Option<&'a [u8]>,
    server: Option<&'a [u8]>,
    context: Option<&'a [u8]>,
}

impl<'a> Agreed<'a> {
    /// The two identities; the context is empty.
    fn on(client: &'a str, server: &'a str) -> Self {
        Self {
            client: Some(client.as_bytes()),
            server: Some(server.as_bytes()),
            context: None,
        }
    }

    fn identifiers(&self) -> opaque_ke::Identifiers<'a> {
        opaque_ke::Identifiers {
            client: self.client,
            server: self.server,
        }
    }
}
