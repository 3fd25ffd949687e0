//! The identity of this vault: made with it, or at the first unlock of a vault that is older than identities.

use vault::{Body, Identity};

use super::error::VaultError;
use super::service::VaultService;
use super::writer::Change;

pub(super) const ENTRY: &str = "vault/identity";

/// Gives a vault that is being made its identity.
pub(super) fn put_new(body: &mut Body) -> Result<(), VaultError> {
    Ok(body.put(ENTRY, &Identity::random().encode())?)
}

impl VaultService {
    /// The identity, to sign and to open with; made now if there is none yet.
    ///
    /// # Errors
    /// [`VaultError::Locked`]; [`VaultError::Identity`] if it was written by a newer version; the disk's errors.
    pub async fn identity(&self) -> Result<Identity, VaultError> {
        if self.entry(ENTRY)?.is_none() {
            // Of two that find none, the first one's is kept.
            self.change(Change::UnlessThere {
                name: ENTRY.to_owned(),
                value: Identity::random().encode(),
            })
            .await?;
        }
        let stored = self.entry(ENTRY)?.ok_or(VaultError::Locked)?;
        Ok(Identity::decode(&stored)?)
    }

    /// Whether this content is of the same vault, by its identity.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub(crate) fn has_identity_of(&self, content: &Body) -> Result<bool, VaultError> {
        let own = self.entry(ENTRY)?;
        Ok(own.is_some_and(|own| content.get(ENTRY) == Some(own.as_slice())))
    }

    /// Makes the identity of a vault that has none, beside whatever else goes on.
    pub(super) fn make_identity_later(&self) {
        if !matches!(self.entry(ENTRY), Ok(None)) {
            return;
        }
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(error) = service.identity().await {
                tracing::warn!("this vault has no identity yet: {error}");
            }
        });
    }
}
