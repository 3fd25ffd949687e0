//! The way back for who owns an organisation alone and has lost every second factor: nobody in it could reset them, so whoever has the
//! database does, while no server needs to run. Both audit logs have it, and the owner is told by mail.

use std::sync::Arc;

use crate::audit::{AuditKey, AuditLog, By};
use crate::clock::Clock;
use crate::database::Database;
use crate::factors::reset::reset;
use crate::mail::{self, MailError, Mailer};
use crate::person::Email;
use crate::storage::{StorageError, TenantTransaction, leaving, tenants, users};

/// What a reset works with.
pub struct SoleOwner<'a> {
    pub database: &'a Database,
    pub clock: Arc<dyn Clock>,
    /// Signs where the audit chains stand.
    pub audit_key: AuditKey,
    pub mailer: &'a dyn Mailer,
}

/// What was reset, in one organisation.
#[derive(Debug)]
pub struct OwnerReset {
    pub owner: String,
    pub organisation: String,
    pub second_factors: i64,
    pub sessions: u64,
    /// Why the owner was not told.
    pub not_mailed: Option<MailError>,
}

/// Why nothing, or not everything, was reset.
#[derive(Debug, thiserror::Error)]
pub enum NotReset {
    #[error("{0} is no e-mail address")]
    NoAddress(String),
    #[error(
        "{0} owns no organisation alone: another owner resets second factors under \"People\", and who is suspended has to be let back in first"
    )]
    NotAlone(String),
    #[error("{0} has no second factor in an organisation that they own alone: a link by mail signs in")]
    NoFactor(String),
    /// What was reset in an organisation before stays so.
    #[error("{error}")]
    Storage { done: Vec<OwnerReset>, error: StorageError },
}

impl SoleOwner<'_> {
    /// Takes the second factors away, and ends the sessions, of whoever has this address, in every organisation of which they are the last owner
    /// who could sign in.
    ///
    /// # Errors
    /// [`NotReset`] says why, and who else could.
    pub async fn reset_factors(self, email: &str) -> Result<Vec<OwnerReset>, NotReset> {
        let address = Email::parse(email).map_err(|_| NotReset::NoAddress(email.to_owned()))?;
        let (mut alone, mut done) = (false, Vec::new());
        if let Err(error) = self.reset_all(&address, &mut alone, &mut done).await {
            return Err(NotReset::Storage { done, error });
        }
        match (alone, done.is_empty()) {
            (_, false) => Ok(done),
            (true, true) => Err(NotReset::NoFactor(email.to_owned())),
            (false, true) => Err(NotReset::NotAlone(email.to_owned())),
        }
    }

    /// Says whether they own any organisation alone, and what was reset.
    async fn reset_all(
        self,
        address: &Email,
        alone: &mut bool,
        done: &mut Vec<OwnerReset>,
    ) -> Result<(), StorageError> {
        let audit = AuditLog::new(self.clock, self.audit_key);
        let by = By::machine();
        for (tenant, user) in users::find_by_email(self.database, address, None).await? {
            let mut transaction = TenantTransaction::begin(self.database, tenant).await?;
            let Some(owner) = leaving::find_sole_owner(&mut transaction, user).await? else {
                continue;
            };
            *alone = true;
            let Some(reset) = reset(&mut transaction, &owner).await? else {
                continue;
            };
            audit.record(&mut transaction, &by, reset.entry(&owner)).await?;
            audit
                .record_operator(&mut transaction, Some(tenant), &by, &reset.entry(&owner))
                .await?;
            let organisation = tenants::name(&mut transaction).await?;
            transaction.commit().await?;
            let letter = mail::factors_reset(address, "whoever runs this server", &organisation);
            let not_mailed = match letter {
                Some(letter) => self.mailer.send(letter).await.err(),
                None => None,
            };
            done.push(OwnerReset {
                owner: owner.name,
                organisation,
                second_factors: reset.second_factors,
                sessions: reset.sessions,
                not_mailed,
            });
        }
        Ok(())
    }
}
