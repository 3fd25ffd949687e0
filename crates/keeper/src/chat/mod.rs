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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures::future::BoxFuture;
use protocol::channel::{ChannelError, VaultState};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

pub use conversation::Listener;
pub use functions::Functions;
pub use seat::{NOT_SAVED, Seat, TurnUnderWay};

use crate::approvals::RunningTurns;
use crate::clock::Clock;
use crate::limits::TURNS_END_BEFORE_LOCK;
use crate::vault_service::{BeforeLock, LockReason, VaultNotice, VaultService};
use conversation::Conversation;
use journal::{Journal, Keys};

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
    keys: Mutex<Keys>,
    /// Held while a conversation is made.
    creating: tokio::sync::Mutex<()>,
    /// Held while turns are written down as completed: what is remembered of all of them is one record.
    completing: tokio::sync::Mutex<()>,
    /// Everyone who ever asked for something, while they listen.
    watchers: Mutex<HashMap<u64, Arc<dyn Listener>>>,
}

/// What is in memory while the vault is unlocked.
#[derive(Default)]
struct Shelf {
    conversations: Option<HashMap<String, Arc<Conversation>>>,
    /// The unlock in which they were read: those of an earlier one are read again.
    unlock: u64,
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
                keys: Mutex::default(),
                creating: tokio::sync::Mutex::default(),
                completing: tokio::sync::Mutex::default(),
                watchers: Mutex::default(),
            }),
        };
        let turns = EndTurns(Arc::downgrade(&chat.inner));
        // While the agent is still there, and before its home is sealed.
        chat.inner.vault.first_before_lock(Arc::new(turns));
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
                    // What was missed may have been a lock, and an unlock after it.
                    Ok(VaultNotice::Unlocked | VaultNotice::Locked { .. }) | Err(RecvError::Lagged(_)) => chat.look(),
                    Ok(_) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Takes up what waits, or forgets everything, as the vault is now.
    fn look(&self) {
        if self.inner.vault.state() != VaultState::Unlocked {
            let mut shelf = self.shelf();
            shelf.conversations = None;
            *self.keys() = Keys::default();
        } else if let Err(error) = self.take_up() {
            tracing::error!(code = error.code, "the conversations cannot be read");
        }
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

    /// Also where the notice of a lock has not come yet, or never does.
    fn loaded<'a>(&self, shelf: &'a mut Shelf) -> Result<&'a mut HashMap<String, Arc<Conversation>>, ChannelError> {
        let unlock = self.inner.vault.unlock_number()?;
        if shelf.conversations.is_none() || shelf.unlock != unlock {
            *self.keys() = self.inner.journal.keys()?;
            let now = self.inner.clock.now();
            let loaded = self.inner.journal.load()?.into_iter().map(|(record, turns)| {
                let id = record.id.clone();
                (id, Arc::new(Conversation::new(record, turns, now)))
            });
            shelf.conversations = Some(loaded.collect());
            shelf.unlock = unlock;
        }
        Ok(shelf.conversations.get_or_insert_default())
    }

    /// What is remembered of turns that were completed long ago. No other lock is taken under this one.
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.inner.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the turns that run, because the vault is about to lock, and begins none any more. Says whether how each ended is written down.
    async fn end_turns(&self) -> bool {
        let conversations = self.shelf().conversations.clone().unwrap_or_default();
        for conversation in conversations.values() {
            let mut state = conversation.state();
            state.locking = true;
            if let Some(running) = &state.running {
                running.abort.notify_one();
            }
        }
        for conversation in conversations.values() {
            conversation.rested().await;
        }
        let unwritten = |conversation: &Conversation| conversation.state().turns.iter().any(|turn| turn.unwritten);
        !conversations.values().any(|conversation| unwritten(conversation))
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

/// A turn that runs when the vault locks could not go on: it ends with what it has said so far, and says why.
struct EndTurns(Weak<Inner>);

impl BeforeLock for EndTurns {
    fn before_lock(&self, _: LockReason) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let Some(inner) = self.0.upgrade() else { return true };
            let ended = timeout(TURNS_END_BEFORE_LOCK, Chat { inner }.end_turns()).await;
            ended.unwrap_or_else(|_| {
                tracing::warn!("locked with a turn that did not end; the next unlock looks how far it came");
                false
            })
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
