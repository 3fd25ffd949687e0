//! A cell's way to the relay: closed while its owner may not use the cell. Each connection has an id of its own, by which the relay can
//! speak of it to this platform and to nobody else. And how many mailboxes it may make there: the relay does not know which of them are of one
//! cell, and is not to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::CarrierId;
use protocol::relay::MailboxKey;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::limits;

pub(crate) struct RelayWay {
    places: Arc<Semaphore>,
    now: Arc<Mutex<Now>>,
}

#[derive(Debug, Default)]
struct Now {
    /// Ends the connections that were opened up to now.
    closed: CancellationToken,
    /// The last ones, newest first, also those that have ended: what the relay says of them may be heard later.
    carriers: VecDeque<Known>,
    /// The mailbox that was opened last, as far as the relay has said.
    mailbox: Option<MailboxKey>,
    /// When all mailboxes may be made again that one cell may make at once.
    made_until: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    carrier: CarrierId,
    /// It counts as if a mailbox were made over it.
    counts: bool,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoWay {
    #[error("the owner of this cell may not use it now")]
    Closed,
    #[error("RELAY_CONNECTIONS ({}) of this cell are open", limits::RELAY_CONNECTIONS)]
    TooMany,
}

/// One connection, which counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Carried {
    pub carrier: CarrierId,
    /// Ends it.
    pub closed: CancellationToken,
    now: Arc<Mutex<Now>>,
    is_joined: bool,
    _place: OwnedSemaphorePermit,
}

impl Carried {
    /// Whether a mailbox may be made over it, which then counts as if one were.
    pub fn may_make(&self) -> bool {
        let mut now = locked(&self.now);
        let until = now.made_until() + limits::RELAY_MAILBOX_EVERY;
        let may = until <= Instant::now() + limits::RELAY_MAILBOX_EVERY * limits::RELAY_MAILBOXES;
        if may {
            now.made_until = Some(until);
            if let Some(known) = now.known(self.carrier) {
                known.counts = true;
            }
        }
        may
    }

    /// From here on the keeper speaks to the relay: until then no mailbox was made.
    pub fn join(&mut self) {
        self.is_joined = true;
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        let mut now = locked(&self.now);
        if !self.is_joined && now.counted(self.carrier) == Some(true) {
            now.give_one_back();
        }
    }
}

fn locked(now: &Mutex<Now>) -> MutexGuard<'_, Now> {
    now.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RelayWay {
    pub fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits::RELAY_CONNECTIONS)),
            now: Arc::default(),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        locked(&self.now)
    }

    /// One more connection, which is not open yet.
    pub fn carry(&self) -> Result<Carried, NoWay> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let mut now = self.now();
        if now.closed.is_cancelled() {
            return Err(NoWay::Closed);
        }
        // Random, and not ordered by time as other ids are: it says nothing, and nobody guesses it.
        let carrier = CarrierId::from(Uuid::new_v4());
        let carried = Carried {
            carrier,
            closed: now.closed.clone(),
            now: Arc::clone(&self.now),
            is_joined: false,
            _place: place.map_err(|_| NoWay::TooMany)?,
        };
        now.carriers.push_front(Known { carrier, counts: false });
        now.carriers.truncate(limits::CARRIERS_KNOWN);
        Ok(carried)
    }

    /// Whether one of the last connections has this id, over which this mailbox was opened. The same one as before was not made.
    pub fn opened(&self, carrier: CarrierId, mailbox: &MailboxKey) -> bool {
        let mut now = self.now();
        let Some(counted) = now.counted(carrier) else {
            return false;
        };
        if now.mailbox.replace(*mailbox) == Some(*mailbox) && counted {
            now.give_one_back();
        }
        true
    }

    /// Ends all connections, and lets none begin until it is opened.
    pub fn close(&self) {
        self.now().closed.cancel();
    }

    /// Lets them begin again.
    pub fn open(&self) {
        let mut now = self.now();
        if now.closed.is_cancelled() {
            now.closed = CancellationToken::new();
        }
    }
}

impl Now {
    /// Whether this connection counted, which it does no more; `None` of one that is not known.
    fn counted(&mut self, carrier: CarrierId) -> Option<bool> {
        Some(std::mem::take(&mut self.known(carrier)?.counts))
    }

    fn known(&mut self, carrier: CarrierId) -> Option<&mut Known> {
        self.carriers.iter_mut().find(|known| known.carrier == carrier)
    }

    fn give_one_back(&mut self) {
        self.made_until = self.made_until().checked_sub(limits::RELAY_MAILBOX_EVERY);
    }

    fn made_until(&self) -> Instant {
        let now = Instant::now();
        self.made_until.map_or(now, |until| until.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAILBOX: MailboxKey = MailboxKey([1; 32]);

    /// One more connection that the relay takes: its id, and whether a mailbox may be made over it.
    fn reaches(way: &RelayWay) -> (CarrierId, bool) {
        let mut carried = way.carry().unwrap();
        let may_make = carried.may_make();
        carried.join();
        (carried.carrier, may_make)
    }

    #[tokio::test(start_paused = true)]
    async fn promise_12_a_cell_makes_so_many_mailboxes_at_the_relay_and_comes_back_to_its_own_at_any_time() {
        let way = RelayWay::new();
        for _ in 0..2 * limits::RELAY_MAILBOXES {
            let (carrier, may_make) = reaches(&way);
            assert!(may_make && way.opened(carrier, &MAILBOX));
            // What the relay says again counts once.
            assert!(way.opened(carrier, &MAILBOX));
        }
        // Nor does what the relay does not take.
        for _ in 0..2 * limits::RELAY_MAILBOXES {
            assert!(way.carry().unwrap().may_make());
        }
        // The first one was made; so may all others have been of which nothing is heard, and each other one was.
        for number in 2..=limits::RELAY_MAILBOXES {
            let (carrier, may_make) = reaches(&way);
            assert!(may_make, "{number}");
            if number % 2 == 0 {
                way.opened(carrier, &MailboxKey([u8::try_from(number).unwrap(); 32]));
            }
        }
        // What may make none gives nothing back.
        for _ in 0..3 {
            let (carrier, may_make) = reaches(&way);
            assert!(!may_make && way.opened(carrier, &MAILBOX));
        }
        tokio::time::advance(limits::RELAY_MAILBOX_EVERY).await;
        assert!(reaches(&way).1 && !reaches(&way).1);
        tokio::time::advance(limits::RELAY_MAILBOX_EVERY * 100).await;
        let may_make = (0..=limits::RELAY_MAILBOXES).filter(|_| reaches(&way).1).count();
        assert_eq!(may_make, limits::RELAY_MAILBOXES as usize);
    }

    #[test]
    fn a_way_that_was_closed_ends_what_is_open_for_good_and_is_opened_for_what_comes() {
        let way = RelayWay::new();
        let first = way.carry().unwrap();
        way.close();
        assert!(first.closed.is_cancelled());
        assert_eq!(way.carry().unwrap_err(), NoWay::Closed);
        way.open();
        let second = way.carry().unwrap();
        assert!(first.closed.is_cancelled() && !second.closed.is_cancelled());
        // Opened while it is open, it ends nothing and is closed all the same.
        way.open();
        way.close();
        assert!(second.closed.is_cancelled());
    }

    #[test]
    fn no_more_than_so_many_are_carried_and_the_last_of_them_are_known() {
        let way = RelayWay::new();
        let open: Vec<_> = (0..limits::RELAY_CONNECTIONS).map(|_| way.carry().unwrap()).collect();
        assert_eq!(way.carry().unwrap_err(), NoWay::TooMany);
        let mut known: Vec<_> = open.iter().map(|carried| carried.carrier).collect();
        drop(open);
        while known.len() <= limits::CARRIERS_KNOWN {
            known.push(way.carry().unwrap().carrier);
        }
        assert!(known[1..].iter().all(|carrier| way.opened(*carrier, &MAILBOX)));
        assert!(
            !way.opened(known[0], &MAILBOX),
            "nobody's connections are remembered without end"
        );
        assert!(
            !RelayWay::new().opened(known[1], &MAILBOX),
            "it is known for its own cell alone"
        );
    }
}
