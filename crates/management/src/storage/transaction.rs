//! The unit of work: a transaction that speaks for one tenant. Nothing is kept unless it is committed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use protocol::TenantId;
use sqlx::{PgConnection, PgTransaction};

use super::StorageError;
use crate::audit::Chains;
use crate::database::Database;

/// A transaction inside one tenant: PostgreSQL shows and takes no row of another.
pub(crate) struct TenantTransaction {
    transaction: PgTransaction<'static>,
    tenant: TenantId,
    database: Database,
    /// Where events that are written down in it are chained once it is committed.
    chains: Option<Arc<Chains>>,
}

impl TenantTransaction {
    /// Begins a transaction that speaks for `tenant`. Who may speak for it was decided by whoever calls: a session, a link
    /// or an invitation that was looked up by its token's hash.
    pub(crate) async fn begin(database: &Database, tenant: TenantId) -> Result<Self, StorageError> {
        // One message for both, since every request that does something pays for it. A typed id is all that varies.
        let begin = format!(
            "BEGIN; SELECT set_config('holdfast.token', '', true), set_config('holdfast.email', '', true),
                set_config('holdfast.tenant', '{tenant}', true)"
        );
        let transaction = database.begin_with(begin).await?;
        Ok(Self::of(database, transaction, tenant))
    }

    /// Goes on in the transaction in which the tenant was found.
    pub(crate) async fn enter(
        database: &Database,
        mut transaction: PgTransaction<'static>,
        tenant: TenantId,
    ) -> Result<Self, StorageError> {
        speak_for(&mut transaction, tenant).await?;
        Ok(Self::of(database, transaction, tenant))
    }

    fn of(database: &Database, transaction: PgTransaction<'static>, tenant: TenantId) -> Self {
        Self {
            transaction,
            tenant,
            database: database.clone(),
            chains: None,
        }
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Does something for another tenant inside it: both are kept or neither.
    pub(crate) async fn for_another<T, E: From<StorageError>>(
        &mut self,
        tenant: TenantId,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let own = std::mem::replace(&mut self.tenant, tenant);
        speak_for(&mut self.transaction, tenant).await?;
        let done = work(self).await;
        self.tenant = own;
        speak_for(&mut self.transaction, own).await?;
        done
    }

    /// Has what was written down in it chained, once it is committed.
    pub(crate) fn chained_by(&mut self, chains: &Arc<Chains>) {
        self.chains = Some(chains.clone());
    }

    /// Keeps what was done: when this returns, it is on the disk, and the events that tell of it are in the chain.
    pub(crate) async fn commit(self) -> Result<(), StorageError> {
        self.transaction.commit().await?;
        match self.chains {
            Some(chains) => chains.chain(&self.database, self.tenant).await,
            None => Ok(()),
        }
    }

    /// Keeps what was done, a moment later: nobody waits for the disk, and a server that loses its power right then has not done it. For
    /// what is no loss, as when something was used last.
    pub(crate) async fn commit_soon(mut self) -> Result<(), StorageError> {
        sqlx::query("SET LOCAL synchronous_commit = off")
            .execute(&mut *self.transaction)
            .await?;
        self.commit().await
    }
}

async fn speak_for(connection: &mut PgConnection, tenant: TenantId) -> Result<(), StorageError> {
    sqlx::query!(
        r#"SELECT set_config('holdfast.token', '', true) AS token, set_config('holdfast.email', '', true) AS email,
            set_config('holdfast.tenant', $1, true) AS tenant"#,
        tenant.to_string()
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// A transaction of no tenant that sees what is due, of every tenant, in the one table whose policy asks for this setting.
pub(super) async fn looking_for_due(
    database: &Database,
    setting: &'static str,
) -> Result<PgTransaction<'static>, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT set_config($1, 'due', true) AS due", setting)
        .fetch_one(&mut *transaction)
        .await?;
    Ok(transaction)
}

impl Deref for TenantTransaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for TenantTransaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}
