//! Tokens that are mailed, or kept in a cookie: 32 random bytes. Only their SHA-256 is stored.

use hmac::Hmac;
use protocol::b64;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};

const BYTES: usize = 32;

/// A token in clear. It has no `Debug` and no `Display`, and is wiped when dropped.
pub struct SecretToken(Zeroizing<[u8; BYTES]>);

/// What the database keeps of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; BYTES]);

impl SecretToken {
    /// A new token.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        entropy.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// Reads a token that somebody presents; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(b64::decode(text).ok()?);
        <[u8; BYTES]>::try_from(bytes.as_slice())
            .ok()
            .map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Base64url, for a link or a cookie.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(b64::encode(*self.0))
    }

    /// For what is made from a token, with a purpose of its own each.
    pub(crate) fn keyed(&self) -> Hmac<Sha256> {
        <Hmac<Sha256> as hmac::Mac>::new_from_slice(&*self.0).expect("HMAC takes a key of any length")
    }

    /// The bytes, to compare them.
    pub(crate) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// What to store and to look up by. A plain hash is enough for 256 random bits.
    pub fn hash(&self) -> TokenHash {
        TokenHash(<Sha256 as Digest>::digest(*self.0).into())
    }
}

impl TokenHash {
    pub(crate) fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }

    /// For the database.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// For the setting that a look-up policy reads.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn a_token_is_read_back_and_anything_else_is_not_a_token() {
        let token = SecretToken::generate(&OsEntropy).unwrap();
        let read = SecretToken::parse(&token.text()).unwrap();
        assert_eq!(read.hash(), token.hash());
        for bad in ["", "abc", &"A".repeat(44), &"=".repeat(43)] {
            assert!(SecretToken::parse(bad).is_none(), "{bad}");
        }
    }
}
