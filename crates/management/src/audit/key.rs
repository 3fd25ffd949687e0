//! The key that signs where a chain stands. Its public half lies beside it (`audit.pub`), for whoever checks an export.

use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use protocol::{Millis, TenantId, b64};

use crate::key_file::{self, KeyFileError};
use crate::private_file;

/// Signs checkpoints.
pub struct AuditKey(SigningKey);

impl AuditKey {
    /// Reads the key of this installation, or makes it, and writes `<data-dir>/keys/audit.pub`.
    ///
    /// # Errors
    /// [`KeyFileError`] says which file and what to do.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyFileError> {
        let loss = "exports from before it are then checked with the old public key";
        let key = Self::from_bytes(&*key_file::load_or_create(data_dir, "audit", loss)?);
        let path = data_dir.join("keys/audit.pub");
        let text = format!("{}\n", b64::encode(key.0.verifying_key().as_bytes()));
        private_file::replace(&path, text.as_bytes()).map_err(|source| KeyFileError::File { path, source })?;
        Ok(key)
    }

    /// From 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// The public half.
    pub fn public(&self) -> VerifyingKey {
        self.0.verifying_key()
    }

    pub(super) fn sign(&self, place: Place, tenant: TenantId, seq: i64, hash: &[u8; 32], at: Millis) -> [u8; 64] {
        self.0.sign(&signed(place, tenant, seq, hash, at)).to_bytes()
    }
}

/// What a signature says of a place of a chain. One cannot stand for the other: an export that was cut at a checkpoint has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The chain went through here.
    Checkpoint,
    /// The chain ended here when it was exported.
    End,
}

impl Place {
    fn domain(self) -> &'static [u8] {
        match self {
            Self::Checkpoint => b"holdfast/audit-checkpoint/v1\0",
            Self::End => b"holdfast/audit-end/v1\0",
        }
    }
}

/// Whether a signature over a place of a chain is this key's.
pub(super) fn is_signed(
    key: &VerifyingKey,
    place: Place,
    tenant: TenantId,
    seq: i64,
    hash: &[u8; 32],
    at: Millis,
    signature: &[u8; 64],
) -> bool {
    let signature = Signature::from_bytes(signature);
    key.verify_strict(&signed(place, tenant, seq, hash, at), &signature)
        .is_ok()
}

fn signed(place: Place, tenant: TenantId, seq: i64, hash: &[u8; 32], at: Millis) -> Vec<u8> {
    [
        place.domain(),
        tenant.uuid().as_bytes(),
        &seq.to_be_bytes(),
        hash,
        &at.to_be_bytes(),
    ]
    .concat()
}
