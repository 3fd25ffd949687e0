//! Limits of what this crate reads and writes. Each is checked before memory is spent on it.

/// Largest encrypted frame on a channel, in bytes, with its header.
pub const FRAME_BYTES: usize = 1024 * 1024;
/// Largest vault file, in bytes.
pub const VAULT_BYTES: usize = 16 * 1024 * 1024;
/// Largest value of one entry of a vault, in bytes.
pub const ENTRY_BYTES: usize = 1024 * 1024;
/// Longest name of an entry of a vault, in bytes.
pub const ENTRY_NAME_BYTES: usize = 200;
/// Keyslots of one vault.
pub const SLOTS: usize = 32;
/// Longest id of a passkey, in bytes (Web Authentication, section 4).
pub const CREDENTIAL_ID_BYTES: usize = 1023;
/// Longest name of the site that a passkey belongs to, in bytes: a domain name.
pub const RP_ID_BYTES: usize = 253;
/// Longest password, in bytes of UTF-8.
pub const PASSWORD_BYTES: usize = 1024;
/// Largest message that is sealed to somebody's key, in bytes.
pub const SEALED_TO_BYTES: usize = 256 * 1024;
/// Largest section of a backup but for the vault file, in bytes.
pub const BACKUP_SECTION_BYTES: usize = 8 * 1024 * 1024 + 64;
/// Largest file of exported secrets, in bytes.
pub const SECRETS_EXPORT_BYTES: usize = 16 * 1024 * 1024;
/// Contacts that one recovery is split among.
pub const RECOVERY_CONTACTS: usize = 15;
/// Sizes that the content of an envelope is padded to, in bytes.
pub const ENVELOPE_CLASSES: [usize; 5] = [256, 1024, 4096, 16 * 1024, 64 * 1024];
/// Largest capability, and longest name of what it is for, in bytes.
pub const CAPABILITY_BYTES: usize = 4096;
pub const CAPABILITY_RESOURCE_BYTES: usize = 300;
/// Largest request of which a capability lets a copy be made, in bytes of its canonical writing.
pub const CACHED_REQUEST_BYTES: usize = 2048;
/// Links of a chain of capabilities.
pub const CAPABILITY_LINKS: usize = 8;
/// Longest life of a capability, in milliseconds: a year.
pub const CAPABILITY_LIFE_MS: i64 = 366 * 24 * 60 * 60 * 1000;
/// How far ahead the clock of an issuer may be, in milliseconds.
pub const CAPABILITY_CLOCK_MS: i64 = 60 * 1000;
/// Largest presentation of a chain with its request, in bytes.
pub const PRESENTATION_BYTES: usize = 128 * 1024;
/// How long a presentation is good, in milliseconds.
pub const PRESENTATION_LIFE_MS: i64 = 5 * 60 * 1000;
