//! Work of the background that is done again and again until somebody stops it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// The task. Dropping it ends it.
pub(crate) struct Repeating(Mutex<Option<JoinHandle<()>>>);

impl Repeating {
    /// Does it now, and again so long after it was begun, or as soon as it is done where it took longer.
    pub(crate) fn start<F: Future<Output = ()> + Send>(
        every: Duration,
        mut round: impl FnMut() -> F + Send + 'static,
    ) -> Self {
        let task = tokio::spawn(async move {
            let mut next = tokio::time::interval(every);
            next.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                next.tick().await;
                round().await;
            }
        });
        Self(Mutex::new(Some(task)))
    }

    /// Ends it, and gives the database's connections back, so that the pool can be closed.
    pub(crate) async fn stop(&self) {
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            let _aborted = task.await;
        }
    }
}

impl Drop for Repeating {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
