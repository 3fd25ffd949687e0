//! The cryptography of a vault and of its channel: pure functions and types, no I/O, no clock.
//!
//! What is promised here: a secret is wiped when it is dropped and has no `Debug`; whatever is opened was sealed under the
//! same key, for the same purpose, name and version; and nothing that comes from outside can make a function panic.
//! The byte formats are written down in `docs/protocol.md`, section 1, and proved by the vectors in `tests/vectors/`.

mod backoff;
mod backup;
mod backup_key;
mod body;
mod capability;
mod cipher;
mod envelope;
mod file;
mod frame;
mod identity;
pub mod keys;
mod limits;
pub mod opaque;
mod phrase;
mod random;
mod recovery;
mod seal;
mod sealed_to;
mod secret;
mod secrets_export;
mod slot;
mod slot_keys;
mod slot_secret;
mod typed_password;

pub use backoff::{Attempts, FREE_ATTEMPTS, LONGEST_WAIT_MS, wait_ms};
pub use backup::{
    BACKUP_PURPOSE, BackupError, BackupReader, BackupWriter, Section, SectionKind, backup_end_name, seal_backup_end,
};
pub use backup_key::{BackupKey, BackupKeyError};
pub use body::{Body, BodyError};
pub use capability::{
    Capability, CapabilityError, Constraints, Granted, Hash, KnownChains, Link, ManageRequest, Management,
    NewCapability, Nonce, Presentable, Presentation, PresentationOf, Rate, Resource, Scope, Scopes, SharedRequest,
    SignerKey, Steering, Wider, has_parameters, percent_decoded, steering, steering_in_query, verify_chain,
};
pub use envelope::{
    ENVELOPE_OVERHEAD, EnvelopeError, OpenedEnvelope, Place, envelope_link, open_envelope, seal_envelope,
};
pub use file::{FileError, NewSlot, PasskeyHeader, SlotChange, SlotRecord, VaultFile};
pub use frame::{FrameError, FrameOpener, FrameSealer};
pub use identity::{
    AgreementKey, AgreementSecret, BUNDLE_BYTES, FINGERPRINT_GROUPS, Identity, IdentityError, PublicIdentity,
};
pub use limits::{
    CACHED_REQUEST_BYTES, CAPABILITY_BYTES, CAPABILITY_LIFE_MS, CAPABILITY_LINKS, CREDENTIAL_ID_BYTES, ENTRY_BYTES,
    ENTRY_NAME_BYTES, ENVELOPE_CLASSES, FRAME_BYTES, PASSWORD_BYTES, PRESENTATION_BYTES, PRESENTATION_LIFE_MS,
    RECOVERY_CONTACTS, RP_ID_BYTES, SEALED_TO_BYTES, SECRETS_EXPORT_BYTES, SLOTS, VAULT_BYTES,
};
pub use phrase::{Phrase, PhraseError};
pub use random::random_bytes;
pub use recovery::{
    JoinedSecret, RELEASE_PURPOSE, RecoveryError, RecoveryRequest, RecoveryShare, RecoveryTerms, join_shares,
    split_secret,
};
pub use seal::{SEAL_HEADER, SEAL_OVERHEAD, SealError, SealKey};
pub use sealed_to::{
    OpenedMessage, SEALED_TO_OVERHEAD, SealedToError, open_sealed_to, seal_to, seal_to_with_one_time_key,
};
pub use secret::same_secret;
pub use secret::{
    ClientSecret, DataKey, ExportKey, Kek, LocalKey, ResumptionSecret, SecretBytes, SessionKey, WrongLength,
};
pub use secrets_export::{
    SecretsExportError, open_secrets_export, open_secrets_export_with_root, seal_secrets_export,
    seal_secrets_export_with,
};
pub use slot::{SlotKind, WrapError, unwrap_data_key, wrap_data_key};
pub use slot_keys::SlotKeys;
pub use slot_secret::{passkey_secret, platform_secret, social_secret};
pub use typed_password::{PasswordError, password_secret};
