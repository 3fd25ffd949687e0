//! Pushes the epochs of followed issuers: those that were missed, in order, and each new one when it is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use protocol::relay::FromRelay;
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
    /// Not looked at yet: issuer, and the epoch after which to begin.
    new: Vec<(i64, u64, CancellationToken)>,
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
        self.issuers().all.len()
    }

    pub fn follow(&self, issuer: i64, after: u64) {
        let end = CancellationToken::new();
        let mut issuers = self.issuers();
        if let Some(before) = issuers.all.insert(issuer, end.clone()) {
            before.cancel();
        }
        issuers.new.push((issuer, after, end));
        drop(issuers);
        self.changed.notify_one();
    }

    pub fn unfollow(&self, issuer: i64) {
        if let Some(end) = self.issuers().all.remove(&issuer) {
            end.cancel();
        }
    }

    /// Pushes for as long as somebody takes it.
    pub async fn push(self, to: mpsc::Sender<Utf8Bytes>) {
        let mut following = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = self.changed.notified() => {
                    let new = std::mem::take(&mut self.issuers().new);
                    for (issuer, after, end) in new {
                        let one = one(Arc::clone(&self.shared), Arc::clone(&self.mailbox), issuer, after, to.clone());
                        following.push(async move { end.run_until_cancelled(one).await });
                    }
                }
                Some(_) = following.next(), if !following.is_empty() => {}
                () = to.closed() => return,
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
