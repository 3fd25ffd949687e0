//! Writes that named an `Idempotency-Key`, and what was answered.

use protocol::{CellId, TenantId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::clock::before;
use crate::custody::Sealed;
use crate::database::Database;
use crate::limits;

/// The status of an answer that was removed.
const GONE: i16 = 410;

/// A write that is under way: by its key's hash, and by when it was begun, since somebody else may take it up later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub key: [u8; 32],
    pub at: OffsetDateTime,
}

/// How a write stands whose key was seen before.
pub(crate) enum Seen {
    /// Nobody has asked for it, or whoever did has left nothing: it is begun now.
    New(Begun),
    UnderWay,
    /// Half of what it makes is there: of a server that ended, or of one that could not remove it again.
    Left(Begun),
    /// What it was about was removed, and the answer with it.
    Gone,
    Answered {
        status: u16,
        sealed: Sealed,
        /// The hash of what was asked, where a version before kept it beside the answer and not in it.
        beside: Option<Vec<u8>>,
    },
}

/// What was begun to be made: a tenant with its first cell, or another agent of it with its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Half {
    pub tenant: TenantId,
    pub cell: CellId,
}

/// Begins a write, once. What is asked is nowhere but in the sealed answer: in its column stands the key's hash again.
pub(crate) async fn begin(
    transaction: &mut TenantTransaction,
    key: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Seen, StorageError> {
    let tenant = transaction.tenant().uuid();
    let left = before(now, limits::WRITE_PATIENCE);
    // What is over, and what a server that ended has begun and made nothing of. What is half made is not over.
    sqlx::query!(
        "DELETE FROM api_writes
         WHERE tenant_id = $1 AND making IS NULL AND (begun_at <= $2 OR (status IS NULL AND begun_at <= $3))",
        tenant,
        before(now, limits::WRITE_KEPT),
        left
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
        return Ok(Seen::New(Begun { key: *key, at: now }));
    }
    let row = sqlx::query!(
        "SELECT request_hash, begun_at, status, key_id, sealed, making FROM api_writes WHERE tenant_id = $1 AND key_hash = $2",
        tenant,
        key
    );
    // Let go again a moment ago, by a write that failed: the next request begins it.
    let Some(row) = row.fetch_optional(&mut **transaction).await? else {
        return Ok(Seen::UnderWay);
    };
    if row.status.is_none() && row.making.is_some() && row.begun_at <= left {
        return Ok(Seen::Left(Begun {
            key: *key,
            at: row.begun_at,
        }));
    }
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

/// Says what it makes from here on; `false` if somebody else has taken the write up.
pub(crate) async fn makes(
    transaction: &mut TenantTransaction,
    begun: &Begun,
    half: Half,
) -> Result<bool, StorageError> {
    let said = sqlx::query!(
        "UPDATE api_writes SET about = $4, making = $5 WHERE tenant_id = $1 AND key_hash = $2 AND begun_at = $3 AND status IS NULL",
        transaction.tenant().uuid(),
        &begun.key,
        begun.at,
        half.tenant.uuid(),
        half.cell.uuid()
    );
    Ok(said.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// What it has begun to make, where nothing was answered and nobody else has taken it up.
pub(crate) async fn half(transaction: &mut TenantTransaction, begun: &Begun) -> Result<Option<Half>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT about AS "about!", making AS "making!" FROM api_writes
         WHERE tenant_id = $1 AND key_hash = $2 AND begun_at = $3 AND status IS NULL AND about IS NOT NULL AND making IS NOT NULL"#,
        transaction.tenant().uuid(),
        &begun.key,
        begun.at
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| Half {
        tenant: row.about.into(),
        cell: row.making.into(),
    }))
}

/// The operator has gone on with what belongs to this cell: it is no half any more, and stays whatever becomes of the write that began it.
pub(crate) async fn taken_over(transaction: &mut TenantTransaction, cell: CellId) -> Result<(), StorageError> {
    let of_operator = TenantId::from(Uuid::nil());
    let taken_over = async |own: &mut TenantTransaction| {
        sqlx::query!(
            "UPDATE api_writes SET making = NULL WHERE tenant_id = $1 AND making = $2 AND status IS NULL",
            own.tenant().uuid(),
            cell.uuid()
        )
        .execute(&mut **own)
        .await?;
        Ok::<_, StorageError>(())
    };
    transaction.for_another(of_operator, taken_over).await
}

/// Keeps the answer, which goes with the tenant that it is about; `false` if it has one, or somebody else has taken the write up.
pub(crate) async fn answered(
    transaction: &mut TenantTransaction,
    begun: &Begun,
    status: u16,
    about: Option<TenantId>,
    sealed: &Sealed,
) -> Result<bool, StorageError> {
    let kept = sqlx::query!(
        "UPDATE api_writes SET status = $4, key_id = $5, sealed = $6, about = $7, making = NULL
         WHERE tenant_id = $1 AND key_hash = $2 AND begun_at = $3 AND status IS NULL",
        transaction.tenant().uuid(),
        &begun.key,
        begun.at,
        i16::try_from(status).unwrap_or(500),
        sealed.key_id,
        sealed.bytes,
        about.map(TenantId::uuid)
    );
    Ok(kept.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Keeps of a write that it was done, and nothing of what was asked or answered.
pub(crate) async fn gone(transaction: &mut TenantTransaction, begun: &Begun) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_writes SET request_hash = key_hash, status = $4
         WHERE tenant_id = $1 AND key_hash = $2 AND begun_at = $3 AND status IS NULL",
        transaction.tenant().uuid(),
        &begun.key,
        begun.at,
        GONE
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The same of those that were about this tenant. One that is under way looks for it before it is answered.
pub(crate) async fn all_gone(transaction: &mut TenantTransaction, about: TenantId) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_writes SET request_hash = key_hash, status = $3, key_id = NULL, sealed = NULL, about = NULL
         WHERE tenant_id = $1 AND about = $2 AND status IS NOT NULL",
        transaction.tenant().uuid(),
        about.uuid(),
        GONE
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What was begun so long ago that nobody asks for the rest of it, of every tenant: whose write it is.
pub(crate) async fn halves_left(
    database: &Database,
    now: OffsetDateTime,
) -> Result<Vec<(TenantId, Begun)>, StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.api_writes").await?;
    let left = sqlx::query!(
        "SELECT tenant_id, key_hash, begun_at FROM api_writes
         WHERE status IS NULL AND making IS NOT NULL AND begun_at <= $1 ORDER BY begun_at",
        before(now, limits::HALF_KEPT)
    );
    let left = left.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    left.into_iter()
        .map(|row| {
            let key = row.key_hash.try_into();
            let begun = Begun {
                key: key.map_err(|_| StorageError::Unreadable("the key of a write"))?,
                at: row.begun_at,
            };
            Ok((row.tenant_id.into(), begun))
        })
        .collect()
}

/// Takes up what is half made, as begun now: for whoever did it before, somebody else has it. None where somebody had taken it up, or it is made.
pub(crate) async fn take_up(
    transaction: &mut TenantTransaction,
    begun: &Begun,
    now: OffsetDateTime,
) -> Result<Option<(Begun, Half)>, StorageError> {
    let row = sqlx::query!(
        r#"UPDATE api_writes SET begun_at = $4
         WHERE tenant_id = $1 AND key_hash = $2 AND begun_at = $3 AND status IS NULL AND about IS NOT NULL AND making IS NOT NULL
         RETURNING about AS "about!", making AS "making!""#,
        transaction.tenant().uuid(),
        &begun.key,
        begun.at,
        now
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| {
        let half = Half {
            tenant: row.about.into(),
            cell: row.making.into(),
        };
        (
            Begun {
                key: begun.key,
                at: now,
            },
            half,
        )
    }))
}

/// Forgets those of every tenant that are over.
pub(crate) async fn forget_old(database: &Database, now: OffsetDateTime) -> Result<(), StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.api_writes").await?;
    sqlx::query!(
        "DELETE FROM api_writes WHERE begun_at <= $1 AND making IS NULL",
        before(now, limits::WRITE_KEPT)
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction.commit().await?)
}

/// Lets a write that failed on our side be tried again, but where its answer was kept with what it did; `false` also if somebody else has taken
/// the write up.
pub(crate) async fn forget(transaction: &mut TenantTransaction, begun: &Begun) -> Result<bool, StorageError> {
    let forgotten = sqlx::query!(
        "DELETE FROM api_writes WHERE tenant_id = $1 AND key_hash = $2 AND begun_at = $3 AND sealed IS NULL",
        transaction.tenant().uuid(),
        &begun.key,
        begun.at
    );
    Ok(forgotten.execute(&mut **transaction).await?.rows_affected() == 1)
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
