//! What can go wrong with a home.

use crate::limits;
use crate::platform::BlobError;

/// Why a home could not be sealed or restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    #[error("the vault is locked: unlock it to seal or restore the home")]
    Locked,
    #[error("the vault could not be read or written: {0}")]
    Vault(String),
    #[error("{0}")]
    Store(#[from] BlobError),
    #[error("the home's files could not be {doing}: {why}")]
    Files { doing: &'static str, why: String },
    #[error("the home holds more than {max} bytes (HOME_BYTES): delete some files", max = limits::HOME_BYTES)]
    TooLarge,
    #[error("the home holds more than {max} files (HOME_ENTRIES): delete some", max = limits::HOME_ENTRIES)]
    TooManyEntries,
    #[error("a path in the home is longer than {max} bytes (HOME_PATH_BYTES)", max = limits::HOME_PATH_BYTES)]
    PathTooLong,
    #[error("folders in the home are nested deeper than {max} (HOME_DEPTH)", max = limits::HOME_DEPTH)]
    TooDeep,
    #[error("the home's list of files is larger than one sealed object: delete some files")]
    ManifestTooLarge,
    #[error("the agent writes faster than its home can be read: {0} attempts")]
    Restless(usize),
    #[error("the agent could not be frozen for a snapshot: {0}")]
    NotStill(String),
    #[error(
        "rollback refused: sealed home number {expected} is the last that was acknowledged, and the store offers {offered}"
    )]
    RolledBack { expected: u64, offered: String },
    #[error("refused: the store holds a sealed home number {number} that this keeper did not write: {why}")]
    Foreign { number: u64, why: String },
    #[error("the sealed home is damaged: {what}: {why}")]
    Damaged { what: String, why: String },
    #[error("what was written could not be read back: {0}")]
    ReadBack(String),
    #[error("the home was not restored yet")]
    NotRestored,
    #[error("the keeper failed: {0}")]
    Internal(String),
}

impl HomeError {
    /// Whether the same may succeed later without anything being changed by a person.
    pub fn passes(&self) -> bool {
        match self {
            Self::Store(error) => error.passes(),
            Self::Restless(_) | Self::NotStill(_) | Self::ReadBack(_) => true,
            _ => false,
        }
    }

    pub(super) fn files(doing: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |errno| Self::Files {
            doing,
            why: errno.to_string(),
        }
    }
}
