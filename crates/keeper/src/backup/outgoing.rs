//! A backup that is being made: one moment of the vault, and the sealed home that it pins, read piece by piece.

use std::collections::VecDeque;
use std::sync::Arc;

use vault::{BACKUP_PURPOSE, BackupWriter, SectionKind, backup_end_name};

use super::error::BackupFailure;
use crate::home::{Hold, Home, HomeVault, PIN_RECORD, Pin, UnlockedVault};
use crate::limits::BACKUP_PART_BYTES;
use crate::vault_service::{Sealer, VaultError, VaultService};

pub(super) struct Outgoing {
    home: Home,
    writer: BackupWriter,
    sealer: Sealer,
    epoch: u64,
    /// The vault, and how often its key had been changed when the copy was made: the end is sealed under the key of that copy.
    vault: VaultService,
    rotation: u64,
    chunks: VecDeque<[u8; 32]>,
    /// Written and not read yet.
    waiting: VecDeque<u8>,
    ended: bool,
    _hold: Hold,
}

impl Outgoing {
    pub async fn start(vault: &VaultService, home: &Home) -> Result<Self, BackupFailure> {
        let hold = home.hold().await;
        let copy = vault.copy()?;
        let mut writer = BackupWriter::default();
        let mut first = writer.section(SectionKind::Vault, &[&copy.file])?;
        let mut chunks = Vec::new();
        if let Some(pin) = copy.record(PIN_RECORD) {
            let pin: Pin = serde_json::from_slice(pin).map_err(|_| VaultError::RecordName)?;
            let keys: Arc<dyn HomeVault> = Arc::new(UnlockedVault::new(vault)?);
            let (files, names) = home.outgoing(&keys, pin).await?;
            first.extend(writer.section(SectionKind::Files, &[&files])?);
            chunks = names;
        }
        Ok(Self {
            home: home.clone(),
            writer,
            sealer: vault.sealer(BACKUP_PURPOSE)?,
            epoch: copy.epoch,
            vault: vault.clone(),
            rotation: copy.rotation,
            chunks: chunks.into(),
            waiting: first.into(),
            ended: false,
            _hold: hold,
        })
    }

    /// Pieces of the home that are not read yet.
    pub fn left(&self) -> usize {
        self.chunks.len()
    }

    /// The next part; empty once all was read.
    pub async fn read(&mut self) -> Result<Vec<u8>, BackupFailure> {
        // Said early where it can be: nobody waits for the end of a file that is of no use.
        if !self.ended {
            self.same_key()?;
        }
        while self.waiting.len() < BACKUP_PART_BYTES && !self.ended {
            let section = match self.chunks.front() {
                Some(name) => {
                    let sealed = self.home.sealed_chunk(name).await?;
                    let section = self.writer.section(SectionKind::Chunk, &[name, &sealed])?;
                    self.chunks.pop_front();
                    section
                }
                None => {
                    let end = self.sealer.seal(backup_end_name(), self.epoch, &self.writer.digest())?;
                    self.same_key()?;
                    self.ended = true;
                    self.writer.section(SectionKind::End, &[&end])?
                }
            };
            self.waiting.extend(section);
        }
        let length = self.waiting.len().min(BACKUP_PART_BYTES);
        Ok(self.waiting.drain(..length).collect())
    }

    fn same_key(&self) -> Result<(), BackupFailure> {
        if self.vault.rotation_number()? != self.rotation {
            return Err(BackupFailure::KeyChanged);
        }
        Ok(())
    }

    /// Whether all of it was read.
    pub fn done(&self) -> bool {
        self.ended && self.waiting.is_empty()
    }
}
