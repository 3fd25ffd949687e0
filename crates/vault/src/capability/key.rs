use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

/// Bytes of a fixed number that are written as base64url without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes<const N: usize>(pub [u8; N]);

/// An Ed25519 public key: who signs, or who holds something.
pub type SignerKey = Bytes<32>;
/// SHA-256 of a canonical writing.
pub type Hash = Bytes<32>;
/// What makes a presentation unlike every other one.
pub type Nonce = Bytes<16>;
/// An Ed25519 signature.
pub(super) type Sig = Bytes<64>;

/// Reads the signature of something that is not accepted without one.
pub(super) fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Sig>, D::Error> {
    Sig::deserialize(deserializer).map(Some)
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| D::Error::custom("not base64url"))?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| D::Error::custom("wrong number of bytes"))
    }
}

impl<const N: usize> Bytes<N> {
    /// These bytes.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl Bytes<32> {
    /// SHA-256 of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Whether the holder of this key signed the message; strictly (RFC 8032, section 5.1.7), and never a key of small order.
    pub(super) fn verifies(&self, message: &[u8], signature: Option<Sig>) -> bool {
        let key = VerifyingKey::from_bytes(&self.0).ok();
        key.zip(signature)
            .is_some_and(|(key, signature)| key.verify_strict(message, &Signature::from_bytes(&signature.0)).is_ok())
    }
}
