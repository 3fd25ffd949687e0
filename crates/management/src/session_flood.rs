//! Who brings session after session that there is not is refused before the database is asked. A whole office may be one client, so sessions
//! that were good here are let through all the same.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use crate::clock::{Clock, after};
use crate::limits;
use crate::secret_token::TokenHash;

pub(crate) struct SessionFlood {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Until when clients are not asked for.
    barred: HashMap<Option<IpAddr>, OffsetDateTime>,
    /// Sessions that were good: those of late, and those of before. Who is seen moves to the first; when that is full, the second is forgotten.
    good: [HashSet<TokenHash>; 2],
}

impl SessionFlood {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            clock: clock.clone(),
            state: Mutex::default(),
        }
    }

    /// Whether this session of a client may be looked up now, or how long it has to wait.
    pub(crate) fn check(&self, client: Option<IpAddr>, session: TokenHash) -> Result<(), Duration> {
        let state = self.state();
        let Some(until) = state.barred.get(&client) else {
            return Ok(());
        };
        match Duration::try_from(*until - self.clock.now()) {
            Ok(left) if !left.is_zero() && !state.good.iter().any(|good| good.contains(&session)) => Err(left),
            _ => Ok(()),
        }
    }

    /// A client has brought too many, and waits so long.
    pub(crate) fn bar(&self, client: Option<IpAddr>, wait: Duration) {
        let now = self.clock.now();
        let mut state = self.state();
        if state.barred.len() >= limits::CLIENTS_KEPT && !state.barred.contains_key(&client) {
            state.barred.retain(|_, until| *until > now);
            if state.barred.len() >= limits::CLIENTS_KEPT {
                return;
            }
        }
        state.barred.insert(client, after(now, wait));
    }

    /// A session is good.
    pub(crate) fn is_good(&self, session: TokenHash) {
        let mut state = self.state();
        let [late, before] = &mut state.good;
        if late.contains(&session) {
            return;
        }
        if late.len() >= limits::GOOD_SESSIONS_KEPT {
            *before = mem::take(late);
        }
        late.insert(session);
    }

    /// There is no such session, or no more.
    pub(crate) fn is_gone(&self, session: TokenHash) {
        for good in &mut self.state().good {
            good.remove(&session);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{OsEntropy, SystemClock};
    use crate::secret_token::SecretToken;

    fn session() -> TokenHash {
        SecretToken::generate(&OsEntropy).unwrap().hash()
    }

    const LONG: Duration = Duration::from_secs(60 * 60);

    #[test]
    fn a_client_that_brings_too_many_is_barred_and_good_sessions_are_let_through() {
        let flood = SessionFlood::new(&(Arc::new(SystemClock) as Arc<dyn Clock>));
        let client = |last| Some(IpAddr::from([192, 0, 2, last]));
        let (good, made_up) = (session(), session());
        flood.is_good(good);
        assert_eq!(flood.check(client(1), made_up), Ok(()));
        flood.bar(client(1), LONG);
        assert!(flood.check(client(1), made_up).is_err());
        assert_eq!(flood.check(client(1), good), Ok(()));
        assert_eq!(flood.check(client(2), made_up), Ok(()));
        flood.is_gone(good);
        assert!(flood.check(client(1), good).is_err());
        flood.bar(client(1), Duration::ZERO);
        assert_eq!(flood.check(client(1), made_up), Ok(()));
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let flood = SessionFlood::new(&(Arc::new(SystemClock) as Arc<dyn Clock>));
        let first = session();
        flood.is_good(first);
        for _ in 0..3 * limits::GOOD_SESSIONS_KEPT {
            flood.is_good(session());
        }
        for number in 0..u32::try_from(limits::CLIENTS_KEPT).unwrap() + 5 {
            flood.bar(Some(IpAddr::V4(number.into())), LONG);
        }
        let state = flood.state();
        assert!(!state.good.iter().any(|good| good.contains(&first)));
        assert!(state.good.iter().all(|good| good.len() <= limits::GOOD_SESSIONS_KEPT));
        assert_eq!(state.barred.len(), limits::CLIENTS_KEPT);
    }
}
