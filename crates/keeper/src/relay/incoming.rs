//! What arrives from one sender, put in order: what was seen before is let go, what is early waits, what is missing is named.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use protocol::limits::RELAYED_BYTES;
use protocol::{EnvelopeId, Millis};
use tokio::time::Instant;
use vault::Place;
use zeroize::Zeroizing;

use super::records::From;
use crate::limits::GAP_WAIT;

/// An envelope that was opened.
pub(super) struct Arrived {
    /// The relay's number, to acknowledge it by.
    pub number: u64,
    pub id: EnvelopeId,
    pub at: Millis,
    pub topic: u8,
    pub place: Place,
    pub content: Zeroizing<Vec<u8>>,
    /// What the next one names as its previous.
    pub link: [u8; 32],
}

/// A whole message, the next one of its sender.
pub(super) struct Whole {
    pub id: EnvelopeId,
    pub at: Millis,
    pub topic: u8,
    pub content: Zeroizing<Vec<u8>>,
    /// What is acknowledged once it was taken.
    pub numbers: Vec<u64>,
    /// What is to be remembered then.
    pub after: From,
}

/// One sender, during one connection.
pub(super) struct Incoming {
    cursor: From,
    /// Each with when it came.
    early: BTreeMap<(u64, u64), (Instant, Arrived)>,
    parts: Vec<Arrived>,
    /// A message is with the application: the next one waits until it was taken.
    pub serving: bool,
    /// What is missing was named.
    stuck: bool,
    /// Need not come again.
    pub seen: Vec<u64>,
    /// What does not fit, in words. A relay cannot write it, so its sender may have.
    pub odd: Vec<String>,
}

impl Incoming {
    pub fn new(cursor: From) -> Self {
        Self {
            cursor,
            early: BTreeMap::new(),
            parts: Vec::new(),
            serving: false,
            stuck: false,
            seen: Vec::new(),
            odd: Vec::new(),
        }
    }

    pub fn arrive(&mut self, arrived: Arrived, now: Instant) {
        let place = (arrived.place.stream, arrived.place.sequence);
        match self.early.entry(place) {
            Entry::Vacant(free) => {
                free.insert((now, arrived));
            }
            Entry::Occupied(there) => {
                self.seen.push(arrived.number);
                if there.get().1.link != arrived.link {
                    self.odd
                        .push(format!("there are two different envelopes of number {}", place.1));
                }
            }
        }
    }

    /// How much waits for what is missing.
    pub fn waiting(&self) -> usize {
        self.early.len() + self.parts.len()
    }

    /// The next message, if it is complete and the one before was taken.
    pub fn next(&mut self, now: Instant) -> Option<Whole> {
        while !self.serving {
            let (&(stream, sequence), (_, first)) = self.early.first_key_value()?;
            let place = first.place;
            if (stream, sequence) <= (self.cursor.stream, self.cursor.last) {
                self.seen.extend(self.early.pop_first().map(|(_, (_, old))| old.number));
                continue;
            }
            // A sender whose vault was restored begins anew.
            let before = match stream > self.cursor.stream {
                true => From {
                    stream,
                    ..From::NOTHING
                },
                false => self.cursor,
            };
            let expected = before.last + 1;
            if sequence > expected && place.base < sequence && !self.may_skip(expected, sequence, now) {
                return None;
            }
            self.stuck = false;
            if sequence == expected && place.previous != before.link {
                self.odd.push(format!(
                    "number {sequence} does not follow the one before it: one of the two was exchanged"
                ));
            }
            let (_, (_, arrived)) = self.early.pop_first()?;
            self.cursor = From {
                stream,
                last: sequence,
                link: arrived.link,
            };
            if let Some(whole) = self.assemble(arrived) {
                self.serving = true;
                return Some(whole);
            }
        }
        None
    }

    /// Names what is missing, at once, and waits a while for it: since the first came of those after it. So a sender who leaves out every other
    /// number is waited for once, and does not hold what is read from all others.
    fn may_skip(&mut self, expected: u64, sequence: u64, now: Instant) -> bool {
        if !std::mem::replace(&mut self.stuck, true) {
            let missing = match sequence - expected {
                1 => format!("number {expected} is"),
                _ => format!("numbers {expected} to {} are", sequence - 1),
            };
            self.odd.push(format!(
                "{missing} missing before number {sequence}: kept back, lost, or out of order"
            ));
        }
        let first = self.early.values().map(|(since, _)| *since).min();
        first.is_some_and(|since| now.duration_since(since) >= GAP_WAIT)
    }

    fn assemble(&mut self, arrived: Arrived) -> Option<Whole> {
        let place = arrived.place;
        let fits = |first: &Arrived| {
            usize::from(place.part) == self.parts.len()
                && place.parts == first.place.parts
                && arrived.topic == first.topic
        };
        let goes_on = match self.parts.first() {
            Some(first) => fits(first),
            None => place.part == 0,
        };
        if !goes_on {
            // The rest of a message that its sender has given up, or that lost a part.
            self.seen.extend(self.parts.drain(..).map(|part| part.number));
            if place.part != 0 {
                self.seen.push(arrived.number);
                return None;
            }
        }
        self.parts.push(arrived);
        let length: usize = self.parts.iter().map(|part| part.content.len()).sum();
        if length > RELAYED_BYTES {
            self.odd.push("a message is larger than RELAYED_BYTES".to_owned());
            self.seen.extend(self.parts.drain(..).map(|part| part.number));
            return None;
        }
        if self.parts.len() < usize::from(place.parts) {
            return None;
        }
        let mut content = Zeroizing::new(Vec::with_capacity(length));
        let mut numbers = Vec::with_capacity(self.parts.len());
        let mut last = None;
        for part in self.parts.drain(..) {
            content.extend_from_slice(&part.content);
            numbers.push(part.number);
            last = Some((part.id, part.at, part.topic));
        }
        let (id, at, topic) = last?;
        Some(Whole {
            id,
            at,
            topic,
            content,
            numbers,
            after: self.cursor,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(stream: u64, sequence: u64, base: u64, parts: (u16, u16)) -> Arrived {
        Arrived {
            number: sequence,
            id: EnvelopeId::new(),
            at: 0,
            topic: 1,
            place: Place {
                stream,
                sequence,
                base,
                previous: link(stream, sequence - 1),
                part: parts.0,
                parts: parts.1,
            },
            content: Zeroizing::new(sequence.to_be_bytes().to_vec()),
            link: link(stream, sequence),
        }
    }

    fn link(stream: u64, sequence: u64) -> [u8; 32] {
        match sequence {
            0 => [0; 32],
            _ => [u8::try_from(stream * 16 + sequence).unwrap(); 32],
        }
    }

    fn taken(incoming: &mut Incoming, now: Instant) -> Vec<u64> {
        let mut taken = Vec::new();
        while let Some(whole) = incoming.next(now) {
            taken.push(whole.after.last);
            incoming.serving = false;
        }
        taken
    }

    proptest! {
        #[test]
        fn in_whatever_order_and_however_often_they_come_they_are_taken_in_order_and_once(
            order in Just((1..=8_u64).collect::<Vec<_>>()).prop_shuffle(),
            again in proptest::collection::vec(1..=8_u64, 0..8),
        ) {
            let now = Instant::now();
            let mut incoming = Incoming::new(From::NOTHING);
            let mut all = Vec::new();
            for sequence in order.iter().chain(&again) {
                incoming.arrive(envelope(1, *sequence, 1, (0, 1)), now);
                all.extend(taken(&mut incoming, now));
            }
            prop_assert_eq!(all, (1..=8).collect::<Vec<_>>());
            // Out of order is named; in order nothing is.
            prop_assert_eq!(order.is_sorted(), incoming.odd.is_empty());
        }
    }

    #[test]
    fn promise_02_what_is_missing_is_named_at_once_and_passed_over_after_a_while() {
        let now = Instant::now();
        let mut incoming = Incoming::new(From::NOTHING);
        incoming.arrive(envelope(1, 1, 1, (0, 1)), now);
        incoming.arrive(envelope(1, 4, 1, (0, 1)), now);
        assert_eq!(taken(&mut incoming, now), [1]);
        assert_eq!(
            incoming.odd,
            ["numbers 2 to 3 are missing before number 4: kept back, lost, or out of order"]
        );
        assert_eq!(taken(&mut incoming, now + GAP_WAIT), [4]);
    }

    #[test]
    fn what_its_sender_has_given_up_is_not_missed() {
        let now = Instant::now();
        let mut incoming = Incoming::new(From::NOTHING);
        incoming.arrive(envelope(1, 1, 1, (0, 1)), now);
        incoming.arrive(envelope(1, 3, 3, (0, 1)), now);
        assert_eq!(taken(&mut incoming, now), [1, 3]);
        assert!(incoming.odd.is_empty());
    }

    #[test]
    fn promise_12_who_leaves_out_every_other_number_is_waited_for_once() {
        let now = Instant::now();
        let mut incoming = Incoming::new(From::NOTHING);
        for sequence in [2, 4, 6] {
            incoming.arrive(envelope(1, sequence, 1, (0, 1)), now);
        }
        let later = now + GAP_WAIT / 2;
        incoming.arrive(envelope(1, 8, 1, (0, 1)), later);
        assert!(taken(&mut incoming, later).is_empty());
        assert_eq!(taken(&mut incoming, now + GAP_WAIT), [2, 4, 6]);
        assert_eq!(taken(&mut incoming, later + GAP_WAIT), [8]);
        assert_eq!(incoming.odd.len(), 4);
    }

    #[test]
    fn promise_02_an_exchanged_envelope_is_named() {
        let now = Instant::now();
        let mut incoming = Incoming::new(From {
            stream: 1,
            last: 1,
            link: [9; 32],
        });
        incoming.arrive(envelope(1, 2, 1, (0, 1)), now);
        assert_eq!(taken(&mut incoming, now), [2]);
        assert_eq!(incoming.odd.len(), 1);
    }

    #[test]
    fn a_restored_sender_begins_anew_and_what_it_sent_before_is_old() {
        let now = Instant::now();
        let mut incoming = Incoming::new(From {
            stream: 1,
            last: 5,
            link: link(1, 5),
        });
        incoming.arrive(envelope(2, 1, 1, (0, 1)), now);
        assert_eq!(taken(&mut incoming, now), [1]);
        incoming.arrive(envelope(1, 6, 1, (0, 1)), now);
        assert!(taken(&mut incoming, now).is_empty());
        assert_eq!((incoming.seen.as_slice(), incoming.odd.len()), (&[6][..], 0));
    }

    #[test]
    fn a_message_in_parts_is_whole_or_is_none() {
        let now = Instant::now();
        let mut incoming = Incoming::new(From::NOTHING);
        incoming.arrive(envelope(1, 1, 1, (0, 2)), now);
        assert!(incoming.next(now).is_none());
        incoming.arrive(envelope(1, 2, 1, (1, 2)), now);
        let whole = incoming.next(now).unwrap();
        assert_eq!((whole.content.len(), whole.numbers.len()), (16, 2));
        incoming.serving = false;
        // The sender gave up after the first part, and sends something else.
        incoming.arrive(envelope(1, 3, 1, (0, 2)), now);
        incoming.arrive(envelope(1, 5, 5, (0, 1)), now);
        assert_eq!(taken(&mut incoming, now), [5]);
        assert_eq!(incoming.seen, [3]);
    }
}
