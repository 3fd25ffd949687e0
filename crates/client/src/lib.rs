//! The Rust client of a channel (`docs/protocol.md`, sections 1 and 2), over any WebSocket, or over
//! one that it opens itself ([`dial`]).
//!
//! What is promised here: the password, phrase or key never leaves this process; a keeper that cannot prove that it holds the
//! registration, that is another than the known one, or that shows an older vault than was seen before is refused by name.

mod backup;
mod channel;
mod dial;
mod driver;
mod error;
mod handshake;

pub use backup::{BackupPart, BackupStarted, RestoreProgress, RestoreState};
pub use channel::{Channel, Event, Events, NewSlot, Unlocked};
pub use dial::dial;
pub use error::ClientError;
pub use handshake::{Handshake, Hello, Known, Registered, Ticket};
pub use protocol::channel::PasskeyRequest;
pub use vault::{
    BackupKey, BackupKeyError, ClientSecret, PasswordError, Phrase, PhraseError, SecretBytes, passkey_secret,
    password_secret, platform_secret, social_secret,
};
