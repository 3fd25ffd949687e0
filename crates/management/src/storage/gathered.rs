//! Look-ups that every request begins with, and a list that pages do. Those that come while others are at the database go together, in the
//! next statement: a call and a transaction cost PostgreSQL more than what is looked up in them.

use std::collections::VecDeque;
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{StorageError, api_keys, api_tenant_keys, groups, sessions};
use crate::database::Database;
use crate::limits;

/// Something that is looked up, among others, in one statement.
pub(crate) trait LookedUp: Sized + Send + Sync + 'static {
    type Found: Send + 'static;
    /// So many go in one statement.
    const TOGETHER: usize = limits::LOOK_UPS_TOGETHER;

    /// What those of `asked` found that found something.
    fn look_up(
        database: &Database,
        asked: &[Self],
    ) -> impl Future<Output = Result<Placed<Self::Found>, StorageError>> + Send;
}

/// What some found, each with its place among all that were asked, from 1.
pub(super) type Placed<F> = Vec<(i64, Result<F, StorageError>)>;

/// One value of each, as PostgreSQL's `unnest` takes them.
pub(super) fn column<T, V>(asked: &[T], value: impl Fn(&T) -> V) -> Vec<V> {
    asked.iter().map(value).collect()
}

/// A line for each kind.
#[derive(Default)]
pub(crate) struct LookUps {
    pub sessions: Arc<Line<sessions::Presented>>,
    pub api_keys: Arc<Line<api_keys::Presented>>,
    pub tenant_keys: Arc<Line<api_tenant_keys::Presented>>,
    pub groups: Arc<Line<groups::Seeing>>,
}

type Answer<T> = Result<Option<<T as LookedUp>::Found>, StorageError>;

/// Those who wait.
pub(crate) struct Line<T: LookedUp>(Mutex<State<T>>);

struct State<T: LookedUp> {
    waiting: VecDeque<(T, oneshot::Sender<Answer<T>>)>,
    /// Statements on their way.
    at_work: usize,
}

impl<T: LookedUp> Line<T> {
    /// What `asked` found, or why nothing could be looked up.
    pub(crate) async fn ask(self: &Arc<Self>, database: &Database, asked: T) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        if self.enter(asked, answer) {
            let work = AtWork {
                line: Arc::clone(self),
                is_counted: true,
            };
            // Not in the request of whoever came first: theirs may end before the others have been answered.
            tokio::spawn(work.serve(database.clone()));
        }
        match timeout(limits::DATABASE_WAIT, answered).await {
            Ok(Ok(answer)) => answer,
            // It is gone without an answer only if what looks up panicked.
            Ok(Err(_)) => Err(sqlx::Error::WorkerCrashed.into()),
            Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
    }

    /// Whether somebody more is to serve the line.
    fn enter(&self, asked: T, answer: oneshot::Sender<Answer<T>>) -> bool {
        let mut state = self.state();
        state.waiting.push_back((asked, answer));
        let more = state.at_work < limits::LOOK_UPS_AT_ONCE;
        state.at_work += usize::from(more);
        more
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: LookedUp> Default for Line<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            waiting: VecDeque::new(),
            at_work: 0,
        }))
    }
}

/// Serves the line until nobody waits, and is counted meanwhile.
struct AtWork<T: LookedUp> {
    line: Arc<Line<T>>,
    is_counted: bool,
}

impl<T: LookedUp> AtWork<T> {
    async fn serve(mut self, database: Database) {
        while let Some((asked, answers)) = self.next() {
            match in_time(&database, &asked).await {
                Ok(found) => answer(answers, found),
                Err(StorageError::Failed(_)) if asked.len() > 1 => each_alone(&database, asked, answers).await,
                Err(error) => refuse(answers, &error),
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "two columns of what waits")]
    fn next(&mut self) -> Option<(Vec<T>, Vec<oneshot::Sender<Answer<T>>>)> {
        let mut state = self.line.state();
        // Whose request has ended asks no more.
        state.waiting.retain(|(_, answer)| !answer.is_closed());
        let some = state.waiting.len().min(T::TOGETHER);
        if some == 0 {
            // In one breath with the look at the line: whoever comes now finds that nobody serves it.
            state.at_work -= 1;
            self.is_counted = false;
            return None;
        }
        Some(state.waiting.drain(..some).unzip())
    }
}

/// A statement that hangs would keep its place, and with it everybody out.
async fn in_time<T: LookedUp>(database: &Database, asked: &[T]) -> Result<Placed<T::Found>, StorageError> {
    timeout(limits::DATABASE_WAIT, T::look_up(database, asked))
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()))
}

/// What one of them has stored does not become another's error.
async fn each_alone<T: LookedUp>(database: &Database, asked: Vec<T>, answers: Vec<oneshot::Sender<Answer<T>>>) {
    let mut left = asked.into_iter().zip(answers);
    while let Some((one, to)) = left.next() {
        match in_time(database, &[one]).await {
            Ok(found) => answer(vec![to], found),
            Err(error @ StorageError::Unavailable(_)) => {
                return refuse(iter::once(to).chain(left.map(|(_, to)| to)), &error);
            }
            Err(error) => refuse([to], &error),
        }
    }
}

fn answer<F>(to: Vec<oneshot::Sender<Result<Option<F>, StorageError>>>, found: Placed<F>) {
    let mut to: Vec<_> = to.into_iter().map(Some).collect();
    for (place, found) in found {
        let asked = usize::try_from(place - 1).ok().and_then(|place| to.get_mut(place));
        if let Some(to) = asked.and_then(Option::take) {
            tell(to, found.map(Some));
        }
    }
    to.into_iter().flatten().for_each(|to| tell(to, Ok(None)));
}

fn refuse<A>(to: impl IntoIterator<Item = oneshot::Sender<Result<A, StorageError>>>, error: &StorageError) {
    to.into_iter().for_each(|to| tell(to, Err(error.clone())));
}

/// Who asked may have gone.
fn tell<A>(to: oneshot::Sender<A>, answer: A) {
    drop(to.send(answer));
}

impl<T: LookedUp> Drop for AtWork<T> {
    fn drop(&mut self) {
        if self.is_counted {
            let mut state = self.line.state();
            state.at_work -= 1;
            // They would wait for somebody who does not come.
            state.waiting.clear();
        }
    }
}
