//! A webhook of a tenant of the API. It is reached as an organisation's is; how, is kept sealed in platform custody, with the cells'
//! secrets, and is sealed again with them when the keys are rotated.

use protocol::TenantId;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::destination::{Kind, Reach, Wrong, address};
use super::sending::post;
use super::webhook::Secret;
use super::{Delivery, NotTaken};
use crate::clock::Entropy;
use crate::custody::{Custody, CustodyError, Sealed, What};
use crate::storage::{TenantTransaction, api_webhooks};

/// A webhook that is about to be kept.
pub(crate) struct NewHook {
    pub id: Uuid,
    pub host: String,
    pub sealed: Sealed,
    /// What its receiver checks signatures with. Shown once.
    pub secret: String,
}

/// Why there is none.
pub(crate) enum NoHook {
    Wrong(Wrong),
    Custody(CustodyError),
}

impl NewHook {
    /// Checks the address, and seals it with a new secret.
    pub(crate) async fn new(
        delivery: &Delivery,
        custody: &Custody,
        entropy: &dyn Entropy,
        transaction: &mut TenantTransaction,
        url: &str,
    ) -> Result<Self, NoHook> {
        let (url, host) = address(&delivery.outside, Kind::Webhook, url.trim()).map_err(NoHook::Wrong)?;
        let secret = Secret::generate(entropy)
            .map_err(|error| NoHook::Wrong(error.into()))?
            .text();
        let reach = Reach {
            url,
            key: secret.clone(),
        };
        let id = Uuid::now_v7();
        let text = Zeroizing::new(serde_json::to_vec(&reach).expect("two texts are JSON"));
        let sealed = custody
            .seal(transaction, What::Webhook(id), &text)
            .await
            .map_err(NoHook::Custody)?;
        Ok(Self {
            id,
            host,
            sealed,
            secret,
        })
    }
}

impl Delivery {
    /// Tells a webhook something now, whatever waits.
    pub(super) async fn tell_hook(
        &self,
        tenant: TenantId,
        hook: Uuid,
        sealed: &Sealed,
        id: Uuid,
        body: &str,
    ) -> Result<(), NotTaken> {
        let custody = self.custody.as_ref().ok_or(NotTaken::TurnedOff)?;
        let opened = self.opened(custody, tenant, hook, sealed).await;
        let opened = opened.map_err(|error| {
            tracing::warn!(%error, webhook = %hook, "how a webhook is reached could not be opened");
            NotTaken::Unopened
        })?;
        let reach: Reach = serde_json::from_slice(&opened).map_err(|_| NotTaken::Unopened)?;
        post(&self.outside, self.signed(&reach, id, body.to_owned())?).await
    }

    /// How a webhook is reached. Where a rotation has sealed that again since it was read, it is read once more.
    async fn opened(
        &self,
        custody: &Custody,
        tenant: TenantId,
        hook: Uuid,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, CustodyError> {
        match custody.unseal(What::Webhook(hook), tenant, sealed).await {
            Err(CustodyError::NoWrappingKey(_)) => {
                let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
                let again = api_webhooks::find(&mut transaction, hook).await?;
                transaction.commit().await?;
                let again = again.ok_or(CustodyError::NotKept)?;
                custody.unseal(What::Webhook(hook), tenant, &again.sealed).await
            }
            opened => opened,
        }
    }

    /// Tells a webhook that it is tested.
    pub(crate) async fn test_hook(&self, tenant: TenantId, hook: Uuid, sealed: &Sealed) -> Result<(), NotTaken> {
        let at = self.clock.now().format(&Rfc3339).unwrap_or_default();
        let body = json!({"type": "test", "timestamp": at, "data": {"tenant_id": tenant}});
        self.tell_hook(tenant, hook, sealed, Uuid::now_v7(), &body.to_string())
            .await
    }
}
