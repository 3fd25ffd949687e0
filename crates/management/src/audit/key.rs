//! The key that signs where a chain stands. Its public half lies beside it (`audit.pub`), for whoever checks an export.

use std::fmt;
use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use protocol::{Millis, TenantId, b64};

use crate::key_file::{self, KeyFileError};
use crate::storage::audit::Head;
use crate::{limits, private_file};

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

    pub(super) fn sign(&self, place: Place, whose: Whose, head: &Head, at: Millis) -> [u8; 64] {
        self.0.sign(&signed(place, whose, head, at)).to_bytes()
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

/// Whose chain one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Tenant(TenantId),
    /// The operator's. Events up to this one were written before it was signed; 0 where all were since.
    Operator {
        unsigned: i64,
    },
}

impl Whose {
    /// Whether the installation signs where this chain stands after this event.
    pub(super) fn is_signed_at(self, seq: i64) -> bool {
        let before = match self {
            Self::Tenant(_) => 0,
            Self::Operator { unsigned } => unsigned,
        };
        seq > before && seq % limits::AUDIT_CHECKPOINT == 0
    }

    /// What a signature is for, and of which chain.
    fn domain(self, place: Place) -> Vec<u8> {
        let (domain, chain) = match (self, place) {
            (Self::Tenant(tenant), Place::Checkpoint) => {
                ("holdfast/audit-checkpoint/v1", tenant.uuid().as_bytes().to_vec())
            }
            (Self::Tenant(tenant), Place::End) => ("holdfast/audit-end/v1", tenant.uuid().as_bytes().to_vec()),
            (Self::Operator { unsigned }, Place::Checkpoint) => {
                ("holdfast/operator-audit-checkpoint/v1", unsigned.to_be_bytes().to_vec())
            }
            (Self::Operator { unsigned }, Place::End) => {
                ("holdfast/operator-audit-end/v1", unsigned.to_be_bytes().to_vec())
            }
        };
        [domain.as_bytes(), &[0], &chain].concat()
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "organisation {tenant}"),
            Self::Operator { .. } => f.write_str("the operator"),
        }
    }
}

/// Whether a signature over a place of a chain is this key's.
pub(super) fn is_signed(
    key: &VerifyingKey,
    place: Place,
    whose: Whose,
    head: &Head,
    at: Millis,
    signature: &[u8; 64],
) -> bool {
    let signature = Signature::from_bytes(signature);
    key.verify_strict(&signed(place, whose, head, at), &signature).is_ok()
}

fn signed(place: Place, whose: Whose, head: &Head, at: Millis) -> Vec<u8> {
    [
        whose.domain(place).as_slice(),
        &head.seq.to_be_bytes(),
        &head.hash,
        &at.to_be_bytes(),
    ]
    .concat()
}
