//! What is opened once for everybody who wants it meanwhile, and by nobody while it goes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt as _, Shared};
use management::AgentError;
use protocol::CellId;

use super::busy;
use crate::limits;

/// What comes of an opening. It goes on though nobody waits for it.
type Opening<T> = Shared<BoxFuture<'static, Result<T, AgentError>>>;

enum Place<T> {
    Opened(Opening<T>),
    /// So many remove the cell.
    Going(usize),
}

/// What is open of each cell.
pub(super) struct Openings<T> {
    places: Mutex<HashMap<CellId, Place<T>>>,
    is_open: fn(&T) -> bool,
}

impl<T: Clone + Send + Sync + 'static> Openings<T> {
    pub(super) fn new(is_open: fn(&T) -> bool) -> Self {
        Self {
            places: Mutex::default(),
            is_open,
        }
    }

    /// What is open, or what comes of opening it: whoever waits for the same is answered the same, in `limits::PLATFORM_OPENING` from when
    /// the first of them asked.
    pub(super) async fn get<F>(&self, cell: CellId, open: impl FnOnce() -> F) -> Result<T, AgentError>
    where
        F: Future<Output = Result<T, AgentError>> + Send + 'static,
    {
        let opening = {
            let mut places = self.places();
            match places.get(&cell) {
                Some(Place::Going(_)) => return Err(busy("This cell is being removed.")),
                Some(Place::Opened(opening)) if self.stands(opening) => opening.clone(),
                _ => {
                    let opening = begin(open());
                    places.insert(cell, Place::Opened(opening.clone()));
                    opening
                }
            }
        };
        opening.await
    }

    /// Lets nobody open it until what is returned is dropped. What is open ends; what is being opened is waited for.
    pub(super) async fn close(&self, cell: CellId) -> Going<'_, T> {
        let before = {
            let mut places = self.places();
            let before = places.remove(&cell);
            let others = match before {
                Some(Place::Going(others)) => others,
                _ => 0,
            };
            places.insert(cell, Place::Going(others + 1));
            before
        };
        let going = Going { of: self, cell };
        if let Some(Place::Opened(opening)) = before {
            drop(opening.await);
        }
        going
    }

    /// Whether it is still under way, or open.
    fn stands(&self, opening: &Opening<T>) -> bool {
        match opening.clone().now_or_never() {
            None => true,
            Some(Ok(opened)) => (self.is_open)(&opened),
            Some(Err(_)) => false,
        }
    }
}

impl<T> Openings<T> {
    fn places(&self) -> MutexGuard<'_, HashMap<CellId, Place<T>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begin<T: Clone + Send + Sync + 'static>(
    opening: impl Future<Output = Result<T, AgentError>> + Send + 'static,
) -> Opening<T> {
    let opening = tokio::spawn(tokio::time::timeout(limits::PLATFORM_OPENING, opening));
    let opened = opening.map(|opened| match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(_)) => Err(busy("The cell did not open in time (`PLATFORM_OPENING`). Ask again.")),
        Err(error) => Err(AgentError::Failed(error.to_string())),
    });
    opened.boxed().shared()
}

/// A cell that is being removed.
pub(super) struct Going<'a, T> {
    of: &'a Openings<T>,
    cell: CellId,
}

impl<T> Drop for Going<'_, T> {
    fn drop(&mut self) {
        let mut places = self.of.places();
        match places.get_mut(&self.cell) {
            Some(Place::Going(others)) if *others > 1 => *others -= 1,
            _ => {
                places.remove(&self.cell);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures::future::{self, join_all};
    use tokio::time::Instant;

    use super::*;

    /// Openings of numbers, of which odd ones are not open any more; and how often one was begun.
    fn openings() -> (Arc<Openings<usize>>, Arc<AtomicUsize>, CellId) {
        let openings = Openings::new(|number: &usize| number.is_multiple_of(2));
        (Arc::new(openings), Arc::default(), CellId::new())
    }

    fn counted<T>(begun: &Arc<AtomicUsize>, opening: T) -> impl FnOnce() -> T {
        let begun = Arc::clone(begun);
        move || {
            begun.fetch_add(1, Ordering::SeqCst);
            opening
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_for_a_cell_that_hangs_are_answered_when_the_first_is() {
        let (openings, begun, cell) = openings();
        let began = Instant::now();
        let waiting = (0..10).map(|number| {
            let hangs = counted(&begun, future::pending());
            let openings = &openings;
            async move {
                tokio::time::sleep(Duration::from_secs(number)).await;
                openings.get(cell, hangs).await
            }
        });
        for answered in join_all(waiting).await {
            assert!(matches!(answered, Err(AgentError::Unavailable { .. })), "{answered:?}");
        }
        assert_eq!(began.elapsed(), limits::PLATFORM_OPENING);
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        // The next tries it anew; what has closed is opened again, and what is open is not.
        for (opens, begins) in [(1, 2), (2, 3), (4, 3)] {
            let opened = openings.get(cell, counted(&begun, async move { Ok(opens) })).await;
            assert_eq!(opened.unwrap(), opens.min(2));
            assert_eq!(begun.load(Ordering::SeqCst), begins);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_does_not_make_the_others_begin_again() {
        let (openings, begun, cell) = openings();
        let opens = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(2)
        };
        let first = openings.get(cell, counted(&begun, opens));
        assert!(tokio::time::timeout(Duration::from_secs(30), first).await.is_err());
        let second = openings.get(cell, counted(&begun, future::pending())).await;
        assert_eq!(second.unwrap(), 2);
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_opens_a_cell_that_goes() {
        let (openings, begun, cell) = openings();
        let opens = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(2)
        };
        let open = openings.get(cell, counted(&begun, opens));
        assert!(tokio::time::timeout(Duration::from_secs(30), open).await.is_err());
        let began = Instant::now();
        let going = openings.close(cell).await;
        assert_eq!(
            began.elapsed(),
            Duration::from_secs(30),
            "what is being opened is waited for"
        );
        let twice = openings.close(cell).await;
        let refused = async || openings.get(cell, counted(&begun, async { Ok(4) })).await.is_err();
        assert!(refused().await);
        drop(twice);
        assert!(refused().await);
        drop(going);
        assert!(!refused().await);
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }
}
