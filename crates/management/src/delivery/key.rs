//! The key under which it is sealed how destinations are reached: a copy of the database alone writes to none of them, and signs
//! for none.

use std::path::Path;

use protocol::TenantId;
use zeroize::Zeroizing;

use super::destination::Reach;
use crate::clock::{Entropy, NoEntropy};
use crate::ids::DestinationId;
use crate::key_file::{self, KeyFileError};
use crate::sealing;

const PURPOSE: &[u8] = b"holdfast/destination/v1";

/// The installation's key for destinations. No `Debug`; wiped when dropped.
pub struct DestinationKey(Zeroizing<[u8; 32]>);

impl DestinationKey {
    /// Reads the key of this installation, or makes it.
    ///
    /// # Errors
    /// [`KeyFileError`] says which file and what to do.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyFileError> {
        let loss = "the destinations of alerts and audit events have to be added again";
        Ok(Self::from_bytes(&*key_file::load_or_create(
            data_dir,
            "destinations",
            loss,
        )?))
    }

    /// From 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(sealing::derive(bytes, PURPOSE))
    }

    /// Bound to the destination that it is of.
    pub(super) fn seal(
        &self,
        entropy: &dyn Entropy,
        tenant: TenantId,
        destination: DestinationId,
        reach: &Reach,
    ) -> Result<Vec<u8>, NoEntropy> {
        let text = Zeroizing::new(serde_json::to_vec(reach).expect("two texts are JSON"));
        sealing::seal(&self.0, entropy, &sealing::whose(PURPOSE, tenant, destination), &text)
    }

    /// `None` when it was sealed for another destination, under another key, or was changed.
    pub(super) fn open(&self, tenant: TenantId, destination: DestinationId, sealed: &[u8]) -> Option<Reach> {
        let bytes = sealing::open(&self.0, &sealing::whose(PURPOSE, tenant, destination), sealed)?;
        serde_json::from_slice(&bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn how_a_destination_is_reached_opens_for_it_alone() {
        let key = DestinationKey::from_bytes(&[7; 32]);
        let (tenant, id) = (TenantId::new(), DestinationId::new());
        let reach = Reach {
            url: "https://hooks.example/s3cret".into(),
            key: "k3y".into(),
        };
        let sealed = key.seal(&OsEntropy, tenant, id, &reach).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("s3cret"));
        assert_eq!(key.open(tenant, id, &sealed).unwrap().url, reach.url);
        assert!(key.open(tenant, DestinationId::new(), &sealed).is_none());
        assert!(key.open(TenantId::new(), id, &sealed).is_none());
        assert!(DestinationKey::from_bytes(&[8; 32]).open(tenant, id, &sealed).is_none());
    }
}
