//! Changing the wrapping key, and the master key with it, while the server serves: what was sealed under the old ones is sealed
//! again, tenant by tenant. It may stop at any point: whoever calls it again goes on.

use std::sync::Arc;

use super::{Custody, CustodyError, MasterKey, Sealed, What};
use crate::storage::{TenantTransaction, api_tenants, api_webhooks, api_writes, platform_secrets, wrapping_keys};
use protocol::TenantId;
use serde::Serialize;
use utoipa::ToSchema;

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rotated {
    /// The wrapping key in use now.
    pub key: i32,
    /// Secrets of cells that were sealed again.
    pub secrets: u64,
    /// Whether the master key was changed, too.
    pub master_changed: bool,
}

impl Custody {
    /// Makes a new wrapping key, seals everything again under it, and forgets the ones before. With `new_master`, this key and those
    /// after it are sealed under both master keys until the server is started with the new one; the old one then opens nothing any more.
    ///
    /// # Errors
    /// [`CustodyError::ChangedElsewhere`] where a master key is in use that is not known here, which would open nothing any more, and where
    /// another server rotates at the same moment; those of [`Self::kept`]. What was sealed again stays so, and everything can be opened.
    pub async fn rotate(&self, new_master: Option<MasterKey>) -> Result<Rotated, CustodyError> {
        let _one = self.rotating.lock().await;
        self.load(self.database.pool()).await?;
        let master_changed = new_master.is_some();
        let newest = self.ring().last_key_value().map_or(0, |(id, _)| *id);
        for copy in wrapping_keys::all(self.database.pool()).await? {
            if copy.id >= newest && self.opened(&copy).await.is_none() {
                return Err(CustodyError::ChangedElsewhere);
            }
        }
        let key = newest.saturating_add(1);
        let mut masters = self.masters.lock().await.clone();
        masters.extend(new_master.map(Arc::new));
        if !self.add_key(key, &masters).await? {
            return Err(CustodyError::ChangedElsewhere);
        }
        *self.masters.lock().await = masters;
        let mut secrets = 0;
        let mut after = None;
        loop {
            let page = api_tenants::ids(&self.database, after).await?;
            let Some(last) = page.last().copied() else { break };
            for tenant in page {
                secrets += self.seal_again(tenant, key).await?;
            }
            after = Some(last);
        }
        self.seal_answers_again(TenantId::from(uuid::Uuid::nil()), key).await?;
        let old: Vec<i32> = self.ring().range(..key).map(|(id, _)| *id).collect();
        for id in old {
            wrapping_keys::remove(&self.database, id, None).await?;
            self.ring().remove(&id);
        }
        Ok(Rotated {
            key,
            secrets,
            master_changed,
        })
    }

    async fn seal_again(&self, tenant: TenantId, key: i32) -> Result<u64, CustodyError> {
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        let mut count = 0;
        for (cell, sealed) in platform_secrets::sealed_before(&mut transaction, key).await? {
            let again = self.sealed_again(&mut transaction, What::Secret(cell), &sealed).await?;
            platform_secrets::replace(&mut transaction, cell, &again).await?;
            count += 1;
        }
        for (webhook, sealed) in api_webhooks::sealed_before(&mut transaction, key).await? {
            let again = self
                .sealed_again(&mut transaction, What::Webhook(webhook), &sealed)
                .await?;
            api_webhooks::replace(&mut transaction, webhook, &again).await?;
        }
        transaction.commit().await?;
        self.seal_answers_again(tenant, key).await?;
        Ok(count)
    }

    /// The same under the key in use.
    async fn sealed_again(
        &self,
        transaction: &mut TenantTransaction,
        what: What,
        sealed: &Sealed,
    ) -> Result<Sealed, CustodyError> {
        let opened = self.unseal(what, transaction.tenant(), sealed).await?;
        self.seal(transaction, what, &opened).await
    }

    async fn seal_answers_again(&self, tenant: TenantId, key: i32) -> Result<(), CustodyError> {
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        for (write, sealed) in api_writes::sealed_before(&mut transaction, key).await? {
            let Sealed { key_id, bytes } = self.sealed_again(&mut transaction, What::Answer, &sealed).await?;
            api_writes::replace(&mut transaction, &write, key_id, &bytes).await?;
        }
        Ok(transaction.commit().await?)
    }
}
