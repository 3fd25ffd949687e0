//! What the relay of this process tells management: whose a mailbox turned out to be, and that something waits in one. In the order in
//! which it happened, one after the other, so that who has come is not told of what has reached them.

use std::sync::Arc;

use management::Management;
use protocol::relay::MailboxKey;
use protocol::{CellId, TenantId};
use relay::{Carrier, Lookout, Waker};
use tokio::sync::mpsc;
use tracing::warn;

/// News that wait for management.
const NEWS: usize = 4096;

/// Whose keeper is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Whose {
    pub cell: CellId,
    pub tenant: TenantId,
}

enum News {
    /// This cell's keeper has shown that the mailbox is its own, and fetches.
    Opened(Whose, MailboxKey),
    Waits(MailboxKey),
}

/// The relay's end.
#[derive(Clone)]
pub struct Reporter(mpsc::Sender<News>);

/// Management's end.
pub struct Reports(mpsc::Receiver<News>);

/// The two ends.
pub fn reports() -> (Reporter, Reports) {
    let (sender, receiver) = mpsc::channel(NEWS);
    (Reporter(sender), Reports(receiver))
}

impl Reporter {
    /// For a connection that this cell's keeper has opened.
    pub fn carrier(&self, whose: Whose) -> Carrier {
        let reporter = self.clone();
        Carrier::new(move |mailbox| reporter.report(News::Opened(whose, mailbox)))
    }

    /// The relay does not wait for us: what does not fit is told with the next message, or the next connection.
    fn report(&self, news: News) {
        if self.0.try_send(news).is_err() {
            warn!("NEWS ({NEWS}) of the relay wait for management already; a notice may be late");
        }
    }
}

impl Waker for Reporter {
    fn waiting(&self, mailbox: MailboxKey) {
        self.report(News::Waits(mailbox));
    }
}

impl Reports {
    /// Tells management, from what waits already on, until it is aborted.
    pub async fn tell(mut self, management: Arc<Management>, before: Vec<MailboxKey>, lookout: Lookout) {
        for mailbox in before {
            waits(&management, &lookout, mailbox).await;
        }
        while let Some(news) = self.0.recv().await {
            match news {
                News::Opened(whose, mailbox) => {
                    if let Err(error) = management.mailbox_opened(whose.cell, whose.tenant, &mailbox).await {
                        warn!(cell = %whose.cell, %error, "whose mailbox this is could not be kept");
                    }
                }
                News::Waits(mailbox) => waits(&management, &lookout, mailbox).await,
            }
        }
    }
}

async fn waits(management: &Management, lookout: &Lookout, mailbox: MailboxKey) {
    // Its keeper may have come meanwhile.
    if !lookout.waits(&mailbox) {
        return;
    }
    if let Err(error) = management.something_waits(&mailbox).await {
        warn!(%mailbox, %error, "that something waits could not be kept");
    }
}
