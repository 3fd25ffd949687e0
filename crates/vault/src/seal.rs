//! Sealed records: what they are (purpose), which one (name) and which version of it are bound to the ciphertext.
//!
//! Format: `0x01 || key id (16) || nonce (24, random) || ciphertext || tag (16)`, XChaCha20-Poly1305 under
//! `HKDF-SHA512(data key, info = "holdfast/seal/v1/" + purpose)`. The key id tells a wrong key from a changed record and
//! makes a record commit to its key.
//!
//! Names for content come from keyed BLAKE3: sealing a large file hashes every byte, and HMAC-SHA512 takes as long as the
//! cipher itself (docs/decisions/0070).

use zeroize::{Zeroize as _, Zeroizing};

use crate::cipher::{Cipher, NONCE, TAG};
use crate::keys::derive;
use crate::random_bytes;
use crate::secret::{DataKey, SecretBytes};

const VERSION: u8 = 1;
const KEY_ID: usize = 16;
/// How many bytes of a sealed record come before the ciphertext.
pub const SEAL_HEADER: usize = 1 + KEY_ID + NONCE;
/// By how many bytes a sealed record is longer than its plaintext.
pub const SEAL_OVERHEAD: usize = SEAL_HEADER + TAG;

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
    cipher: Cipher,
    key_id: [u8; KEY_ID],
    hash_key: SecretBytes<32>,
    purpose: String,
}

impl SealKey {
    /// The key for `purpose`, derived from the data key.
    pub fn new(data_key: &DataKey, purpose: &str) -> Self {
        let part = |label: &[u8]| -> SecretBytes<32> { derive(data_key.expose(), b"", &[label, purpose.as_bytes()]) };
        let mut key_id = [0; KEY_ID];
        key_id.copy_from_slice(&part(b"holdfast/seal-key-id/v1/").expose()[..KEY_ID]);
        Self {
            cipher: Cipher::new(part(b"holdfast/seal/v1/").expose()),
            key_id,
            hash_key: derive(
                data_key.expose(),
                b"",
                &[b"holdfast/content-id/v2/", purpose.as_bytes()],
            ),
            purpose: purpose.to_owned(),
        }
    }

    /// Seals `plaintext` as `version` of the record `name`, under a new random nonce.
    ///
    /// # Errors
    /// [`SealError::TooLarge`] above what the cipher takes (256 GiB).
    pub fn seal(&self, name: &str, version: u64, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut record = Vec::with_capacity(plaintext.len() + SEAL_OVERHEAD);
        record.resize(SEAL_HEADER, 0);
        record.extend_from_slice(plaintext);
        self.seal_in_place(name, version, record)
    }

    /// As [`Self::seal`], without a copy: `record` is [`SEAL_HEADER`] bytes that are overwritten, then the plaintext. With
    /// [`SEAL_OVERHEAD`] bytes more of capacity than plaintext, nothing is moved and no plaintext is left behind.
    ///
    /// # Errors
    /// As [`Self::seal`]; the plaintext is wiped then.
    ///
    /// # Panics
    /// When `record` is shorter than [`SEAL_HEADER`].
    pub fn seal_in_place(&self, name: &str, version: u64, record: Vec<u8>) -> Result<Vec<u8>, SealError> {
        self.seal_with_nonce(name, version, record, random_bytes())
    }

    fn seal_with_nonce(
        &self,
        name: &str,
        version: u64,
        mut record: Vec<u8>,
        nonce: [u8; NONCE],
    ) -> Result<Vec<u8>, SealError> {
        let (header, plaintext) = record.split_at_mut(SEAL_HEADER);
        header[0] = VERSION;
        header[1..=KEY_ID].copy_from_slice(&self.key_id);
        header[1 + KEY_ID..].copy_from_slice(&nonce);
        let Some(tag) = self
            .cipher
            .seal(&nonce, &self.associated_data(name, version), plaintext)
        else {
            let length = plaintext.len();
            record.zeroize();
            return Err(SealError::TooLarge(length));
        };
        record.extend_from_slice(&tag);
        Ok(record)
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
        let associated = self.associated_data(name, version);
        if self.cipher.open(nonce, &associated, &mut plaintext, tag) {
            Ok(plaintext)
        } else {
            Err(SealError::Tampered)
        }
    }

    /// A name for content that says nothing about the content to whoever lacks the key: BLAKE3 in its keyed mode.
    pub fn content_id(&self, content: &[u8]) -> [u8; 32] {
        blake3::keyed_hash(self.hash_key.expose(), content).into()
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
