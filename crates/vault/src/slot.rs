//! A keyslot's copy of the data key: wrapped under the slot's own key, bound to slot, kind and cell.
//!
//! Format 1: `0x01 || nonce (24, random) || ciphertext (32) || tag (16)`, XChaCha20-Poly1305 under the slot's key. Format 2 is made
//! without that key, by a rotation (`slot_keys`). Both are read; which one lies there is of no consequence to whoever logs in.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::cipher::{Cipher, NONCE, TAG};
use crate::secret::{DataKey, Kek};
use crate::{random_bytes, slot_keys};

const VERSION: u8 = 1;
pub(crate) const ROTATED: u8 = 2;

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
    /// A secret that the platform keeps, for a cell that no person opens.
    Platform,
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
            Self::Platform => "platform",
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
    let mut key = Zeroizing::new(*data_key.expose());
    let tag = Cipher::new(kek.expose())
        .seal(&nonce, aad.as_bytes(), key.as_mut_slice())
        .expect("32 bytes are within what the cipher takes");
    [&[VERSION], nonce.as_slice(), key.as_slice(), &tag].concat()
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
    if version == ROTATED {
        return slot_keys::unwrap_rotated(rest, kek, slot, kind, cell);
    }
    if version != VERSION {
        return Err(WrapError::UnknownVersion(version));
    }
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(WrapError::Refused)?;
    let (key, tag) = sealed.split_last_chunk::<TAG>().ok_or(WrapError::Refused)?;
    let aad = associated_data(slot, kind, cell);
    let mut key = Zeroizing::new(key.to_vec());
    if !Cipher::new(kek.expose()).open(nonce, aad.as_bytes(), &mut key, tag) {
        return Err(WrapError::Refused);
    }
    DataKey::copy_from(&key).map_err(|_| WrapError::Refused)
}

fn associated_data(slot: Uuid, kind: SlotKind, cell: Uuid) -> String {
    format!("holdfast/slot/v1/{slot}/{}/{cell}", kind.as_str())
}
