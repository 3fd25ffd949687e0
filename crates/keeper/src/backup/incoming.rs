//! A backup that is being read. Its vault is opened as soon as it was read; from then on each piece is checked when it comes, and
//! sealed with this vault's key. What was taken in counts for nothing until [`Incoming::apply`].

use std::sync::Arc;

use protocol::SlotId;
use vault::opaque::Names;
use vault::{BackupError, BackupReader, Kek, Section, SectionKind, VaultFile, backup_end_name};

use super::error::BackupFailure;
use super::not_undone::not_undone;
use super::old_vault::OldVault;
use crate::home::{Hold, Home, HomeVault, IncomingHome, PIN_RECORD, UnlockedVault};
use crate::limits::BACKUP_PART_BYTES;
use crate::vault_service::VaultService;

pub(super) struct Incoming {
    vault: VaultService,
    home: Home,
    reader: BackupReader,
    file: Option<VaultFile>,
    old: Option<Arc<OldVault>>,
    files: Option<IncomingHome>,
    ended: bool,
    /// A backup that was refused once is not read on.
    refused: bool,
    _hold: Hold,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Progress {
    /// The vault in it was not read yet.
    Reading,
    /// Its vault was read: say which of its slots opens it, and how.
    NeedsKey,
    /// Its vault is open; the rest is read and checked.
    Checking,
    /// All of it was read and is whole.
    Complete,
}

impl Incoming {
    pub async fn start(vault: &VaultService, home: &Home) -> Self {
        Self {
            vault: vault.clone(),
            home: home.clone(),
            reader: BackupReader::default(),
            file: None,
            old: None,
            files: None,
            ended: false,
            refused: false,
            _hold: home.hold().await,
        }
    }

    pub fn progress(&self) -> Progress {
        match (&self.file, &self.old) {
            _ if self.ended => Progress::Complete,
            (None, _) => Progress::Reading,
            (Some(_), None) => Progress::NeedsKey,
            (Some(_), Some(_)) => Progress::Checking,
        }
    }

    pub fn file(&self) -> Option<&VaultFile> {
        self.file.as_ref()
    }

    /// Takes the next part of the file.
    pub async fn write(&mut self, part: &[u8]) -> Result<(), BackupFailure> {
        if part.len() > BACKUP_PART_BYTES {
            return Err(BackupFailure::PartTooLarge);
        }
        if self.progress() == Progress::NeedsKey {
            return Err(BackupFailure::NeedsKey);
        }
        self.reader.push(part);
        self.read_on().await
    }

    async fn read_on(&mut self) -> Result<(), BackupFailure> {
        if self.refused {
            return Err(BackupFailure::Unknown);
        }
        while self.progress() != Progress::NeedsKey {
            // What fails for a while at the store would be lost by going on: it is begun again in any case.
            self.refused = true;
            let Some(section) = self.reader.next_section()? else {
                self.refused = false;
                return Ok(());
            };
            self.take(section).await?;
            self.refused = false;
        }
        Ok(())
    }

    async fn take(&mut self, section: Section) -> Result<(), BackupFailure> {
        if section.kind == SectionKind::Vault {
            let file = VaultFile::decode(&section.body)?;
            file.server_setup()
                .map_err(|error| BackupFailure::Vault(error.into()))?;
            self.file = Some(file);
            return Ok(());
        }
        let vault = self.old.as_ref().ok_or(BackupFailure::NeedsKey)?;
        let old: Arc<dyn HomeVault> = Arc::clone(vault) as Arc<dyn HomeVault>;
        match section.kind {
            SectionKind::Vault => Err(BackupFailure::File(BackupError::Order)),
            SectionKind::Files => {
                self.files = Some(Home::incoming(&old, section.body).await?);
                Ok(())
            }
            SectionKind::Chunk => {
                let files = self.files.as_mut().ok_or(BackupError::Order)?;
                let (name, sealed) = section
                    .body
                    .split_first_chunk::<32>()
                    .ok_or(BackupError::SectionTooLarge(section.body.len()))?;
                let new: Arc<dyn HomeVault> = Arc::new(UnlockedVault::new(&self.vault)?);
                self.home.take_chunk(files, &old, &new, *name, sealed.to_vec()).await?;
                Ok(())
            }
            SectionKind::End => {
                let digest = vault
                    .backup
                    .open(backup_end_name(), vault.epoch, &section.body)
                    .map_err(BackupError::from)?;
                self.reader.check_end(&digest)?;
                if vault.body.get(PIN_RECORD).is_some() && self.files.as_ref().is_none_or(|files| files.missing() > 0) {
                    return Err(BackupFailure::File(BackupError::Digest));
                }
                self.ended = true;
                Ok(())
            }
        }
    }

    /// Plays the keeper of the vault in the backup: anybody who has the file could.
    pub fn log_in(&self, slot: SlotId, request: &[u8]) -> Result<Vec<u8>, BackupFailure> {
        let file = self.file.as_ref().ok_or(BackupFailure::NotNow)?;
        let names = Names {
            cell: file.cell().ok_or(BackupFailure::NotNow)?,
            slot: slot.uuid(),
        };
        let registration = file.slot(slot.uuid())?.registration();
        let registration = registration.map_err(|error| BackupFailure::Vault(error.into()))?;
        let setup = file
            .server_setup()
            .map_err(|error| BackupFailure::Vault(error.into()))?;
        let answered = setup.login_response(&registration, request, &names);
        Ok(answered.map_err(|error| BackupFailure::Vault(error.into()))?.1)
    }

    /// Opens the vault in the backup with the key of one of its slots.
    pub async fn open(&mut self, slot: SlotId, kek: &Kek) -> Result<(), BackupFailure> {
        if self.progress() != Progress::NeedsKey {
            return Err(BackupFailure::NotNow);
        }
        let file = self.file.as_ref().ok_or(BackupFailure::NotNow)?;
        let (data_key, body) = file.open(slot.uuid(), kek)?;
        self.old = Some(Arc::new(OldVault::new(&data_key, body)));
        self.read_on().await
    }

    /// What is in it: files, and conversations.
    pub fn content(&self) -> (usize, usize) {
        let files = self.files.as_ref().map_or(0, IncomingHome::entries);
        let conversations = self
            .old
            .as_ref()
            .map_or(0, |old| old.body.names("chat/conversation/").count());
        (files, conversations)
    }

    /// Puts vault and home in the place of what is here: in one write.
    pub async fn apply(&mut self) -> Result<(), BackupFailure> {
        if self.progress() != Progress::Complete {
            return Err(BackupFailure::Unfinished);
        }
        self.reader.finish()?;
        let old = self.old.as_ref().ok_or(BackupFailure::Unfinished)?;
        let new: Arc<dyn HomeVault> = Arc::new(UnlockedVault::new(&self.vault)?);
        let staged = match &self.files {
            Some(files) => Some(self.home.stage(files, &new).await?),
            None => new.pin()?,
        };
        let pin = staged.map(|pin| serde_json::to_vec(&pin)).transpose();
        let pin = pin.map_err(|error| crate::home::HomeError::Vault(error.to_string()))?;
        let mut records = not_undone(&self.vault, &old.body)?;
        records.extend(pin.map(|pin| (PIN_RECORD.to_owned(), pin)));
        self.vault.replace_content(&old.body, records).await?;
        Ok(())
    }
}
