use protocol::SecretId;

use super::error::SecretError;
use super::secret::Secret;
use crate::activity::Activity;
use crate::limits;
use crate::vault_service::VaultService;

const PREFIX: &str = "secret/";

/// The secrets of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    pub(super) vault: VaultService,
    pub(super) activity: Activity,
}

impl Secrets {
    /// The secrets of this vault; what is done with them is noted in `activity`.
    pub fn new(vault: VaultService, activity: Activity) -> Self {
        Self { vault, activity }
    }

    /// The ids, ascending: the oldest first.
    pub(super) fn ids(&self) -> Result<Vec<SecretId>, SecretError> {
        Ok(self
            .vault
            .list_records(PREFIX)?
            .iter()
            .filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok())
            .collect())
    }

    /// The secret of this id.
    ///
    /// # Errors
    /// [`SecretError::Unknown`], [`SecretError::Newer`], [`SecretError::Vault`] when it is locked.
    pub fn get(&self, id: SecretId) -> Result<Secret, SecretError> {
        let bytes = self
            .vault
            .get_record(&Secret::record(id))?
            .ok_or(SecretError::Unknown)?;
        Secret::decode(id, &bytes)
    }

    /// Stores these secrets, durably, all or none.
    pub(super) async fn put(&self, secrets: &[Secret]) -> Result<(), SecretError> {
        for secret in secrets {
            secret.check()?;
        }
        let known = self.ids()?;
        let new = secrets.iter().filter(|secret| !known.contains(&secret.id)).count();
        if known.len() + new > limits::SECRETS {
            return Err(SecretError::TooMany);
        }
        let records = secrets
            .iter()
            .map(|secret| (Secret::record(secret.id), Some(secret.encode())))
            .collect();
        Ok(self.vault.put_records(records).await?)
    }
}
