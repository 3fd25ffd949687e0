//! The cryptography of a vault and of its channel: pure functions and types, no I/O, no clock.
//!
//! What is promised here: a secret is wiped when it is dropped and has no `Debug`; whatever is opened was sealed under the
//! same key, for the same purpose, name and version; and nothing that comes from outside can make a function panic.
//! The byte formats are written down in `docs/protocol.md`, section 1, and proved by the vectors in `tests/vectors/`.

mod backoff;
mod backup_key;
mod body;
mod file;
mod frame;
pub mod keys;
mod limits;
pub mod opaque;
mod phrase;
mod random;
mod seal;
mod secret;
mod slot;
mod slot_secret;
mod typed_password;

pub use backoff::{Attempts, FREE_ATTEMPTS, LONGEST_WAIT_MS, wait_ms};
pub use backup_key::{BackupKey, BackupKeyError};
pub use body::{Body, BodyError};
pub use file::{FileError, NewSlot, PasskeyHeader, SlotChange, SlotRecord, VaultFile};
pub use frame::{FrameError, FrameOpener, FrameSealer};
pub use limits::{
    CREDENTIAL_ID_BYTES, ENTRY_BYTES, ENTRY_NAME_BYTES, FRAME_BYTES, PASSWORD_BYTES, RP_ID_BYTES, SLOTS, VAULT_BYTES,
};
pub use phrase::{Phrase, PhraseError};
pub use random::random_bytes;
pub use seal::{SEAL_OVERHEAD, SealError, SealKey};
pub use secret::same_secret;
pub use secret::{
    ClientSecret, DataKey, ExportKey, Kek, LocalKey, ResumptionSecret, SecretBytes, SessionKey, WrongLength,
};
pub use slot::{SlotKind, WrapError, unwrap_data_key, wrap_data_key};
pub use slot_secret::{passkey_secret, social_secret};
pub use typed_password::{PasswordError, password_secret};
