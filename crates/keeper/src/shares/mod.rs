//! What the owner shares: capabilities that were issued here, and what is done with them when their holders present them.
//!
//! What is promised here: a presentation is answered only when its chain begins with a capability that this vault remembers having
//! issued, no link of it was revoked, each link's limits leave room and its nonce is new; all of that is in the vault before the
//! call leaves. When any of it cannot be known, the answer is no. What is answered is data, never a key. What is taken back is refused
//! from the moment of that write on, and told to everybody who follows. What was passed on is used within every link that it came through,
//! and ends with each of them; who is suspended or removed uses nothing, and nothing is used through them. Of what may be copied, a copy is read only where its owner does not answer, and the relay says that it was not
//! taken back.

mod asked;
mod carry;
#[cfg(test)]
mod copies_tests;
mod copy_given;
mod copy_held;
mod count;
mod error;
mod given;
mod group;
#[cfg(test)]
mod group_links_tests;
#[cfg(test)]
mod group_tests;
mod late;
#[cfg(test)]
mod late_tests;
mod links;
#[cfg(test)]
mod links_tests;
mod managing;
#[cfg(test)]
mod managing_tests;
mod message;
mod methods;
mod passed_on;
mod place;
#[cfg(test)]
mod place_tests;
mod present;
mod received;
mod resources;
mod reword;
#[cfg(test)]
mod reword_tests;
mod skills;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tool_server_tests;
#[cfg(test)]
mod tool_tests;
mod using;

use std::sync::{Arc, OnceLock};

pub use asked::{Asked, words_to_send};
pub use copy_given::CopyOf;
pub use copy_held::{AsOf, Used};
pub(crate) use count::counted_since;
pub use error::ShareError;
pub use given::{Given, Terms};
pub use group::{Groups, InGroup, Tie};
pub use managing::{Manage, Managed};
pub use passed_on::PassOn;
pub use present::Answered;
use protocol::Millis;
pub use received::{Received, Standing};
pub use resources::{Grant, GroupResource, NewResource};
pub use reword::Words;
use tokio::sync::watch;
use tokio::time::Duration;
pub use using::UseReceived;
use using::Waiting;
use vault::KnownChains;

use crate::activity::Activity;
use crate::approvals::Approvals;
use crate::broker::Routes;
use crate::clock::Clock;
use crate::contacts::Contacts;
use crate::limits;
use crate::rates::Rates;
use crate::relay::Relay;
use crate::vault_service::VaultService;

fn millis(long: Duration) -> Millis {
    Millis::try_from(long.as_millis()).unwrap_or(Millis::MAX)
}

/// The shares of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Shares {
    vault: VaultService,
    contacts: Contacts,
    routes: Routes,
    rates: Rates,
    approvals: Approvals,
    activity: Activity,
    relay: Relay,
    clock: Arc<dyn Clock>,
    waiting: Waiting,
    changes: Arc<watch::Sender<u64>>,
    /// Held while one presentation is counted, or a capability is issued or revoked.
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
    /// Who knows people and the members of groups. Without it nothing of a group's is shared or used.
    groups: Arc<OnceLock<Arc<dyn Groups>>>,
    /// Chains whose signatures were verified.
    known_chains: Arc<KnownChains>,
    /// Held while one copy is read and sent.
    one_copy_at_a_time: Arc<tokio::sync::Mutex<()>>,
    /// How many copies others send.
    copies_pace: Arc<copy_held::Pace>,
    /// There is something of which there may be a copy and none is.
    copies_wanted: Arc<tokio::sync::Notify>,
    /// The names of the skills that were there when they were last looked at.
    skills_known: Arc<std::sync::Mutex<Vec<String>>>,
}

/// What they stand on.
pub struct SharesParts {
    pub vault: VaultService,
    pub contacts: Contacts,
    pub routes: Routes,
    pub rates: Rates,
    /// Where it stands whether a second person is needed.
    pub approvals: Approvals,
    pub activity: Activity,
    pub relay: Relay,
    pub clock: Arc<dyn Clock>,
}

impl Shares {
    /// The shares in this vault.
    pub fn new(parts: SharesParts) -> Self {
        let SharesParts {
            vault,
            contacts,
            routes,
            rates,
            approvals,
            activity,
            relay,
            clock,
        } = parts;
        Self {
            vault,
            contacts,
            routes,
            rates,
            approvals,
            activity,
            relay,
            clock,
            waiting: Waiting::default(),
            changes: Arc::new(watch::Sender::new(0)),
            one_at_a_time: Arc::default(),
            groups: Arc::default(),
            known_chains: Arc::new(KnownChains::new(limits::SHARE_CHAINS_KNOWN)),
            one_copy_at_a_time: Arc::default(),
            copies_pace: Arc::default(),
            copies_wanted: Arc::default(),
            skills_known: Arc::default(),
        }
    }

    /// Changes whenever something is shared, arrives, or is stopped, here or elsewhere.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}
