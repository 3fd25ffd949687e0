//! The wrapping keys of platform custody, sealed. They belong to the installation.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::database::Database;

/// A key as it is stored: one row for each master key that opens it.
pub(crate) struct Copy {
    pub id: i32,
    pub salt: [u8; 16],
    pub sealed: Vec<u8>,
}

/// All copies, the oldest key first.
pub(crate) async fn all(executor: impl PgExecutor<'_>) -> Result<Vec<Copy>, StorageError> {
    let rows = sqlx::query!("SELECT id, salt, sealed FROM wrapping_keys ORDER BY id, created_at");
    let rows = rows.fetch_all(executor).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Copy {
                id: row.id,
                salt: row.salt.try_into().map_err(|_| StorageError::Unreadable("salt"))?,
                sealed: row.sealed,
            })
        })
        .collect()
}

/// The number of the newest key. No other is added until the transaction ends: whoever adds one finds all that was sealed before.
///
/// Whoever locks a tenant in the same transaction does so before (`api_tenants::find`): two who did it in another order would wait for
/// each other as soon as somebody who adds a key waits between them. For the same reason whoever writes something down in the operator's log
/// in it (`AuditLog::record_operator`) does so after it, also where what is sealed comes last. Whoever removes a tenant's secrets,
/// and what else is sealed of it, does so before: a rotation locks the first of these rows before it seals.
pub(crate) async fn newest(transaction: &mut TenantTransaction) -> Result<Option<i32>, StorageError> {
    sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtext('holdfast/wrapping-keys'))")
        .execute(&mut **transaction)
        .await?;
    // On its own: it sees what was added while the lock was waited for.
    let newest = sqlx::query_scalar!("SELECT max(id) FROM wrapping_keys");
    Ok(newest.fetch_one(&mut **transaction).await?)
}

/// Adds a key, all its copies or none, once nobody is about to store what an earlier one seals; `false` if there is a key of its number.
pub(crate) async fn add(database: &Database, copies: &[Copy], now: OffsetDateTime) -> Result<bool, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('holdfast/wrapping-keys'))")
        .execute(&mut *transaction)
        .await?;
    for copy in copies {
        let added = sqlx::query!(
            "INSERT INTO wrapping_keys (id, salt, sealed, created_at)
             SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM wrapping_keys WHERE id = $1 AND salt <> ALL($5))",
            copy.id,
            copy.salt.as_slice(),
            copy.sealed,
            now,
            &copies.iter().map(|copy| copy.salt.to_vec()).collect::<Vec<_>>()
        );
        if added.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(false);
        }
    }
    transaction.commit().await?;
    Ok(true)
}

/// Removes a key, or one copy of it.
pub(crate) async fn remove(database: &Database, id: i32, salt: Option<[u8; 16]>) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM wrapping_keys WHERE id = $1 AND ($2::bytea IS NULL OR salt = $2)",
        id,
        salt.as_ref().map(|salt| salt.as_slice())
    )
    .execute(database.pool())
    .await?;
    Ok(())
}
