//! A cell's way to the relay: closed while its owner may not use the cell. Each connection has an id of its own, by which the relay can
//! speak of it to this platform and to nobody else.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::CarrierId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::limits;

pub(crate) struct RelayWay {
    places: Arc<Semaphore>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    /// Ends the connections that were opened up to now.
    closed: CancellationToken,
    /// The last ones, newest first, also those that have ended: what the relay says of them may be heard later.
    carriers: VecDeque<CarrierId>,
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
    _place: OwnedSemaphorePermit,
}

impl RelayWay {
    pub fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits::RELAY_CONNECTIONS)),
            now: Mutex::default(),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
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
            _place: place.map_err(|_| NoWay::TooMany)?,
        };
        now.carriers.push_front(carrier);
        now.carriers.truncate(limits::CARRIERS_KNOWN);
        Ok(carried)
    }

    /// Whether one of the last connections has this id.
    pub fn carries(&self, carrier: CarrierId) -> bool {
        self.now().carriers.contains(&carrier)
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(known[1..].iter().all(|carrier| way.carries(*carrier)));
        assert!(
            !way.carries(known[0]),
            "nobody's connections are remembered without end"
        );
        assert!(!RelayWay::new().carries(known[1]), "it is known for its own cell alone");
    }
}
