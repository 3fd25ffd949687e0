//! Pushes the epochs of followed issuers: those that were missed, in order, and each new one when it is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use protocol::relay::{FromRelay, MailboxKey};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::text;
use crate::mailbox::Mailbox;
use crate::{Shared, limits};

/// Whom a connection follows. Cheap to clone.
#[derive(Clone)]
pub(super) struct Followed {
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    issuers: Arc<Mutex<Issuers>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct Issuers {
    /// Each with what ends its following.
    all: HashMap<i64, CancellationToken>,
    /// Not looked at yet, or nobody has come with their keys, so that nothing is revoked; each with the epoch after which to begin.
    unknown: HashMap<MailboxKey, u64>,
}

impl Followed {
    pub fn new(shared: Arc<Shared>, mailbox: Arc<Mailbox>) -> Self {
        Self {
            shared,
            mailbox,
            issuers: Arc::default(),
            changed: Arc::default(),
        }
    }

    fn issuers(&self) -> MutexGuard<'_, Issuers> {
        self.issuers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self) -> usize {
        let issuers = self.issuers();
        issuers.all.len() + issuers.unknown.len()
    }

    /// Follows an issuer from behind this epoch on.
    pub fn follow(&self, issuer: MailboxKey, after: u64) {
        self.issuers().unknown.insert(issuer, after);
        self.changed.notify_one();
    }

    pub fn unfollow(&self, issuer: MailboxKey) {
        let known = self.shared.mailboxes.get(&issuer);
        let mut issuers = self.issuers();
        issuers.unknown.remove(&issuer);
        if let Some(end) = known.and_then(|mailbox| issuers.all.remove(&mailbox.id)) {
            end.cancel();
        }
    }

    /// Begins with those who are known now: issuer, the epoch after which to begin, and what ends it.
    fn begin(&self) -> Vec<(i64, u64, CancellationToken)> {
        let mut issuers = self.issuers();
        let known = |(key, after): (&MailboxKey, &u64)| Some((*key, self.shared.mailboxes.get(key)?.id, *after));
        let known: Vec<_> = issuers.unknown.iter().filter_map(known).collect();
        let follow = |(key, id, after)| {
            let end = CancellationToken::new();
            issuers.unknown.remove(&key);
            if let Some(before) = issuers.all.insert(id, end.clone()) {
                before.cancel();
            }
            (id, after, end)
        };
        known.into_iter().map(follow).collect()
    }

    /// Pushes for as long as somebody takes it.
    pub async fn push(self, to: mpsc::Sender<Utf8Bytes>) {
        let mut following = FuturesUnordered::new();
        let mut added = self.shared.mailboxes.added();
        loop {
            let waits = !self.issuers().unknown.is_empty();
            tokio::select! {
                () = self.changed.notified() => {}
                Ok(()) = added.changed(), if waits => {}
                Some(_) = following.next(), if !following.is_empty() => continue,
                () = to.closed() => return,
            }
            for (issuer, after, end) in self.begin() {
                let one = one(
                    Arc::clone(&self.shared),
                    Arc::clone(&self.mailbox),
                    issuer,
                    after,
                    to.clone(),
                );
                following.push(async move { end.run_until_cancelled(one).await });
            }
        }
    }
}

async fn one(shared: Arc<Shared>, mailbox: Arc<Mailbox>, issuer: i64, mut after: u64, to: mpsc::Sender<Utf8Bytes>) {
    let mut newest = shared.revocations.watch(issuer);
    loop {
        let known = newest.borrow_and_update().0;
        while after < known {
            mailbox.reading.until_ready().await;
            match shared.revocations.epochs(issuer, after).await {
                Ok(read) if read.is_empty() => break,
                Ok(read) => {
                    for (number, epoch) in read {
                        let Some(message) = text(&FromRelay::Epoch { epoch }) else {
                            continue;
                        };
                        if to.send(message).await.is_err() {
                            return;
                        }
                        after = number;
                    }
                }
                Err(error) => {
                    warn!(%error, "epochs could not be read; it is tried again");
                    tokio::time::sleep(limits::DATABASE_RETRY).await;
                }
            }
        }
        if newest.changed().await.is_err() {
            return;
        }
    }
}
