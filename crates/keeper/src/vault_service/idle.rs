//! When the vault locks by itself, and what happens before it does; and whether the key of one that stays open has come of age.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::Millis;
use tokio::sync::Notify;

use super::service::{VaultNotice, VaultService, lock};
use crate::limits::{GRANT_LONGEST, ROTATION_LOOK, TURN_LONGEST, TURN_SILENCE};

/// Idle time until the operator's setting is known.
const LOCK_AFTER: Duration = Duration::from_secs(30 * 60);
/// How long before an idle lock the notice is given.
const NOTICE: Duration = Duration::from_secs(60);
/// The clock is looked at no less often: a machine that slept moves the wall clock, not the timer.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// What has to happen before a lock is given this long; then the keys are wiped all the same.
const HOOK: Duration = Duration::from_secs(60);

/// Why the vault was locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockReason {
    Idle,
    /// By its owner.
    Asked,
    /// The cell goes to sleep.
    Sleep,
    /// Services were called far more often than usual.
    Unusual,
}

/// Something that must happen before the keys are wiped, such as sealing the home.
pub trait BeforeLock: Send + Sync + 'static {
    /// Called while the vault is still unlocked; after a minute the keys are wiped all the same. `false`: something is not saved.
    fn before_lock(&self, reason: LockReason) -> BoxFuture<'_, bool>;
}

/// Something that its owner waits for. While it is heard of it counts as use of the vault, and until it is dropped; for [`TURN_LONGEST`] at most.
pub struct UnderWay {
    vault: VaultService,
    number: u64,
    longest: Millis,
}

impl UnderWay {
    /// It goes on: from now on it may be silent for [`TURN_SILENCE`].
    pub fn heard(&self) {
        let now = self.vault.now();
        if now >= self.longest {
            return;
        }
        self.vault.touch();
        let until = now.saturating_add(millis(TURN_SILENCE)).min(self.longest);
        lock(&self.vault.idle().under_way).insert(self.number, until);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.vault.touch();
        lock(&self.vault.idle().under_way).remove(&self.number);
    }
}

pub(super) struct Idle {
    last_use: AtomicI64,
    /// The operator's.
    lock_after: AtomicI64,
    /// The owner's; zero if there is none.
    own_lock_after: AtomicI64,
    /// Not before this, used or not; zero if there is no such time.
    granted_until: AtomicI64,
    /// In minutes, as the owner's organisation has it.
    grant_longest: AtomicU32,
    /// Until when what is under way counts as use, by its number.
    under_way: Mutex<HashMap<u64, Millis>>,
    next_under_way: AtomicU64,
    hooks: Mutex<Vec<Arc<dyn BeforeLock>>>,
    /// Held by a lock; holds whether all was saved before the last one.
    gate: tokio::sync::Mutex<bool>,
    wake: Notify,
}

impl Idle {
    pub fn new(now: Millis) -> Self {
        Self {
            last_use: AtomicI64::new(now),
            lock_after: AtomicI64::new(millis(LOCK_AFTER)),
            own_lock_after: AtomicI64::new(0),
            granted_until: AtomicI64::new(0),
            grant_longest: AtomicU32::new(GRANT_LONGEST),
            under_way: Mutex::default(),
            next_under_way: AtomicU64::new(0),
            hooks: Mutex::new(Vec::new()),
            gate: tokio::sync::Mutex::new(true),
            wake: Notify::new(),
        }
    }

    pub fn touch(&self, now: Millis) {
        self.last_use.store(now, Ordering::Relaxed);
    }

    pub fn set_lock_after(&self, after: Duration) {
        self.lock_after.store(millis(after), Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub fn set_own_lock_after(&self, after: Option<Duration>) {
        self.own_lock_after.store(after.map_or(0, millis), Ordering::Relaxed);
        self.wake.notify_one();
    }

    pub fn usual_lock_after(&self) -> Millis {
        self.lock_after.load(Ordering::Relaxed)
    }

    /// Gives what was granted before.
    pub fn grant_until(&self, until: Millis) -> Millis {
        let before = self.granted_until.swap(until, Ordering::Relaxed);
        self.wake.notify_one();
        before
    }

    pub fn granted_until(&self) -> Millis {
        self.granted_until.load(Ordering::Relaxed)
    }

    pub fn set_grant_longest(&self, minutes: u32) {
        self.grant_longest.store(minutes, Ordering::Relaxed);
    }

    pub fn grant_longest(&self) -> u32 {
        self.grant_longest.load(Ordering::Relaxed)
    }

    pub fn changed(&self) {
        self.wake.notify_one();
    }

    pub fn locks_at(&self) -> Millis {
        let after = match self.own_lock_after.load(Ordering::Relaxed) {
            0 => self.lock_after.load(Ordering::Relaxed),
            own => own,
        };
        let unused = self.last_use.load(Ordering::Relaxed).saturating_add(after);
        let under_way = lock(&self.under_way).values().copied().max().unwrap_or(0);
        unused.max(self.granted_until()).max(under_way)
    }

    pub fn add_hook(&self, hook: Arc<dyn BeforeLock>) {
        lock(&self.hooks).push(hook);
    }

    pub fn add_first_hook(&self, hook: Arc<dyn BeforeLock>) {
        lock(&self.hooks).insert(0, hook);
    }

    pub async fn locking(&self) -> tokio::sync::MutexGuard<'_, bool> {
        self.gate.lock().await
    }

    /// Whether all was saved.
    pub async fn run_hooks(&self, reason: LockReason) -> bool {
        let hooks = lock(&self.hooks).clone();
        let mut saved = true;
        for hook in hooks {
            saved &= tokio::time::timeout(HOOK, hook.before_lock(reason))
                .await
                .unwrap_or_else(|_| {
                    tracing::warn!(
                        ?reason,
                        "what had to happen before the lock took too long; locking all the same"
                    );
                    false
                });
        }
        saved
    }
}

impl VaultService {
    /// Something begins that its owner waits for.
    pub fn under_way(&self) -> UnderWay {
        let number = self.idle().next_under_way.fetch_add(1, Ordering::Relaxed);
        let under_way = UnderWay {
            vault: self.clone(),
            number,
            longest: self.now().saturating_add(millis(TURN_LONGEST)),
        };
        under_way.heard();
        under_way
    }

    /// The timer ends when the last handle to the vault is dropped.
    pub(super) fn spawn_idle_timer(&self) {
        let weak = self.downgrade();
        let idle = Arc::clone(self.idle());
        tokio::spawn(async move {
            // The use after which the notice was given: once for each idle time.
            let mut noticed = None;
            let mut aged = None;
            loop {
                let wait = {
                    let Some(service) = weak.upgrade() else { return };
                    service.look_at_the_age(&mut aged);
                    service.look_at_the_clock(&mut noticed).await
                };
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = idle.wake.notified() => {}
                }
            }
        });
    }

    /// Changes a key that comes of age while the vault stays open. At an unlocking whoever comes in has it looked at.
    fn look_at_the_age(&self, looked: &mut Option<Millis>) {
        let now = self.shared().clock.now();
        if !self.shared().keyring.is_open() {
            *looked = None;
        } else if now.saturating_sub(*looked.get_or_insert(now)) >= millis(ROTATION_LOOK) {
            *looked = Some(now);
            let service = self.clone();
            // Beside the timer: a slow disk keeps no vault from locking.
            tokio::spawn(async move { service.rotate_at_its_age().await });
        }
    }

    /// Locks when it is time, gives the notice when it is nearly; says when to look again.
    async fn look_at_the_clock(&self, noticed: &mut Option<Millis>) -> Duration {
        let Some(locks_at) = self.locks_at() else {
            *noticed = None;
            return LOOK_AGAIN;
        };
        let left = locks_at.saturating_sub(self.shared().clock.now());
        if left <= 0 {
            if let Err(error) = self.lock(LockReason::Idle).await {
                tracing::error!(%error, "the idle lock failed");
            }
            return LOOK_AGAIN;
        }
        let left = Duration::from_millis(left.unsigned_abs());
        if left > NOTICE {
            return (left - NOTICE).min(LOOK_AGAIN);
        }
        if noticed.replace(locks_at) != Some(locks_at) {
            self.shared().notice(VaultNotice::LocksIn(left));
        }
        left.min(LOOK_AGAIN)
    }
}

fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
