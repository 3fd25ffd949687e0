//! A keyslot's copy of the data key: wrapped under the slot's own key, bound to slot, kind and cell.
//!
//! Format: `0x01 || nonce (24, random) || ciphertext (32) || tag (16)`, XChaCha20-Poly1305.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::random_bytes;
use crate::secret::{DataKey, Kek};

const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Where a slot's secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotKind {
    Password,
    RecoveryPhrase,
    /// What an authenticator gives for a salt (WebAuthn PRF).
    Passkey,
    /// A printed key.
    BackupKey,
    /// A secret that contacts hold in shares.
    Social,
}

impl SlotKind {
    /// The kind as it is written in JSON and bound to the wrapped key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RecoveryPhrase => "recovery_phrase",
            Self::Passkey => "passkey",
            Self::BackupKey => "backup_key",
            Self::Social => "social",
        }
    }
}

/// Why a wrapped data key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    #[error("a wrapped key of version {0} is not known here")]
    UnknownVersion(u8),
    #[error("this slot's wrapped key does not open: the key is wrong, or the slot was changed or swapped for another")]
    Refused,
}

/// Wraps the data key for one slot.
pub fn wrap_data_key(data_key: &DataKey, kek: &Kek, slot: Uuid, kind: SlotKind, cell: Uuid) -> Vec<u8> {
    let nonce: [u8; NONCE] = random_bytes();
    let aad = associated_data(slot, kind, cell);
    let payload = Payload {
        msg: data_key.expose(),
        aad: aad.as_bytes(),
    };
    let sealed = XChaCha20Poly1305::new(kek.expose().into())
        .encrypt(XNonce::from_slice(&nonce), payload)
        .expect("32 bytes are within what the cipher takes");
    [&[VERSION], nonce.as_slice(), &sealed].concat()
}

/// Unwraps the data key of one slot.
///
/// # Errors
/// [`WrapError`] when the key, slot, kind or cell is another than it was wrapped for, or any byte was changed.
pub fn unwrap_data_key(
    wrapped: &[u8],
    kek: &Kek,
    slot: Uuid,
    kind: SlotKind,
    cell: Uuid,
) -> Result<DataKey, WrapError> {
    let (&version, rest) = wrapped.split_first().ok_or(WrapError::Refused)?;
    if version != VERSION {
        return Err(WrapError::UnknownVersion(version));
    }
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(WrapError::Refused)?;
    let aad = associated_data(slot, kind, cell);
    let payload = Payload {
        msg: sealed,
        aad: aad.as_bytes(),
    };
    let opened = XChaCha20Poly1305::new(kek.expose().into())
        .decrypt(XNonce::from_slice(nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| WrapError::Refused)?;
    DataKey::copy_from(&opened).map_err(|_| WrapError::Refused)
}

fn associated_data(slot: Uuid, kind: SlotKind, cell: Uuid) -> String {
    format!("holdfast/slot/v1/{slot}/{}/{cell}", kind.as_str())
}
