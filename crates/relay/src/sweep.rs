//! What has waited too long goes back to its sender; what has waited too long there too is gone.

use std::sync::Arc;

use tracing::{info, warn};

use crate::mailbox::Content;
use crate::store::Expired;
use crate::writer::{Gone, Job, Take};
use crate::{Shared, limits, now_ms, store};

pub(crate) async fn run(shared: Arc<Shared>) {
    let mut look = tokio::time::interval(limits::SWEEP_EVERY);
    loop {
        look.tick().await;
        if sweep(&shared).await.is_none() {
            return;
        }
    }
}

/// All that has waited too long by now. None when the relay ends.
async fn sweep(shared: &Shared) -> Option<()> {
    let before = now_ms() - shared.config.waiting_for_ms;
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let expired = match store::expired(shared.database.pool(), before, after).await {
            Ok(expired) => expired,
            Err(error) => {
                warn!(%error, "what waits too long could not be looked for");
                return Some(());
            }
        };
        let is_last = expired.len() < limits::SWEEP_ROWS;
        for one in expired {
            after = (one.mailbox, one.waiting.number);
            send_back(shared, one).await?;
        }
        if is_last {
            return Some(());
        }
    }
}

/// None when the relay ends.
async fn send_back(shared: &Shared, expired: Expired) -> Option<()> {
    let Some(mailbox) = shared.mailboxes.by_id(expired.mailbox) else {
        return Some(());
    };
    let sender = (!expired.was_returned)
        .then(|| shared.mailboxes.by_id(expired.waiting.sender))
        .flatten();
    info!(mailbox = %mailbox.key, "something has waited for too long");
    let take = sender.map(|sender| Take {
        sender: sender.id,
        to: sender,
        id: expired.waiting.id,
        at: now_ms(),
        content: Content::Returned(mailbox.key),
        reply: None,
    });
    let gone = Gone {
        mailbox,
        waiting: vec![expired.waiting],
    };
    shared.jobs.send(Job::Return(gone, take)).await.ok()
}
