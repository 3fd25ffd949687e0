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
        match store::expired(shared.database.pool(), now_ms() - shared.config.waiting_for_ms).await {
            Ok(expired) => {
                for one in expired {
                    if send_back(&shared, one).await.is_none() {
                        return;
                    }
                }
            }
            Err(error) => warn!(%error, "what waits too long could not be looked for"),
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
    let take = sender.map(|sender| {
        sender.reserve_always();
        Take {
            sender: sender.id,
            to: sender,
            id: expired.waiting.id,
            at: now_ms(),
            content: Content::Returned(mailbox.key),
            reply: None,
        }
    });
    let gone = Gone {
        mailbox,
        waiting: vec![expired.waiting],
    };
    shared.jobs.send(Job::Return(gone, take)).await.ok()
}
