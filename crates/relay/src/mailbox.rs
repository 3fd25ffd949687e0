//! Mailboxes in memory: what waits in each, by number and size, and who is connected. What waits itself is in the database.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use protocol::relay::frame::RelayFrame;
use protocol::relay::{MailboxKey, Refusal};
use protocol::{CarrierId, EnvelopeId, Millis};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::RelayConfig;
use crate::connection::Outgoing;
use crate::limits;

/// All mailboxes.
pub(crate) struct Mailboxes {
    by_key: RwLock<HashMap<MailboxKey, Arc<Mailbox>>>,
    by_id: RwLock<HashMap<i64, Arc<Mailbox>>>,
    /// Changes with each that is added.
    added: watch::Sender<()>,
    quota: Quota,
}

/// One identity's mailbox.
pub(crate) struct Mailbox {
    pub key: MailboxKey,
    /// Its row.
    pub id: i64,
    pub sending: DefaultDirectRateLimiter,
    /// Of the epochs of whom it follows, which are read past its connection.
    pub reading: DefaultDirectRateLimiter,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// What waits, or is about to.
    waiting: u32,
    bytes: u64,
    of_sender: HashMap<i64, u32>,
    /// Of envelopes, by sender and id, with whether they are durable: the same one that comes again is one.
    ids: HashMap<(i64, EnvelopeId), bool>,
    /// Of what is durable and waits, also of what came back: what is gone counts down once.
    numbers: HashSet<i64>,
    /// The number of the newest envelope that was committed.
    newest: i64,
    woken: Option<Instant>,
    seat: Option<Seat>,
}

/// The receiver that is connected.
struct Seat {
    connection: u64,
    /// By which id who carries the connection knows it.
    carrier: Option<CarrierId>,
    outgoing: Outgoing,
    feed: Arc<Notify>,
    /// Everything up to this number was handed to the connection.
    delivered: i64,
    in_flight: HashMap<i64, Waiting>,
    bytes: usize,
    /// There is more in the database than was handed over: only the feeder hands over then.
    behind: bool,
}

/// What counts against a mailbox's limits.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub number: i64,
    pub sender: i64,
    pub id: EnvelopeId,
    pub bytes: usize,
}

/// An envelope, or one that comes back.
pub(crate) struct Stored {
    pub waiting: Waiting,
    pub at: Millis,
    pub content: Content,
}

pub(crate) enum Content {
    Sealed(Bytes),
    Returned(MailboxKey),
}

impl Stored {
    fn frame(&self) -> Bytes {
        let (number, id) = (self.waiting.number.cast_unsigned(), self.waiting.id);
        match &self.content {
            Content::Sealed(sealed) => RelayFrame::Deliver {
                number,
                at: self.at,
                id,
                sealed,
            }
            .encode()
            .into(),
            Content::Returned(to) => RelayFrame::Returned { number, id, to: *to }.encode().into(),
        }
    }
}

pub(crate) fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailboxes {
    pub fn new(config: &RelayConfig) -> Self {
        Self {
            by_key: RwLock::default(),
            by_id: RwLock::default(),
            added: watch::Sender::new(()),
            quota: Quota::per_second(config.sent_per_second).allow_burst(config.sent_burst),
        }
    }

    pub fn get(&self, key: &MailboxKey) -> Option<Arc<Mailbox>> {
        self.by_key
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    pub fn by_id(&self, id: i64) -> Option<Arc<Mailbox>> {
        self.by_id
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned()
    }

    pub fn count(&self) -> usize {
        self.by_key.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Adds a mailbox, if it is not there.
    pub fn add(&self, key: MailboxKey, id: i64) -> Arc<Mailbox> {
        let mailbox = Arc::clone(
            self.by_key
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(key)
                .or_insert_with(|| {
                    Arc::new(Mailbox {
                        key,
                        id,
                        sending: RateLimiter::direct(self.quota),
                        reading: RateLimiter::direct(self.quota),
                        inner: Mutex::default(),
                    })
                }),
        );
        self.by_id
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Arc::clone(&mailbox));
        self.added.send_replace(());
        mailbox
    }

    /// Changes when a mailbox was added.
    pub fn added(&self) -> watch::Receiver<()> {
        self.added.subscribe()
    }

    /// Those in which something waits and that nobody is connected to, and those that somebody carries a connection to, with its id.
    pub fn worth_telling(&self) -> Vec<(MailboxKey, Option<CarrierId>)> {
        let all = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
        all.values()
            .map(|mailbox| (mailbox.key, mailbox.carrier(), mailbox.left_alone()))
            .filter(|(_, carrier, left_alone)| carrier.is_some() || *left_alone)
            .map(|(key, carrier, _)| (key, carrier))
            .collect()
    }

    /// Whether something waits in it, and nobody is connected to it.
    pub fn left_alone(&self, key: &MailboxKey) -> bool {
        self.get(key).is_some_and(|mailbox| mailbox.left_alone())
    }
}

impl Mailbox {
    /// What the database has of a sender, at the start: these numbers, those of these ids among them.
    pub fn found(&self, sender: i64, numbers: &[i64], ids: impl Iterator<Item = EnvelopeId>, bytes: u64) {
        let mut inner = unpoisoned(&self.inner);
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        inner.ids.extend(ids.map(|id| ((sender, id), true)));
        inner.waiting += count;
        inner.bytes += bytes;
        *inner.of_sender.entry(sender).or_default() += count;
        let newest = numbers.iter().copied().max().unwrap_or_default();
        inner.newest = inner.newest.max(newest);
        inner.numbers.extend(numbers);
    }

    /// Makes room for an envelope, or says why there is none. One that waits already, or is about to, has its room.
    pub fn reserve(&self, sender: i64, id: EnvelopeId, bytes: usize) -> Result<(), Refusal> {
        let mut inner = unpoisoned(&self.inner);
        if inner.ids.contains_key(&(sender, id)) {
            return Ok(());
        }
        if inner.waiting >= limits::WAITING || inner.bytes + bytes as u64 > limits::WAITING_BYTES {
            return Err(Refusal::MailboxFull);
        }
        if (inner.of_sender.get(&sender)).is_some_and(|of_sender| *of_sender >= limits::WAITING_OF_ONE_SENDER) {
            return Err(Refusal::TooManyOfYours);
        }
        inner.ids.insert((sender, id), false);
        inner.count(sender, bytes);
        Ok(())
    }

    /// Whether an envelope of this sender and id is durable, and waits.
    pub fn has(&self, sender: i64, id: EnvelopeId) -> bool {
        unpoisoned(&self.inner).ids.get(&(sender, id)) == Some(&true)
    }

    /// Whether what has this number is durable, and waits.
    pub fn keeps(&self, number: i64) -> bool {
        unpoisoned(&self.inner).numbers.contains(&number)
    }

    /// They do not wait any longer. What was fetched while it went back to its sender is gone twice, and counts down once.
    pub fn gone(&self, gone: &[Waiting]) {
        let mut inner = unpoisoned(&self.inner);
        for one in gone {
            if !inner.numbers.remove(&one.number) {
                continue;
            }
            inner.ids.remove(&(one.sender, one.id));
            inner.waiting = inner.waiting.saturating_sub(1);
            inner.bytes = inner.bytes.saturating_sub(one.bytes as u64);
            if let Some(of_sender) = inner.of_sender.get_mut(&one.sender) {
                *of_sender = of_sender.saturating_sub(1);
                if *of_sender == 0 {
                    inner.of_sender.remove(&one.sender);
                }
            }
        }
    }

    /// An envelope is durable: it goes to the receiver, if one is connected and reads. Says whether that something waits is news.
    pub fn committed(&self, stored: &Stored) -> bool {
        let mut inner = unpoisoned(&self.inner);
        inner.newest = stored.waiting.number;
        let Waiting {
            number,
            sender,
            id,
            bytes,
        } = stored.waiting;
        // What comes back counts, whatever waits; and the room of an envelope is gone where the one before it, which had it, was fetched meanwhile.
        let has_room = matches!(stored.content, Content::Sealed(_)) && inner.ids.insert((sender, id), true).is_some();
        if !has_room {
            inner.count(sender, bytes);
        }
        inner.numbers.insert(number);
        match &mut inner.seat {
            // The feeder was faster.
            Some(seat) if stored.waiting.number <= seat.delivered => false,
            Some(seat) if !seat.behind && seat.has_room() => {
                seat.hand_over(stored);
                false
            }
            Some(seat) => {
                seat.behind = true;
                seat.feed.notify_one();
                false
            }
            None => {
                let due = inner.woken.is_none_or(|woken| woken.elapsed() >= limits::WAKE_EVERY);
                if due {
                    inner.woken = Some(Instant::now());
                }
                due
            }
        }
    }

    /// By which id who carries its receiver's connection knows that.
    fn carrier(&self) -> Option<CarrierId> {
        unpoisoned(&self.inner).seat.as_ref()?.carrier
    }

    /// Something waits in it, and nobody is connected to it.
    fn left_alone(&self) -> bool {
        let inner = unpoisoned(&self.inner);
        inner.waiting > 0 && inner.seat.is_none()
    }

    /// How much waits.
    pub fn waiting(&self) -> u32 {
        unpoisoned(&self.inner).waiting
    }

    /// A receiver is connected, in the place of the one before.
    pub fn sit(&self, connection: u64, outgoing: Outgoing, feed: Arc<Notify>, carrier: Option<CarrierId>) {
        let mut inner = unpoisoned(&self.inner);
        if let Some(before) = inner.seat.take() {
            before.outgoing.replaced();
        }
        feed.notify_one();
        // What comes after it has left is news again.
        inner.woken = None;
        inner.seat = Some(Seat {
            connection,
            carrier,
            outgoing,
            feed,
            delivered: 0,
            in_flight: HashMap::new(),
            bytes: 0,
            behind: true,
        });
    }

    /// The connection ended.
    pub fn leave(&self, connection: u64) {
        let mut inner = unpoisoned(&self.inner);
        if inner.seat.as_ref().is_some_and(|seat| seat.connection == connection) {
            inner.seat = None;
        }
    }

    /// Takes those out of what is in flight that are: others were never delivered here.
    pub fn acked(&self, connection: u64, numbers: &[u64]) -> Vec<Waiting> {
        let mut inner = unpoisoned(&self.inner);
        let Some(seat) = inner.seat.as_mut().filter(|seat| seat.connection == connection) else {
            return Vec::new();
        };
        let gone: Vec<Waiting> = numbers
            .iter()
            .filter_map(|number| seat.in_flight.remove(&number.cast_signed()))
            .collect();
        seat.bytes -= gone.iter().map(|one| one.bytes).sum::<usize>();
        if seat.behind && !gone.is_empty() && seat.in_flight.len() <= protocol::limits::RELAY_WINDOW / 2 {
            seat.feed.notify_one();
        }
        gone
    }

    /// What the feeder is to read next; none: nothing now.
    pub fn to_feed(&self, connection: u64) -> Option<ToFeed> {
        let inner = unpoisoned(&self.inner);
        let seat = inner.seat.as_ref().filter(|seat| seat.connection == connection)?;
        let room = protocol::limits::RELAY_WINDOW.saturating_sub(seat.in_flight.len());
        (seat.behind && seat.has_room()).then_some(ToFeed {
            after: seat.delivered,
            at_most: room.min(limits::FETCH),
            newest: inner.newest,
        })
    }

    /// What the feeder has read.
    pub fn feed(&self, connection: u64, asked: ToFeed, read: &[Stored]) {
        let mut inner = unpoisoned(&self.inner);
        let newest = inner.newest;
        let Some(seat) = inner.seat.as_mut().filter(|seat| seat.connection == connection) else {
            return;
        };
        for stored in read {
            if !seat.has_room() {
                return;
            }
            seat.hand_over(stored);
        }
        // Nothing was there, and nothing was committed since that was asked.
        if read.is_empty() && newest == asked.newest {
            seat.behind = false;
            seat.delivered = seat.delivered.max(newest);
        }
    }
}

impl Inner {
    fn count(&mut self, sender: i64, bytes: usize) {
        self.waiting += 1;
        self.bytes += bytes as u64;
        *self.of_sender.entry(sender).or_default() += 1;
    }
}

/// What to read from the database for a receiver.
#[derive(Clone, Copy)]
pub(crate) struct ToFeed {
    pub after: i64,
    pub at_most: usize,
    newest: i64,
}

impl Seat {
    fn has_room(&self) -> bool {
        self.in_flight.len() < protocol::limits::RELAY_WINDOW && self.bytes < limits::IN_FLIGHT_BYTES
    }

    fn hand_over(&mut self, stored: &Stored) {
        self.delivered = stored.waiting.number;
        self.bytes += stored.waiting.bytes;
        self.in_flight.insert(stored.waiting.number, stored.waiting);
        self.outgoing.binary(stored.frame());
    }
}
