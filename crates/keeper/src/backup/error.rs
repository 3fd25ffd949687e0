use protocol::channel::ChannelError;
use vault::{BackupError, FileError};

use crate::home::HomeError;
use crate::limits::{BACKUP_PART_BYTES, BACKUPS_AT_ONCE};
use crate::vault_service::VaultError;

/// Why a backup is not made, or refused. After a refusal nothing was replaced.
#[derive(Debug, thiserror::Error)]
pub enum BackupFailure {
    #[error("There is no such backup under way: begin again.")]
    Unknown,
    #[error("At most {BACKUPS_AT_ONCE} (BACKUPS_AT_ONCE) backups are handled at once: finish or leave one first.")]
    TooMany,
    #[error("One part of a backup has at most {BACKUP_PART_BYTES} bytes (BACKUP_PART_BYTES).")]
    PartTooLarge,
    #[error(
        "The vault's key was changed while this backup was made, so its end would not open. Nothing is wrong: make it again."
    )]
    KeyChanged,
    #[error("Say how this backup is opened first: its password, recovery phrase or another of its keys.")]
    NeedsKey,
    #[error("This backup is open already, or not read far enough to be opened.")]
    NotNow,
    #[error("This backup was not read to its end yet.")]
    Unfinished,
    #[error("Refused, and nothing was replaced: {0}.")]
    File(#[from] BackupError),
    #[error("Refused, and nothing was replaced: the vault in this backup is not whole: {0}.")]
    Vault(FileError),
    #[error("This key does not open the backup: {0}.")]
    WrongKey(FileError),
    #[error("Refused, and nothing was replaced: {0}.")]
    Home(#[from] HomeError),
    #[error(transparent)]
    Own(#[from] VaultError),
}

impl From<FileError> for BackupFailure {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Wrap(_) | FileError::UnknownSlot(_) => Self::WrongKey(error),
            error => Self::Vault(error),
        }
    }
}

impl BackupFailure {
    /// The stable code of this error in the channel.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_backup",
            Self::TooMany => "too_many_backups",
            Self::PartTooLarge => "too_large",
            Self::NeedsKey => "needs_key",
            Self::KeyChanged => "key_changed",
            Self::NotNow => "malformed",
            Self::Unfinished | Self::File(BackupError::Cut(_)) => "backup_cut",
            Self::WrongKey(_) => "wrong_key",
            Self::Home(HomeError::Store(error)) if error.passes() => "store",
            Self::Home(HomeError::Locked) => "vault_locked",
            Self::File(_) | Self::Vault(_) | Self::Home(_) => "backup_refused",
            Self::Own(error) => error.code(),
        }
    }
}

impl From<BackupFailure> for ChannelError {
    fn from(error: BackupFailure) -> Self {
        match error {
            BackupFailure::Own(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}
