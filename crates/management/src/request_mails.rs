//! Tells people by mail that something waits for them: another vault's message for their locked one, or what their keeper tells of while they
//! are not there, such as their agent that waits for their word. Neither what nor from whom, which nobody here knows. What is to be told
//! waits in the database, so a restart loses none.

use std::sync::Arc;

use protocol::control::NoticeKind;
use protocol::{TenantId, UserId};

use crate::clock::{Clock, after};
use crate::config::PublicUrl;
use crate::database::Database;
use crate::limits;
use crate::mail::{self, Letter, Mailer};
use crate::repeating::Repeating;
use crate::storage::{StorageError, TenantTransaction, approval_notices, mailboxes, tenants};

pub(crate) struct RequestMails {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub mailer: Arc<dyn Mailer>,
    pub public_url: PublicUrl,
}

/// What waits.
#[derive(Debug, Clone, Copy)]
enum Waits {
    /// Something from another vault.
    Message,
    /// Their own agent, most often.
    Owner,
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
            self.tell(Waits::Message, tenant, owner).await?;
        }
        for (tenant, owner) in approval_notices::to_tell(&self.database, self.clock.now()).await? {
            self.tell(Waits::Owner, tenant, owner).await?;
        }
        Ok(())
    }

    async fn tell(&self, waits: Waits, tenant: TenantId, owner: UserId) -> Result<(), StorageError> {
        let Some((letter, kinds)) = self.letter(waits, tenant, owner).await? else {
            return Ok(());
        };
        if let Err(error) = self.mailer.send(letter).await {
            tracing::warn!(%error, "the mail to somebody for whom something waits was not taken; it is tried again");
            return Ok(());
        }
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        let now = self.clock.now();
        match waits {
            Waits::Message => mailboxes::told(&mut transaction, owner, now).await?,
            Waits::Owner => approval_notices::told(&mut transaction, owner, &kinds, now).await?,
        }
        transaction.commit().await
    }

    /// Takes them in hand, and writes what they are told, with of which kinds that is; nothing where somebody else has them in hand, or they
    /// are not told.
    async fn letter(
        &self,
        waits: Waits,
        tenant: TenantId,
        owner: UserId,
    ) -> Result<Option<(Letter, Vec<NoticeKind>)>, StorageError> {
        let now = self.clock.now();
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        // Before it is sent: if this server stops now, or the mail is not taken, it is tried again then.
        let again = after(now, limits::REQUEST_MAIL_RETRY);
        let organisation = tenants::name(&mut transaction).await?;
        let page = |name| self.public_url.page(name);
        let letter = match waits {
            Waits::Message => mailboxes::take(&mut transaction, owner, now, again)
                .await?
                .and_then(|email| mail::something_waits(&email, &organisation, &page("")))
                .map(|letter| (letter, Vec::new())),
            Waits::Owner => approval_notices::take(&mut transaction, owner, now, again)
                .await?
                .and_then(|(email, kinds)| {
                    let letter = mail::waits_for_owner(&email, &organisation, &kinds, page)?;
                    Some((letter, kinds))
                }),
        };
        transaction.commit().await?;
        Ok(letter)
    }
}
