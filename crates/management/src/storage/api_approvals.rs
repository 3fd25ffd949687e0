//! What the agents of the tenant API's tenants ask for: that there is something, and what became of it.

use protocol::{ApprovalId, TenantId};
use time::OffsetDateTime;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::clock::before;
use crate::database::Database;
use crate::limits;

/// The setting under which those of every tenant are seen.
const EVERY_TENANT: &str = "holdfast.api_approvals";

/// Keeps one that is new; false where it was heard of before, or too many were lately.
pub(crate) async fn heard(
    transaction: &mut TenantTransaction,
    agent: &str,
    id: ApprovalId,
    session: Option<&str>,
    ends_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let heard = sqlx::query!(
        "INSERT INTO api_approvals (tenant_id, id, session_id, heard_at, ends_at, agent)
         SELECT $1::uuid, $2::uuid, $3::text, $4::timestamptz, $5::timestamptz, $8::text
         WHERE (SELECT count(*) FROM api_approvals WHERE tenant_id = $1 AND heard_at > $6) < $7
         ON CONFLICT (tenant_id, id) DO NOTHING",
        transaction.tenant().uuid(),
        id.uuid(),
        session,
        now,
        ends_at,
        before(now, limits::TENANT_APPROVALS_WITHIN),
        limits::TENANT_APPROVALS,
        agent
    );
    Ok(heard.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Notes what became of one that waits, and gives its session; `None` if it is known already, or none was heard of.
pub(crate) async fn ended(
    transaction: &mut TenantTransaction,
    agent: &str,
    id: ApprovalId,
    outcome: &'static str,
) -> Result<Option<Option<String>>, StorageError> {
    let session = sqlx::query_scalar!(
        "UPDATE api_approvals SET outcome = $3 WHERE tenant_id = $1 AND id = $2 AND agent = $4 AND outcome IS NULL RETURNING session_id",
        transaction.tenant().uuid(),
        id.uuid(),
        outcome,
        agent
    );
    Ok(session.fetch_optional(&mut **transaction).await?)
}

/// Those of every tenant whose time was over a while ago, without a word of what became of them.
pub(crate) async fn due(
    database: &Database,
    now: OffsetDateTime,
) -> Result<Vec<(TenantId, String, ApprovalId)>, StorageError> {
    let mut transaction = looking_for_due(database, EVERY_TENANT).await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, agent, id FROM api_approvals WHERE outcome IS NULL AND ends_at <= $1 ORDER BY ends_at LIMIT $2",
        before(now, limits::TENANT_APPROVAL_GRACE),
        limits::TENANT_APPROVALS_AT_ONCE
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.tenant_id.into(), row.agent, row.id.into()))
        .collect())
}

/// Forgets those that ended long ago: no keeper tells of them any more.
pub(crate) async fn forget_old(transaction: &mut TenantTransaction, now: OffsetDateTime) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_approvals WHERE tenant_id = $1 AND outcome IS NOT NULL AND heard_at < $2",
        transaction.tenant().uuid(),
        before(now, limits::TENANT_APPROVALS_KEPT)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets those of one agent: which of them waited, each with its session.
pub(crate) async fn remove_of(
    transaction: &mut TenantTransaction,
    agent: &str,
) -> Result<Vec<(ApprovalId, Option<String>)>, StorageError> {
    let rows = sqlx::query!(
        "DELETE FROM api_approvals WHERE tenant_id = $1 AND agent = $2 RETURNING id, session_id, outcome",
        transaction.tenant().uuid(),
        agent
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    let waited = rows.into_iter().filter(|row| row.outcome.is_none());
    Ok(waited.map(|row| (row.id.into(), row.session_id)).collect())
}

/// Forgets them all.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM api_approvals WHERE tenant_id = $1",
        transaction.tenant().uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
