//! Tells people by mail that something waits for their locked vault: neither what nor from whom, which nobody here knows. What is to be
//! told waits in the database, so a restart loses none.

use std::sync::Arc;

use protocol::{TenantId, UserId};

use crate::clock::{Clock, after};
use crate::config::PublicUrl;
use crate::database::Database;
use crate::limits;
use crate::mail::{self, Mailer};
use crate::repeating::Repeating;
use crate::storage::{StorageError, TenantTransaction, mailboxes, tenants};

pub(crate) struct RequestMails {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub mailer: Arc<dyn Mailer>,
    pub public_url: PublicUrl,
}

impl RequestMails {
    /// Sends, until what is returned is stopped.
    pub(crate) fn start(self) -> Repeating {
        let this = Arc::new(self);
        Repeating::start(limits::DELIVERY_CHECK, move || {
            let this = this.clone();
            async move {
                if let Err(error) = this.round().await {
                    tracing::warn!(%error, "whom to tell of what waits for them could not be looked for; it waits");
                }
            }
        })
    }

    async fn round(&self) -> Result<(), StorageError> {
        for (tenant, owner) in mailboxes::to_tell(&self.database, self.clock.now()).await? {
            self.tell(tenant, owner).await?;
        }
        Ok(())
    }

    async fn tell(&self, tenant: TenantId, owner: UserId) -> Result<(), StorageError> {
        let now = self.clock.now();
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        // Before it is sent: if this server stops now, or the mail is not taken, it is tried again then.
        let again = after(now, limits::REQUEST_MAIL_RETRY);
        let email = mailboxes::take(&mut transaction, owner, now, again).await?;
        let organisation = tenants::name(&mut transaction).await?;
        transaction.commit().await?;
        let page = self.public_url.page("");
        let Some(letter) = email.and_then(|email| mail::something_waits(&email, &organisation, &page)) else {
            return Ok(());
        };
        if let Err(error) = self.mailer.send(letter).await {
            tracing::warn!(%error, "the mail to somebody for whom something waits was not taken; it is tried again");
            return Ok(());
        }
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        mailboxes::told(&mut transaction, owner, self.clock.now()).await?;
        transaction.commit().await
    }
}
