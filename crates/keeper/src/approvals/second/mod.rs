//! What the agent wants to change is done when a second person has agreed, too (`docs/protocol.md`, section 7.6).
//!
//! What is promised here: while it is on, nothing of these kinds is done without an answer that one of the chosen people has signed for
//! exactly this request, in time; no rule goes round it; and the keys of the chosen were compared by the owner, so that the platform
//! can put nobody in their place. What an organisation has demanded once stays on until the owner switches it off.

mod asking;
mod choice;
mod deciding;
mod message;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

pub use asking::carry_seconds;
use vault::PublicIdentity;

use super::Action;
use crate::contacts::Contacts;
use crate::relay::Relay;

/// What there is to know beside the vault.
#[derive(Default)]
pub(super) struct Second {
    /// How the others are known and reached; without it nothing can be allowed while a second person is needed.
    way: OnceLock<(Contacts, Relay)>,
    /// The owner's organisation demands it, as the platform says now.
    demanded: AtomicBool,
}

/// Whether a second person is asked about something of this kind: what changes something at a service, and what lets others do so. A
/// command in the agent's own container, and words to a person, are not.
pub(super) fn is_of_two(action: &Action) -> bool {
    match action {
        Action::CallService { .. } | Action::CallShared { .. } | Action::Share(_) => true,
        Action::RunCommand { .. } | Action::AskForShare { .. } => false,
    }
}

/// Somebody who can be asked now.
pub(in crate::approvals) struct Person {
    name: String,
    identity: PublicIdentity,
}
