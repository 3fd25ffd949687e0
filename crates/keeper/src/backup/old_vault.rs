//! The vault in a backup, opened, as its home sees it: to be read and never written.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use vault::{BACKUP_PURPOSE, Body, DataKey, SealError, SealKey};
use zeroize::Zeroizing;

use crate::home::{CHUNK_PURPOSE, HomeError, HomeVault, MANIFEST_PURPOSE, PIN_RECORD, Pin, Purpose};
use crate::vault_service::old_key;

pub(super) struct OldVault {
    /// The vault's key, then the one before it if the backup was made before everything was sealed under the new one.
    chunks: Vec<SealKey>,
    manifests: Vec<SealKey>,
    pub backup: SealKey,
    pub epoch: u64,
    pub body: Body,
}

impl OldVault {
    pub fn new(data_key: &DataKey, body: Body) -> Self {
        let old = old_key(&body);
        let keys = |purpose| {
            let both = [Some(data_key), old.as_ref()];
            both.into_iter()
                .flatten()
                .map(|key| SealKey::new(key, purpose))
                .collect()
        };
        Self {
            chunks: keys(CHUNK_PURPOSE),
            manifests: keys(MANIFEST_PURPOSE),
            backup: SealKey::new(data_key, BACKUP_PURPOSE),
            epoch: body.epoch,
            body,
        }
    }

    fn keys(&self, purpose: Purpose) -> &[SealKey] {
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
        self.keys(purpose)[0]
            .seal_in_place(name, version, record)
            .map_err(damaged(name))
    }

    fn open(&self, purpose: Purpose, name: &str, version: u64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        let mut opened = Err(SealError::WrongKey);
        for key in self.keys(purpose) {
            opened = key.open(name, version, sealed);
            if opened != Err(SealError::WrongKey) {
                break;
            }
        }
        opened.map_err(damaged(name))
    }

    fn content_id(&self, plain: &[u8]) -> Result<[u8; 32], HomeError> {
        Ok(self.chunks[0].content_id(plain))
    }

    fn is_content_id(&self, plain: &[u8], name: &[u8; 32]) -> Result<bool, HomeError> {
        Ok(self.chunks.iter().any(|key| key.content_id(plain) == *name))
    }

    fn unfinished_rotation(&self) -> Result<Option<u64>, HomeError> {
        // It is read, and sealed with another vault's key.
        Ok(None)
    }

    fn finish_rotation(&self, _: u64) -> BoxFuture<'_, Result<(), HomeError>> {
        async { Err(HomeError::Internal("a backup is not written to".to_owned())) }.boxed()
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
