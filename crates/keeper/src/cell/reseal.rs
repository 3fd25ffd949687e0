//! After a change of the vault's key: the home is sealed whole, under the new one. Until that has worked everything opens with either,
//! so it is simply done again: after the next start, or with the next lock or sleep, which read everything anyway.

use super::Cell;
use crate::home::{Depth, HomeError, HomeVault as _, UnlockedVault};
use crate::limits;

impl Cell {
    /// Seals the home anew if it is here and not all of it is under the newest key.
    pub(super) async fn seal_anew(&self) {
        if !matches!(self.vault().unfinished_rotation(), Ok(Some(_))) {
            return;
        }
        let _busy = self.busy();
        let step = self.inner.step.lock().await;
        let done = if step.home_is_live {
            let suspended = *self.inner.turns.borrow() == 0 && self.suspend_for_snapshot().await;
            let sealed = self.seal(Depth::Everything, limits::SNAPSHOT_RETRY).await;
            if suspended {
                self.resume_agent().await;
            }
            sealed.map(drop)
        } else {
            self.nothing_was_sealed().await
        };
        drop(step);
        match done {
            Ok(()) => self.tidy_later(),
            Err(error) => tracing::warn!("the home stays under the old key for now: {error}"),
        }
    }

    /// A vault without a model never had a home: nothing needs the old key.
    async fn nothing_was_sealed(&self) -> Result<(), HomeError> {
        let vault = UnlockedVault::new(self.vault())?;
        if self.vault().model()?.is_some() || vault.pin()?.is_some() {
            return Ok(());
        }
        match vault.unfinished_rotation()? {
            Some(number) => vault.finish_rotation(number).await,
            None => Ok(()),
        }
    }
}
