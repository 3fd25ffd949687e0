//! What keeps a cell from being paused: every hold counts, and the platform is told when the first begins and the last ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::platform::Platform;

/// Counts holds.
pub(super) struct Holds {
    count: Arc<AtomicUsize>,
    platform: Platform,
}

impl Holds {
    pub fn new(platform: Platform) -> Self {
        Self {
            count: Arc::default(),
            platform,
        }
    }

    pub fn hold(&self) -> Busy {
        self.count.fetch_add(1, Ordering::SeqCst);
        tell(&self.count, &self.platform);
        Busy {
            count: self.count.clone(),
            platform: self.platform.clone(),
        }
    }

    pub fn any(&self) -> bool {
        self.count.load(Ordering::SeqCst) > 0
    }
}

/// The cell is busy while this lives.
pub(super) struct Busy {
    count: Arc<AtomicUsize>,
    platform: Platform,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
        tell(&self.count, &self.platform);
    }
}

fn tell(count: &AtomicUsize, platform: &Platform) {
    // Read inside the change, so that two that race leave the truth.
    platform.set_status(|status| status.busy = count.load(Ordering::SeqCst) > 0);
}

/// A turn is under way while this lives.
pub struct TurnGuard {
    busy: Option<Busy>,
    turns: Arc<watch::Sender<usize>>,
}

impl TurnGuard {
    pub(super) fn new(busy: Busy, turns: Arc<watch::Sender<usize>>) -> Self {
        turns.send_modify(|turns| *turns += 1);
        Self {
            busy: Some(busy),
            turns,
        }
    }

    /// The turn is over; the cell stays busy until the result is dropped.
    pub(super) fn finish(mut self) -> Option<Busy> {
        self.busy.take()
    }
}

impl Drop for TurnGuard {
    fn drop(&mut self) {
        self.turns.send_modify(|turns| *turns -= 1);
    }
}
