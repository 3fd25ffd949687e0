//! What a home needs of the vault: keys by purpose, and one durable record, the pin.

use futures::future::BoxFuture;
use zeroize::Zeroizing;

use super::{HomeError, Pin};

/// Which keys are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Chunk,
    Manifest,
}

/// The vault, while it is unlocked. Every call fails with [`HomeError::Locked`] once it is not.
pub trait HomeVault: Send + Sync + 'static {
    /// Seals in place; name and version are bound to the result. `record` is [`vault::SEAL_HEADER`] free bytes, then what
    /// is sealed.
    fn seal(&self, purpose: Purpose, name: &str, version: u64, record: Vec<u8>) -> Result<Vec<u8>, HomeError>;
    /// Opens what was sealed under this name and version.
    fn open(&self, purpose: Purpose, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError>;
    /// A name for content that tells nothing of it to who lacks the key.
    fn content_id(&self, plain: &[u8]) -> Result<[u8; 32], HomeError>;
    /// Whether this is a name that [`Self::content_id`] gives, or gave before the vault's key was changed.
    fn is_content_id(&self, plain: &[u8], name: &[u8; 32]) -> Result<bool, HomeError>;
    /// The number of the vault's change of key after which not everything is sealed anew, if there is one.
    fn unfinished_rotation(&self) -> Result<Option<u64>, HomeError>;
    /// Everything is: the old key is dropped. Durable when this returns.
    fn finish_rotation(&self, number: u64) -> BoxFuture<'_, Result<(), HomeError>>;
    /// The newest acknowledged manifest.
    fn pin(&self) -> Result<Option<Pin>, HomeError>;
    /// Records it; durable when this returns.
    fn set_pin(&self, pin: Pin) -> BoxFuture<'_, Result<(), HomeError>>;
}
