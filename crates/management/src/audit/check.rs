//! Goes through the chains of those who want to be told, now and then, from the first event to the last. One that does not hold is an
//! event itself, which sets their alert off. Events that a server wrote down and did not get to chain are chained here.

use std::sync::Arc;

use protocol::TenantId;

use super::key::Whose;
use super::walk::{self, Tampered, Walk};
use super::{Action, AuditLog, By, Entry, Target};
use crate::clock::after;
use crate::database::Database;
use crate::limits;
use crate::repeating::Repeating;
use crate::storage::audit::{self as stored, Head};
use crate::storage::{StorageError, TenantTransaction, chain_checks};

/// Watches the chains.
pub(crate) struct ChainWatch {
    database: Database,
    audit: Arc<AuditLog>,
}

impl ChainWatch {
    /// Watches, until what is returned is stopped.
    pub(crate) fn start(database: Database, audit: Arc<AuditLog>) -> Repeating {
        let this = Arc::new(Self { database, audit });
        Repeating::start(limits::CHAIN_LOOK, move || {
            let this = this.clone();
            async move {
                if let Err(error) = this.round().await {
                    tracing::error!(%error, "audit chains could not be gone through");
                }
            }
        })
    }

    async fn round(&self) -> Result<(), StorageError> {
        for tenant in stored::waiting(&self.database).await? {
            if let Err(error) = self.audit.chains.chain(&self.database, tenant).await {
                tracing::error!(%tenant, %error, "audit events could not be chained");
            }
        }
        for tenant in chain_checks::due(&self.database, self.audit.clock.now()).await? {
            // One chain that cannot be read keeps nobody else's from being looked at.
            if let Err(error) = self.check(tenant).await {
                tracing::error!(%error, %tenant, "an audit chain could not be gone through");
            }
        }
        Ok(())
    }

    async fn check(&self, tenant: TenantId) -> Result<(), StorageError> {
        let now = self.audit.clock.now();
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        let taken = chain_checks::take(&mut transaction, now, after(now, limits::CHAIN_CHECK)).await?;
        transaction.commit().await?;
        let Some(known) = taken else {
            return Ok(());
        };
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        let head = stored::head(&mut transaction).await?;
        transaction.commit().await?;
        let found = self
            .audit
            .go_through(&self.database, Whose::Tenant(tenant), known, head)
            .await?;
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        match found {
            Ok(head) => chain_checks::held(&mut transaction, head).await?,
            Err(Tampered { seq, how }) => {
                tracing::error!(%tenant, seq, how, "an audit chain does not hold");
                let entry = Entry::done(Action::ChainBroken)
                    .on(Target::new("audit_event", seq, &format!("event {seq}")))
                    .with("how", how);
                self.audit.record(&mut transaction, &By::server(), entry).await?;
            }
        }
        transaction.commit().await
    }
}

impl AuditLog {
    /// Where the chain ends, if it holds up to there and goes through where it held before.
    pub(super) async fn go_through(
        &self,
        database: &Database,
        whose: Whose,
        known: Head,
        head: Head,
    ) -> Result<Result<Head, Tampered>, StorageError> {
        let tampered = |seq, how| Ok(Err(Tampered { seq, how }));
        if head.seq < known.seq {
            return tampered(head.seq + 1, "the end was cut off");
        }
        let mut walk = Walk::begin(whose, self.chains.key().public());
        while walk.at().seq < head.seq {
            let events = walk::page(database, whose, walk.at().seq, head.seq, limits::CHAIN_EVENTS).await?;
            if events.is_empty() {
                break;
            }
            for (event, signed) in events {
                if let Err(tampered) = walk.step(&event, signed.as_ref()) {
                    return Ok(Err(tampered));
                }
                if walk.at().seq == known.seq && walk.at() != known {
                    return tampered(known.seq, "the log up to it is not the one that was there before");
                }
            }
        }
        Ok(walk.end(head).map(|()| head))
    }
}
