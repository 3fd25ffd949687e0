//! Writes that named an `Idempotency-Key`, and what was answered.

use protocol::TenantId;
use time::OffsetDateTime;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::clock::before;
use crate::custody::Sealed;
use crate::database::Database;
use crate::limits;

/// The status of an answer that was removed.
const GONE: i16 = 410;

/// How a write stands whose key was seen before.
pub(crate) enum Seen {
    /// Nobody has asked for it: it is begun now.
    New,
    UnderWay,
    /// What it was about was removed, and the answer with it.
    Gone,
    Answered {
        status: u16,
        sealed: Sealed,
        /// The hash of what was asked, where a version before kept it beside the answer and not in it.
        beside: Option<Vec<u8>>,
    },
}

/// Begins a write, once. What is asked is nowhere but in the sealed answer: in its column stands the key's hash again.
pub(crate) async fn begin(
    transaction: &mut TenantTransaction,
    key: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Seen, StorageError> {
    let tenant = transaction.tenant().uuid();
    // What is over, and what a server that ended has left.
    sqlx::query!(
        "DELETE FROM api_writes WHERE tenant_id = $1 AND (begun_at <= $2 OR (status IS NULL AND begun_at <= $3))",
        tenant,
        before(now, limits::WRITE_KEPT),
        before(now, limits::WRITE_PATIENCE)
    )
    .execute(&mut **transaction)
    .await?;
    let added = sqlx::query!(
        "INSERT INTO api_writes (tenant_id, key_hash, request_hash, begun_at) VALUES ($1, $2, $2, $3) ON CONFLICT DO NOTHING",
        tenant,
        key,
        now
    );
    if added.execute(&mut **transaction).await?.rows_affected() == 1 {
        return Ok(Seen::New);
    }
    let row = sqlx::query!(
        "SELECT request_hash, status, key_id, sealed FROM api_writes WHERE tenant_id = $1 AND key_hash = $2",
        tenant,
        key
    );
    // Let go again a moment ago, by a write that failed: the next request begins it.
    let Some(row) = row.fetch_optional(&mut **transaction).await? else {
        return Ok(Seen::UnderWay);
    };
    Ok(match (row.status, row.key_id, row.sealed) {
        (Some(GONE), _, None) => Seen::Gone,
        (Some(status), Some(key_id), Some(bytes)) => Seen::Answered {
            status: status.unsigned_abs(),
            sealed: Sealed { key_id, bytes },
            beside: (row.request_hash != key).then_some(row.request_hash),
        },
        _ => Seen::UnderWay,
    })
}

/// Keeps the answer, which goes with the tenant that it is about.
pub(crate) async fn answered(
    transaction: &mut TenantTransaction,
    key: &[u8; 32],
    status: u16,
    about: Option<TenantId>,
    sealed: &Sealed,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_writes SET status = $3, key_id = $4, sealed = $5, about = $6 WHERE tenant_id = $1 AND key_hash = $2",
        transaction.tenant().uuid(),
        key,
        i16::try_from(status).unwrap_or(500),
        sealed.key_id,
        sealed.bytes,
        about.map(TenantId::uuid)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Keeps of a write that it was done, and nothing of what was asked or answered.
pub(crate) async fn gone(transaction: &mut TenantTransaction, key: &[u8; 32]) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_writes SET request_hash = key_hash, status = $3 WHERE tenant_id = $1 AND key_hash = $2",
        transaction.tenant().uuid(),
        key,
        GONE
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The same of those that were about this tenant.
pub(crate) async fn all_gone(transaction: &mut TenantTransaction, about: TenantId) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_writes SET request_hash = key_hash, status = $3, key_id = NULL, sealed = NULL, about = NULL
         WHERE tenant_id = $1 AND about = $2",
        transaction.tenant().uuid(),
        about.uuid(),
        GONE
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets those of every tenant that are over.
pub(crate) async fn forget_old(database: &Database, now: OffsetDateTime) -> Result<(), StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.api_writes").await?;
    sqlx::query!(
        "DELETE FROM api_writes WHERE begun_at <= $1",
        before(now, limits::WRITE_KEPT)
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

/// Lets a write that failed on our side be tried again.
pub(crate) async fn forget(transaction: &mut TenantTransaction, key: &[u8; 32]) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_writes WHERE tenant_id = $1 AND key_hash = $2",
        transaction.tenant().uuid(),
        key
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The answers that another key than this one seals, locked.
pub(crate) async fn sealed_before(
    transaction: &mut TenantTransaction,
    key: i32,
) -> Result<Vec<(Vec<u8>, Sealed)>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT key_hash, key_id AS "key_id!", sealed AS "sealed!" FROM api_writes
         WHERE tenant_id = $1 AND key_id < $2 AND sealed IS NOT NULL FOR UPDATE"#,
        transaction.tenant().uuid(),
        key
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let sealed = Sealed {
                key_id: row.key_id,
                bytes: row.sealed,
            };
            (row.key_hash, sealed)
        })
        .collect())
}

/// The same answer, sealed again.
pub(crate) async fn replace(
    transaction: &mut TenantTransaction,
    write: &[u8],
    key_id: i32,
    sealed: &[u8],
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_writes SET key_id = $3, sealed = $4 WHERE tenant_id = $1 AND key_hash = $2",
        transaction.tenant().uuid(),
        write,
        key_id,
        sealed
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets all of the tenant's.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_writes WHERE tenant_id = $1",
        transaction.tenant().uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
