//! News for who carries keepers' connections: over which of them it was proved whose a mailbox is, and in which something waits while
//! nobody is connected to it. The relay knows keys and the ids of connections, and nothing else of anybody.
//!
//! What a listener has not taken yet is kept for it, of each mailbox only the last; a new one hears first how things are. So nothing is
//! lost by who comes back, and nobody waits for one that does not listen.

mod route;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};

use futures::{Stream, stream};
use protocol::CarrierId;
use protocol::relay::MailboxKey;
use protocol::relay::news::News;
use tokio::sync::Notify;

pub(crate) use route::router;
pub use route::{NewsToken, NotAToken};

use crate::mailbox::unpoisoned;
use crate::{Shared, limits};

/// Those who listen.
#[derive(Default)]
pub(crate) struct Hub(Mutex<Vec<Weak<Ear>>>);

/// What one of them has not taken yet.
#[derive(Default)]
struct Ear {
    untaken: Mutex<Untaken>,
    more: Notify,
}

#[derive(Default)]
struct Untaken {
    order: VecDeque<MailboxKey>,
    /// Under which id it was opened last, if it was.
    opened: HashMap<MailboxKey, Option<CarrierId>>,
}

impl Hub {
    /// Something waits in it, and nobody is connected to it.
    pub fn waits(&self, mailbox: MailboxKey) {
        self.tell(|ear| ear.hear(mailbox, None, false));
    }

    /// It was proved over this connection whose it is.
    pub fn opened(&self, mailbox: MailboxKey, carrier: CarrierId) {
        self.tell(|ear| ear.hear(mailbox, Some(carrier), true));
    }

    fn tell(&self, news: impl Fn(&Ear)) {
        unpoisoned(&self.0)
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|ear| news(&ear));
    }

    /// One more who listens; none beyond `NEWS_LISTENERS`.
    fn listen(&self) -> Option<Arc<Ear>> {
        let mut ears = unpoisoned(&self.0);
        ears.retain(|ear| ear.strong_count() > 0);
        if ears.len() >= limits::NEWS_LISTENERS {
            return None;
        }
        let ear = Arc::default();
        ears.push(Arc::downgrade(&ear));
        Some(ear)
    }
}

impl Ear {
    /// `is_newer` than what was heard of the mailbox before.
    fn hear(&self, mailbox: MailboxKey, carrier: Option<CarrierId>, is_newer: bool) {
        let mut untaken = unpoisoned(&self.untaken);
        match untaken.opened.get_mut(&mailbox) {
            Some(opened) if is_newer => *opened = carrier,
            Some(_) => {}
            None => {
                untaken.opened.insert(mailbox, carrier);
                untaken.order.push_back(mailbox);
            }
        }
        self.more.notify_one();
    }

    fn take(&self) -> Option<(MailboxKey, Option<CarrierId>)> {
        let mut untaken = unpoisoned(&self.untaken);
        let mailbox = untaken.order.pop_front()?;
        Some((mailbox, untaken.opened.remove(&mailbox).flatten()))
    }
}

/// Hears the news until it is dropped, or the relay ends.
pub struct Listening {
    shared: Arc<Shared>,
    ear: Arc<Ear>,
    /// What comes behind the last one, of the same mailbox.
    then: Option<News>,
}

impl Listening {
    /// Begins with whose mailbox each connection that is open is, and in which something waits. None where `NEWS_LISTENERS` listen.
    pub(crate) fn begin(shared: Arc<Shared>) -> Option<Self> {
        let ear = shared.news.listen()?;
        // After it listens: what happens meanwhile is heard, and is newer.
        for (mailbox, carrier) in shared.mailboxes.worth_telling() {
            ear.hear(mailbox, carrier, false);
        }
        Some(Self {
            shared,
            ear,
            then: None,
        })
    }

    /// The next; none when the relay ends. Whether something waits is looked at in this moment: whoever has come meanwhile is not told of.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            if let Some(news) = self.take() {
                return Some(news);
            }
            tokio::select! {
                () = self.ear.more.notified() => {}
                () = self.shared.end.cancelled() => return None,
            }
        }
    }

    fn take(&mut self) -> Option<News> {
        if let Some(then) = self.then.take() {
            return Some(then);
        }
        while let Some((mailbox, carrier)) = self.ear.take() {
            let opened = carrier.map(|carrier| News::Opened { carrier, mailbox });
            let waits = self.shared.mailboxes.left_alone(&mailbox);
            let mut news = opened.into_iter().chain(waits.then_some(News::Waits { mailbox }));
            if let Some(first) = news.next() {
                self.then = news.next();
                return Some(first);
            }
        }
        None
    }

    /// All that come.
    pub fn into_stream(self) -> impl Stream<Item = News> + Send + 'static {
        stream::unfold(self, async |mut listening| {
            let news = listening.next().await?;
            Some((news, listening))
        })
    }
}
