//! The keeper's vault as a home sees it.

use futures::future::BoxFuture;
use zeroize::Zeroizing;

use super::seal::{HomeVault, Purpose};
use super::{CHUNK_PURPOSE, HomeError, MANIFEST_PURPOSE, Pin};
use crate::vault_service::{Sealer, VaultError, VaultService};

/// The vault's record of the newest acknowledged manifest.
pub(crate) const PIN_RECORD: &str = "home/manifest";

/// A vault that was unlocked when this was made; every call fails with [`HomeError::Locked`] after the next lock.
pub struct UnlockedVault {
    service: VaultService,
    chunks: Sealer,
    manifests: Sealer,
}

impl UnlockedVault {
    /// Takes the keys of this unlocking.
    ///
    /// # Errors
    /// [`HomeError::Locked`].
    pub fn new(service: &VaultService) -> Result<Self, HomeError> {
        Ok(Self {
            chunks: service.sealer(CHUNK_PURPOSE)?,
            manifests: service.sealer(MANIFEST_PURPOSE)?,
            service: service.clone(),
        })
    }

    fn sealer(&self, purpose: Purpose) -> &Sealer {
        match purpose {
            Purpose::Chunk => &self.chunks,
            Purpose::Manifest => &self.manifests,
        }
    }
}

impl HomeVault for UnlockedVault {
    fn seal(&self, purpose: Purpose, name: &str, version: u64, record: Vec<u8>) -> Result<Vec<u8>, HomeError> {
        Ok(self.sealer(purpose).seal_in_place(name, version, record)?)
    }

    fn open(&self, purpose: Purpose, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        self.sealer(purpose)
            .open(name, version, sealed)
            .map_err(|error| match error {
                VaultError::Sealed(why) => HomeError::Damaged {
                    what: name.to_owned(),
                    why: why.to_string(),
                },
                other => other.into(),
            })
    }

    fn content_id(&self, plain: &[u8]) -> Result<[u8; 32], HomeError> {
        Ok(self.chunks.chunk_id(plain)?)
    }

    fn is_content_id(&self, plain: &[u8], name: &[u8; 32]) -> Result<bool, HomeError> {
        Ok(self.chunks.is_chunk_id(plain, name)?)
    }

    fn unfinished_rotation(&self) -> Result<Option<u64>, HomeError> {
        Ok(self.service.unfinished_rotation()?)
    }

    fn finish_rotation(&self, number: u64) -> BoxFuture<'_, Result<(), HomeError>> {
        Box::pin(async move { Ok(self.service.finish_rotation(number).await?) })
    }

    fn pin(&self) -> Result<Option<Pin>, HomeError> {
        self.service
            .get_record(PIN_RECORD)?
            .map(|record| serde_json::from_slice(&record).map_err(|error| HomeError::Vault(error.to_string())))
            .transpose()
    }

    fn set_pin(&self, pin: Pin) -> BoxFuture<'_, Result<(), HomeError>> {
        Box::pin(async move {
            let record = serde_json::to_vec(&pin).map_err(|error| HomeError::Vault(error.to_string()))?;
            Ok(self.service.put_record(PIN_RECORD, &record).await?)
        })
    }
}

impl From<VaultError> for HomeError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Locked | VaultError::New => Self::Locked,
            other => Self::Vault(other.to_string()),
        }
    }
}
