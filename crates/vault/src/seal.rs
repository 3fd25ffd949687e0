//! Sealed records: what they are (purpose), which one (name) and which version of it are bound to the ciphertext.
//!
//! Format: `0x01 || key id (16) || nonce (24, random) || ciphertext || tag (16)`, XChaCha20-Poly1305 under
//! `HKDF-SHA512(data key, info = "holdfast/seal/v1/" + purpose)`. The key id tells a wrong key from a changed record and
//! makes a record commit to its key.

use chacha20poly1305::{AeadInPlace as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha512;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::derive;
use crate::random_bytes;
use crate::secret::{DataKey, SecretBytes};

const VERSION: u8 = 1;
const KEY_ID: usize = 16;
const NONCE: usize = 24;
const TAG: usize = 16;
/// By how many bytes a sealed record is longer than its plaintext.
pub const SEAL_OVERHEAD: usize = 1 + KEY_ID + NONCE + TAG;

/// Why a sealed record is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("a sealed record was cut: {0} bytes are too few")]
    Truncated(usize),
    #[error("sealed records of version {0} are not known here")]
    UnknownVersion(u8),
    #[error("a sealed record belongs to another key or purpose")]
    WrongKey,
    #[error("a sealed record was changed, or is another record or another version than the one asked for")]
    Tampered,
    #[error("a record of {0} bytes is too large to seal")]
    TooLarge(usize),
}

/// Seals and opens the records of one purpose.
pub struct SealKey {
    cipher: XChaCha20Poly1305,
    key_id: [u8; KEY_ID],
    hash_key: SecretBytes<64>,
    purpose: String,
}

impl SealKey {
    /// The key for `purpose`, derived from the data key.
    pub fn new(data_key: &DataKey, purpose: &str) -> Self {
        let part = |label: &[u8]| -> SecretBytes<32> { derive(data_key.expose(), b"", &[label, purpose.as_bytes()]) };
        let mut key_id = [0; KEY_ID];
        key_id.copy_from_slice(&part(b"holdfast/seal-key-id/v1/").expose()[..KEY_ID]);
        Self {
            cipher: XChaCha20Poly1305::new(part(b"holdfast/seal/v1/").expose().into()),
            key_id,
            hash_key: derive(
                data_key.expose(),
                b"",
                &[b"holdfast/content-id/v1/", purpose.as_bytes()],
            ),
            purpose: purpose.to_owned(),
        }
    }

    /// Seals `plaintext` as `version` of the record `name`, under a new random nonce.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] above what the cipher takes (256 GiB).
    pub fn seal(&self, name: &str, version: u64, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with_nonce(name, version, plaintext, random_bytes())
    }

    fn seal_with_nonce(
        &self,
        name: &str,
        version: u64,
        plaintext: &[u8],
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SealError> {
        let mut sealed = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD);
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.key_id);
        sealed.extend_from_slice(&nonce);
        let start = sealed.len();
        sealed.extend_from_slice(plaintext);
        let Ok(tag) = self.cipher.encrypt_in_place_detached(
            XNonce::from_slice(&nonce),
            &self.associated_data(name, version),
            &mut sealed[start..],
        ) else {
            sealed.zeroize();
            return Err(SealError::TooLarge(plaintext.len()));
        };
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what was sealed as `version` of the record `name`.
    ///
    /// # Errors
    /// [`SealError`] says what is wrong with it.
    pub fn open(&self, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let truncated = SealError::Truncated(sealed.len());
        let (&format, rest) = sealed.split_first().ok_or(truncated)?;
        if format != VERSION {
            return Err(SealError::UnknownVersion(format));
        }
        let (key_id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(truncated)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(truncated)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(truncated)?;
        // Not a secret: the id is stored in clear in every record.
        if *key_id != self.key_id {
            return Err(SealError::WrongKey);
        }
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        self.cipher
            .decrypt_in_place_detached(
                XNonce::from_slice(nonce),
                &self.associated_data(name, version),
                &mut plaintext,
                Tag::from_slice(tag),
            )
            .map_err(|_| SealError::Tampered)?;
        Ok(plaintext)
    }

    /// A name for content that says nothing about the content to whoever lacks the key: HMAC-SHA512, first 32 bytes.
    pub fn content_id(&self, content: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha512> as hmac::Mac>::new_from_slice(self.hash_key.expose())
            .expect("HMAC takes a key of any length");
        mac.update(content);
        let mut id = [0; 32];
        id.copy_from_slice(&mac.finalize().into_bytes()[..32]);
        id
    }

    /// `"holdfast/seal/v1" || len(purpose) || purpose || len(name) || name || version`; numbers are u64, big endian.
    fn associated_data(&self, name: &str, version: u64) -> Vec<u8> {
        let mut data = Vec::with_capacity(40 + self.purpose.len() + name.len());
        data.extend_from_slice(b"holdfast/seal/v1");
        for part in [self.purpose.as_str(), name] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data.extend_from_slice(&version.to_be_bytes());
        data
    }
}
