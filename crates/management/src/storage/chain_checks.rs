//! When the audit chains that somebody wants watched are gone through, and how far each held.

use protocol::TenantId;
use time::OffsetDateTime;

use super::audit::{self, Head};
use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::alerts::Trigger;
use crate::database::Database;
use crate::limits;

/// Has the tenant's chain gone through from now on.
pub(crate) async fn begin(transaction: &mut TenantTransaction, now: OffsetDateTime) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO chain_checks (tenant_id, due_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        transaction.tenant().uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Tenants whose chains are due, the longest waiting first.
pub(crate) async fn due(database: &Database, now: OffsetDateTime) -> Result<Vec<TenantId>, StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.chain_checks").await?;
    let rows = sqlx::query_scalar!(
        "SELECT tenant_id FROM chain_checks WHERE due_at <= $1 ORDER BY due_at LIMIT $2",
        now,
        limits::CHAINS_AT_ONCE
    );
    let rows = rows.fetch_all(&mut *transaction).await?;
    Ok(rows.into_iter().map(TenantId::from).collect())
}

/// Takes a due check in hand, which is due again at `next`: how far the chain held the last time. `None` if somebody else has it,
/// it is no longer due, or nobody wants to be told any more.
pub(crate) async fn take(
    transaction: &mut TenantTransaction,
    now: OffsetDateTime,
    next: OffsetDateTime,
) -> Result<Option<Head>, StorageError> {
    let tenant = transaction.tenant().uuid();
    let row = sqlx::query!(
        r#"SELECT c.seq, c.hash,
            EXISTS (SELECT FROM alert_rules r WHERE r.tenant_id = c.tenant_id AND r.trigger = $3) AS "wanted!"
         FROM chain_checks c WHERE c.tenant_id = $1 AND c.due_at <= $2 FOR UPDATE SKIP LOCKED"#,
        tenant,
        now,
        Trigger::ChainBroken.as_str()
    );
    let Some(row) = row.fetch_optional(&mut **transaction).await? else {
        return Ok(None);
    };
    if !row.wanted {
        sqlx::query!("DELETE FROM chain_checks WHERE tenant_id = $1", tenant)
            .execute(&mut **transaction)
            .await?;
        return Ok(None);
    }
    sqlx::query!("UPDATE chain_checks SET due_at = $2 WHERE tenant_id = $1", tenant, next)
        .execute(&mut **transaction)
        .await?;
    Ok(Some(Head {
        seq: row.seq,
        hash: audit::hash(row.hash)?,
    }))
}

/// The chain held up to here.
pub(crate) async fn held(transaction: &mut TenantTransaction, head: Head) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE chain_checks SET seq = $2, hash = $3 WHERE tenant_id = $1",
        transaction.tenant().uuid(),
        head.seq,
        head.hash.as_slice()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
