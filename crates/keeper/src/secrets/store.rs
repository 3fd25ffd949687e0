use std::sync::Arc;

use protocol::SecretId;
use tokio::sync::Notify;

use super::error::SecretError;
use super::secret::{AgentMay, Secret};
use crate::activity::Activity;
use crate::limits;
use crate::vault_service::VaultService;

const PREFIX: &str = "secret/";

/// The secrets of one vault. Cheap to clone.
#[derive(Clone)]
pub struct Secrets {
    pub(super) vault: VaultService,
    pub(super) activity: Activity,
    told: Arc<Notify>,
}

impl Secrets {
    /// The secrets of this vault; what is done with them is noted in `activity`.
    pub fn new(vault: VaultService, activity: Activity) -> Self {
        Self {
            vault,
            activity,
            told: Arc::default(),
        }
    }

    /// Waits for the next change of what the agent is told: its routes, and which secrets it may see. For one who waits.
    pub async fn told_changes(&self) {
        self.told.notified().await;
    }

    /// What the agent is told has changed.
    pub fn told_changed(&self) {
        self.told.notify_one();
    }

    /// Those that the agent may see, by name; without what a newer version wrote.
    ///
    /// # Errors
    /// [`SecretError::Vault`] when the vault is locked.
    pub fn visible(&self) -> Result<Vec<Secret>, SecretError> {
        let secrets = self.ids()?.into_iter().filter_map(|id| self.get(id).ok());
        let mut visible: Vec<_> = secrets.filter(|secret| secret.agent == AgentMay::See).collect();
        visible.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
        Ok(visible)
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
        self.vault.put_records(records).await?;
        self.told_changed();
        Ok(())
    }
}
