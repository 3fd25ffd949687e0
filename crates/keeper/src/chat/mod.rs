//! Conversations on top of OpenClaw.
//!
//! What is promised here: a turn that was answered for is durable in the vault before the answer leaves, is given to the
//! agent once and in order, and does not depend on any connection; `saved` is told after the home that holds the turn is
//! sealed. What a crash took from the home is shown as interrupted, with the person's words; nothing runs again by itself.
//!
//! A turn goes `Waiting` (durable) → `Sent` (durable, before the agent gets it) → answered → saved (forgotten here: the
//! sealed home has it). A turn found `Sent` after a restart is looked up in the restored transcript.

mod accept;
mod ahead;
mod answer;
mod conversation;
mod ending;
mod failure;
mod follow;
mod functions;
#[doc(hidden)]
pub mod fuzzing;
mod journal;
mod log;
mod manage;
mod methods;
mod open;
mod resolve;
mod seat;
mod size;
mod title;
mod transcript;
mod work;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::channel::{ChannelError, VaultState};
use tokio::sync::broadcast::error::RecvError;

pub use conversation::Listener;
pub use functions::Functions;
pub use seat::{NOT_SAVED, Seat, TurnUnderWay};

use crate::approvals::RunningTurns;
use crate::clock::Clock;
use crate::vault_service::{VaultNotice, VaultService};
use conversation::Conversation;
use journal::Journal;

/// All conversations of the cell.
#[derive(Clone)]
pub struct Chat {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    seat: Arc<dyn Seat>,
    clock: Arc<dyn Clock>,
    vault: VaultService,
    functions: Functions,
    shelf: Mutex<Shelf>,
    /// Held while a conversation is made.
    creating: tokio::sync::Mutex<()>,
    /// Everyone who ever asked for something, while they listen.
    watchers: Mutex<HashMap<u64, Arc<dyn Listener>>>,
}

/// What is in memory while the vault is unlocked.
#[derive(Default)]
struct Shelf {
    conversations: Option<HashMap<String, Arc<Conversation>>>,
}

impl Chat {
    /// Conversations in `vault`, held in `seat`; what the agent calls of a client's comes by `functions`. Turns that wait go on as soon as the vault is unlocked.
    pub fn new(vault: VaultService, seat: Arc<dyn Seat>, clock: Arc<dyn Clock>, functions: Functions) -> Self {
        let chat = Self {
            inner: Arc::new(Inner {
                journal: Journal::new(vault.clone()),
                seat,
                clock,
                vault,
                functions,
                shelf: Mutex::default(),
                creating: tokio::sync::Mutex::default(),
                watchers: Mutex::default(),
            }),
        };
        chat.follow_vault();
        chat
    }

    /// Takes up what waits when the vault opens, and forgets everything when it locks.
    fn follow_vault(&self) {
        let mut notices = self.inner.vault.notices();
        let chat = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            loop {
                let notice = notices.recv().await;
                let Some(inner) = chat.upgrade() else { return };
                let chat = Chat { inner };
                match notice {
                    Ok(VaultNotice::Unlocked) => {
                        if let Err(error) = chat.take_up() {
                            tracing::error!(code = error.code, "the conversations cannot be read");
                        }
                    }
                    Ok(VaultNotice::Locked(_)) => chat.shelf().conversations = None,
                    // What was missed may have been a lock.
                    Err(RecvError::Lagged(_)) if chat.inner.vault.state() != VaultState::Unlocked => {
                        chat.shelf().conversations = None;
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Goes on with everything that is not done.
    fn take_up(&self) -> Result<(), ChannelError> {
        for conversation in self.all()? {
            self.work(&conversation);
        }
        Ok(())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.inner.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All conversations, also those that are to be deleted.
    fn all(&self) -> Result<Vec<Arc<Conversation>>, ChannelError> {
        let mut shelf = self.shelf();
        let conversations = self.loaded(&mut shelf)?;
        Ok(conversations.values().cloned().collect())
    }

    fn find(&self, id: &str) -> Result<Arc<Conversation>, ChannelError> {
        let mut shelf = self.shelf();
        let found = self.loaded(&mut shelf)?.get(id).cloned();
        found
            .filter(|conversation| !conversation.state().record.deleted)
            .ok_or_else(|| ChannelError::new("unknown_conversation", "This conversation does not exist any more."))
    }

    fn loaded<'a>(&self, shelf: &'a mut Shelf) -> Result<&'a mut HashMap<String, Arc<Conversation>>, ChannelError> {
        if shelf.conversations.is_none() {
            let now = self.inner.clock.now();
            let loaded = self.inner.journal.load()?.into_iter().map(|(record, turns)| {
                let id = record.id.clone();
                (id, Arc::new(Conversation::new(record, turns, now)))
            });
            shelf.conversations = Some(loaded.collect());
        }
        Ok(shelf.conversations.get_or_insert_default())
    }

    /// Remembers who asks, so that they hear when the list changes.
    fn watch(&self, listener: &Arc<dyn Listener>) {
        let mut watchers = self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.entry(listener.id()).or_insert_with(|| Arc::clone(listener));
    }

    /// Tells everyone that the list of conversations changed.
    fn list_changed(&self) {
        let mut watchers = self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        watchers.retain(|_, listener| listener.chats());
    }
}

impl RunningTurns for Chat {
    fn running(&self) -> Vec<String> {
        let conversations = self.all().unwrap_or_default();
        conversations
            .iter()
            .filter(|conversation| conversation.state().running.is_some())
            .map(|conversation| conversation.id.clone())
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
