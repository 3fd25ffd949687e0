//! Social recovery (`docs/protocol.md`, section 1.7): the own secret split among contacts, and the shares held for others.
//!
//! What is promised here: a share leaves this vault only for a request that its owner's contact has confirmed by its code, never
//! before the time that the owner set has passed since this keeper first saw the request, never after the owner has stopped it,
//! and only sealed to the key of that request. The platform carries requests and messages; it decides none of this.

mod asked;
mod error;
mod held;
mod methods;
mod own;

use std::sync::Arc;

use crate::clock::Clock;
use crate::contacts::Contacts;
use crate::vault_service::VaultService;
pub use error::RecoveryFailure;

/// The recovery of one vault, and what it holds for others. Cheap to clone.
#[derive(Clone)]
pub struct Recovery {
    vault: VaultService,
    contacts: Contacts,
    clock: Arc<dyn Clock>,
}

impl Recovery {
    /// The recovery of this vault.
    pub fn new(vault: VaultService, contacts: Contacts, clock: Arc<dyn Clock>) -> Self {
        Self { vault, contacts, clock }
    }
}
