//! What the owner shares: capabilities that were issued here, and what is done with them when their holders present them.
//!
//! What is promised here: a presentation is answered only when its chain begins with a capability that this vault remembers having
//! issued, no link of it was revoked, each link's limits leave room and its nonce is new; all of that is in the vault before the
//! call leaves. When any of it cannot be known, the answer is no. What is answered is data, never a key.

mod count;
mod error;
mod given;
mod methods;
mod present;

use std::sync::Arc;

pub use error::ShareError;
pub use given::{Given, Terms};

use crate::activity::Activity;
use crate::broker::Routes;
use crate::clock::Clock;
use crate::contacts::Contacts;
use crate::vault_service::VaultService;

/// The shares of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Shares {
    vault: VaultService,
    contacts: Contacts,
    routes: Routes,
    activity: Activity,
    clock: Arc<dyn Clock>,
    /// Held while one presentation is counted, or a capability is issued or revoked.
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
}

impl Shares {
    /// The shares in this vault.
    pub fn new(
        vault: VaultService,
        contacts: Contacts,
        routes: Routes,
        activity: Activity,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            vault,
            contacts,
            routes,
            activity,
            clock,
            one_at_a_time: Arc::default(),
        }
    }
}
