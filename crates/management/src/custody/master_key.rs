//! The master key of platform custody: a secret of the operator's, at least 32 bytes, from a file or the environment, in no table.
//! Whatever it is, random bytes or a passphrase, it goes through Argon2id, so nobody has to say which of the two it is.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::sealed::SealingKey;
use crate::limits;

/// Length of a salt.
pub(super) const SALT: usize = 16;

/// The operator's secret. No `Debug`; wiped when dropped.
pub struct MasterKey(Zeroizing<Vec<u8>>);

/// Where a server takes its master key from when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MasterKeyIn {
    /// Its environment.
    Environment,
    /// A file that its configuration names.
    File,
    /// Its data directory.
    DataDirectory,
}

/// It is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tenant API's master key needs at least {} bytes: `openssl rand -base64 48` makes one",
    limits::MASTER_KEY_BYTES
)]
pub struct MasterKeyTooShort;

impl MasterKey {
    /// Takes what a file or the environment holds. What is text (UTF-8) is a passphrase, and white space around it does not count; what is not is
    /// raw bytes, every one of which does.
    ///
    /// # Errors
    /// It is shorter than `limits::MASTER_KEY_BYTES`.
    pub fn new(bytes: &[u8]) -> Result<Self, MasterKeyTooShort> {
        let bytes = match std::str::from_utf8(bytes) {
            Ok(text) => text.as_bytes().trim_ascii(),
            Err(_) => bytes,
        };
        match bytes.len() >= limits::MASTER_KEY_BYTES {
            true => Ok(Self(Zeroizing::new(bytes.to_vec()))),
            false => Err(MasterKeyTooShort),
        }
    }

    /// The key that it gives with a salt: 64 MiB, 3 passes, 4 lanes. Takes long, so it has a thread of its own.
    pub(super) async fn stretch(&self, salt: [u8; SALT]) -> SealingKey {
        let secret = self.0.clone();
        let stretched = tokio::task::spawn_blocking(move || {
            let params = Params::new(64 * 1024, 3, 4, Some(32)).expect("the parameters are within Argon2's bounds");
            let mut key = Zeroizing::new([0; 32]);
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(&secret, &salt, &mut *key)
                .expect("32 bytes are a length that Argon2 gives");
            SealingKey::new(key)
        });
        stretched.await.expect("Argon2 does not panic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_key_is_refused_and_white_space_does_not_count() {
        assert!(MasterKey::new(&[b'k'; 32]).is_ok());
        assert!(MasterKey::new(&[b'k'; 31]).is_err());
        assert!(MasterKey::new(format!("  {}\n", "k".repeat(31)).as_bytes()).is_err());
        let long = format!("  {}\n", "k".repeat(32));
        assert_eq!(**MasterKey::new(long.as_bytes()).unwrap().0, *"k".repeat(32).as_bytes());
    }

    #[test]
    fn of_raw_bytes_each_one_counts() {
        let mut raw = [b'\n'; 32];
        raw[1] = 0xff;
        assert_eq!(**MasterKey::new(&raw).unwrap().0, raw);
        assert!(MasterKey::new(&raw[..31]).is_err());
    }
}
