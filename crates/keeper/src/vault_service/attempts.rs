//! Wrong attempts by slot, durable, so that a restart forgives nothing. An attempt is counted as a failure before it is
//! answered: the client learns from the answer alone whether its guess was right, and need not say so.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{Millis, SlotId};
use tokio::sync::Mutex;
use vault::Attempts;

use super::disk::{ATTEMPTS, Disk};
use super::error::VaultError;

type Table = BTreeMap<SlotId, Attempts>;

/// Largest file of attempts, in bytes: some 80 a slot.
const FILE_BYTES: usize = 64 * 1024;

pub(super) struct AttemptLog {
    disk: Arc<Disk>,
    table: Mutex<Table>,
}

impl AttemptLog {
    pub fn load(disk: Arc<Disk>) -> Result<Self, VaultError> {
        let table = match disk.read(ATTEMPTS, FILE_BYTES)? {
            None => Table::new(),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|_| VaultError::Attempts)?,
        };
        Ok(Self {
            disk,
            table: Mutex::new(table),
        })
    }

    /// Counts an attempt, durably, if it may be made now. Gives the wait that follows should it fail, in milliseconds.
    /// `known` are the slots there are: others are forgotten.
    pub async fn begin(&self, slot: SlotId, known: &[SlotId], now: Millis) -> Result<u64, VaultError> {
        let mut table = self.table.lock().await;
        let attempts = table.get(&slot).copied().unwrap_or_default();
        match attempts.remaining_ms(now) {
            0 => {}
            retry_after_ms => return Err(VaultError::Backoff { retry_after_ms }),
        }
        let counted = attempts.counted(now);
        let mut next = table.clone();
        next.retain(|slot, _| known.contains(slot));
        next.insert(slot, counted);
        self.write(&next).await?;
        *table = next;
        Ok(counted.remaining_ms(now))
    }

    /// The attempt was right: the count starts again.
    pub async fn succeeded(&self, slot: SlotId) -> Result<(), VaultError> {
        let mut table = self.table.lock().await;
        let mut next = table.clone();
        if next.remove(&slot).is_some() {
            self.write(&next).await?;
            *table = next;
        }
        Ok(())
    }

    async fn write(&self, table: &Table) -> Result<(), VaultError> {
        let bytes = serde_json::to_vec(table).expect("a table of ids and numbers serialises");
        let disk = Arc::clone(&self.disk);
        tokio::task::spawn_blocking(move || disk.replace(ATTEMPTS, &bytes, |_| Ok(())))
            .await
            .map_err(|_| VaultError::Ending)?
    }
}
