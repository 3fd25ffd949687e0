//! Who is told that something waits for a receiver that is not connected, and that one has come. The relay knows its key and nothing
//! else of it.

use std::sync::Arc;

use protocol::relay::MailboxKey;

use crate::{Shared, limits};

/// Wakes receivers, within somebody else's policy. Called at most once in `WAKE_EVERY` for each.
pub trait Waker: Send + Sync + 'static {
    /// Something waits for this one. Returns at once.
    fn waiting(&self, mailbox: MailboxKey);
}

/// Nobody is woken: what waits is there when its receiver comes.
pub struct NobodyWakes;

impl Waker for NobodyWakes {
    fn waiting(&self, _mailbox: MailboxKey) {}
}

/// Whoever carries a connection to the relay, and wants to know whose mailbox it turned out to be: an extension of the request. Said
/// once the mailbox's key was proved over this very connection, so nobody is taken for the receiver of another's messages.
#[derive(Clone)]
pub struct Carrier(Arc<dyn Fn(MailboxKey) + Send + Sync>);

impl Carrier {
    /// `proved` returns at once.
    pub fn new(proved: impl Fn(MailboxKey) + Send + Sync + 'static) -> Self {
        Self(Arc::new(proved))
    }

    pub(crate) fn proved(&self, mailbox: MailboxKey) {
        (self.0)(mailbox);
    }
}

/// A look at who waits, for whoever was told some time ago that something waits; and at whether the relay can keep anything.
#[derive(Clone)]
pub struct Lookout(Arc<Shared>);

impl Lookout {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Whether something waits for this one, and it is not connected.
    pub fn waits(&self, mailbox: &MailboxKey) -> bool {
        self.0
            .mailboxes
            .get(mailbox)
            .is_some_and(|mailbox| mailbox.left_alone())
    }

    /// Whether the database answers now.
    pub async fn ready(&self) -> bool {
        let pool = self.0.database.pool();
        let answer = tokio::time::timeout(limits::DATABASE_WAIT, sqlx::query("SELECT").execute(pool));
        matches!(answer.await, Ok(Ok(_)))
    }
}
