//! The vault in a backup, opened, as its home sees it: to be read and never written.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use vault::{BACKUP_PURPOSE, Body, DataKey, SealError, SealKey};
use zeroize::Zeroizing;

use crate::home::{CHUNK_PURPOSE, HomeError, HomeVault, MANIFEST_PURPOSE, PIN_RECORD, Pin, Purpose};

pub(super) struct OldVault {
    chunks: SealKey,
    manifests: SealKey,
    pub backup: SealKey,
    pub epoch: u64,
    pub body: Body,
}

impl OldVault {
    pub fn new(data_key: &DataKey, body: Body) -> Self {
        Self {
            chunks: SealKey::new(data_key, CHUNK_PURPOSE),
            manifests: SealKey::new(data_key, MANIFEST_PURPOSE),
            backup: SealKey::new(data_key, BACKUP_PURPOSE),
            epoch: body.epoch,
            body,
        }
    }

    fn key(&self, purpose: Purpose) -> &SealKey {
        match purpose {
            Purpose::Chunk => &self.chunks,
            Purpose::Manifest => &self.manifests,
        }
    }
}

fn damaged(what: &str) -> impl Fn(SealError) -> HomeError {
    move |why| HomeError::Damaged {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

impl HomeVault for OldVault {
    fn seal(&self, purpose: Purpose, name: &str, version: u64, record: Vec<u8>) -> Result<Vec<u8>, HomeError> {
        self.key(purpose)
            .seal_in_place(name, version, record)
            .map_err(damaged(name))
    }

    fn open(&self, purpose: Purpose, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        self.key(purpose).open(name, version, sealed).map_err(damaged(name))
    }

    fn content_id(&self, plain: &[u8]) -> Result<[u8; 32], HomeError> {
        Ok(self.chunks.content_id(plain))
    }

    fn pin(&self) -> Result<Option<Pin>, HomeError> {
        let record = self.body.get(PIN_RECORD);
        record
            .map(|record| serde_json::from_slice(record).map_err(|error| HomeError::Vault(error.to_string())))
            .transpose()
    }

    fn set_pin(&self, _: Pin) -> BoxFuture<'_, Result<(), HomeError>> {
        async { Err(HomeError::Internal("a backup is not written to".to_owned())) }.boxed()
    }
}
