//! Who is told that something waits for a receiver that is not connected. The relay knows its key and nothing else of it.

use protocol::relay::MailboxKey;

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
