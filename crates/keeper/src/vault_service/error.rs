use std::io;

use protocol::channel::ChannelError;
use vault::opaque::OpaqueError;
use vault::{BodyError, FileError, IdentityError, SealError};

/// Why the vault does not do what it was asked, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("The vault is locked: unlock it first.")]
    Locked,
    #[error("There is no vault yet: make one first.")]
    New,
    #[error("The vault exists already: log in instead.")]
    Exists,
    #[error("The claim is not the one that this keeper made: open Holdfast as the owner of this cell.")]
    ClaimRefused,
    #[error("The vault has no such slot.")]
    UnknownSlot,
    #[error("The vault has a slot of this kind already: say which one to replace.")]
    SlotExists,
    #[error(
        "The way in {0:?} was made by an older Holdfast: unlock the vault through it once, or remove it, and change the key then."
    )]
    SlotNotReady(String),
    #[error("The last change of the key is not finished: it ends when your agent's files are sealed again.")]
    RotationUnfinished,
    #[error("This is the last way into the vault: add another one first.")]
    LastSlot,
    #[error(
        "What is asked of the passkey is malformed: an id of 1 to 1023 bytes, a salt of 32, and the name of a site."
    )]
    Passkey,
    #[error("{0}")]
    Policy(String),
    #[error("A way in has a name.")]
    SlotName,
    #[error("Show first that it is you: with your password, a passkey or another way into this vault.")]
    NeedsProof,
    #[error("Too many wrong attempts: try again in {} s.", .retry_after_ms.div_ceil(1000))]
    Backoff { retry_after_ms: u64 },
    #[error("This volume belongs to another cell: nothing was opened or changed.")]
    WrongCell,
    #[error("The keeper does not know yet which cell it serves: try again in a moment.")]
    NotBound,
    #[error("The message is not one of the OPAQUE suite of this channel.")]
    Opaque(#[from] OpaqueError),
    #[error("The key does not open this slot: {0}.")]
    WrongKey(FileError),
    #[error("The vault is refused, and was not changed: {0}.")]
    Refused(FileError),
    #[error("{0}")]
    Limit(BodyError),
    #[error(
        "A record's name is 1 to 200 bytes of a-z, 0-9, '/', '.', '_' and '-', and does not start with \"vault/\"."
    )]
    RecordName,
    #[error("A record of the vault was written by a newer version of Holdfast.")]
    Newer,
    #[error("The model's settings are not usable: {0}.")]
    Model(&'static str),
    #[error("The identity of this vault cannot be read: {0}.")]
    Identity(#[from] IdentityError),
    #[error("A sealed object is refused: {0}.")]
    Sealed(#[from] SealError),
    #[error("The disk of this cell is full: nothing was changed. Make room, then try again.")]
    DiskFull(#[source] io::Error),
    #[error("The vault's folder cannot be used ({0}): nothing was changed.")]
    Disk(#[source] io::Error),
    #[error("Another keeper uses this vault's folder.")]
    InUse,
    #[error("The count of wrong attempts is malformed: the file \"attempts.json\" of the vault was changed.")]
    Attempts,
    #[error("The keeper is ending.")]
    Ending,
    #[error("Your cell is just going to sleep: try again in a moment.")]
    Leaving,
}

impl VaultError {
    /// The stable code of this error in the channel.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "vault_locked",
            Self::New => "vault_new",
            Self::Exists => "vault_exists",
            Self::ClaimRefused => "claim_refused",
            Self::UnknownSlot => "unknown_slot",
            Self::SlotExists => "slot_exists",
            Self::LastSlot => "last_slot",
            Self::SlotNotReady(_) => "slot_not_ready",
            Self::RotationUnfinished => "rotation_unfinished",
            Self::Passkey => "malformed",
            Self::Policy(_) => "out_of_range",
            Self::SlotName => "name_empty",
            Self::NeedsProof => "proof_needed",
            Self::Backoff { .. } => "backoff",
            Self::WrongCell => "wrong_cell",
            Self::NotBound => "not_ready",
            Self::Opaque(OpaqueError::WrongProof | OpaqueError::WrongSecretOrKeeper) => "wrong_secret",
            Self::Opaque(OpaqueError::Malformed) => "malformed",
            Self::WrongKey(_) => "wrong_key",
            Self::Refused(_) | Self::Attempts | Self::Identity(_) => "vault_refused",
            Self::Limit(_) => "too_large",
            Self::RecordName => "malformed",
            Self::Newer => "newer",
            Self::Model(_) => "model_invalid",
            Self::Sealed(_) => "sealed_refused",
            Self::DiskFull(_) => "disk_full",
            Self::Disk(_) | Self::InUse => "disk",
            Self::Ending => "ending",
            Self::Leaving => "leaving",
        }
    }
}

impl From<io::Error> for VaultError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(error),
            _ => Self::Disk(error),
        }
    }
}

impl From<FileError> for VaultError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::UnknownSlot(_) => Self::UnknownSlot,
            FileError::LastSlot => Self::LastSlot,
            FileError::Passkey => Self::Passkey,
            FileError::NotBound => Self::NotBound,
            FileError::Wrap(_) => Self::WrongKey(error),
            FileError::Body(error @ (BodyError::Full(_) | BodyError::EntryTooLarge(_))) => Self::Limit(error),
            other => Self::Refused(other),
        }
    }
}

impl From<BodyError> for VaultError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Name(_) => Self::RecordName,
            other => Self::Limit(other),
        }
    }
}

impl From<VaultError> for ChannelError {
    fn from(error: VaultError) -> Self {
        Self {
            retry_after_ms: match &error {
                VaultError::Backoff { retry_after_ms } => Some(*retry_after_ms),
                _ => None,
            },
            code: error.code().to_owned(),
            message: error.to_string(),
        }
    }
}
