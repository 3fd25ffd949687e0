//! People who may join an organisation once somebody who manages it agrees. They are nobody yet, and can do nothing.

use time::OffsetDateTime;

use super::interval::interval;
use super::{StorageError, TenantTransaction};
use crate::access::{LetsIn, Manager};
use crate::ids::JoinRequestId;
use crate::limits;
use crate::person::{Email, Name};
use crate::providers::Account;

/// Somebody who waits.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub id: JoinRequestId,
    pub name: String,
    pub email: String,
    pub issuer: Option<String>,
    pub subject: Option<String>,
    pub created_at: OffsetDateTime,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Waits(JoinRequestId),
    /// They asked before; perhaps they were refused, which they are not told again.
    Already,
    TooMany,
}

/// Has somebody wait. Forgets refusals that are old.
pub(crate) async fn ask(
    transaction: &mut TenantTransaction,
    name: &Name,
    email: &Email,
    account: Option<&Account>,
    now: OffsetDateTime,
) -> Result<Asked, StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM join_requests WHERE tenant_id = $1 AND refused_at <= $2::timestamptz - $3::interval",
        tenant,
        now,
        interval(limits::JOIN_REFUSAL_KEPT)
    )
    .execute(&mut **transaction)
    .await?;
    let id = JoinRequestId::new();
    let made = sqlx::query!(
        "INSERT INTO join_requests (id, tenant_id, email, name, issuer, subject, created_at)
         SELECT $1, $2, $3, $4, $5, $6, $7
         WHERE (SELECT count(*) FROM join_requests WHERE tenant_id = $2 AND refused_at IS NULL) < $8
         ON CONFLICT (tenant_id, email) DO NOTHING",
        id.uuid(),
        tenant,
        email.as_str(),
        name.as_str(),
        account.map(|account| account.issuer.as_str()),
        account.map(|account| account.subject.as_str()),
        now,
        limits::JOIN_REQUESTS
    );
    if made.execute(&mut **transaction).await?.rows_affected() == 1 {
        return Ok(Asked::Waits(id));
    }
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM join_requests WHERE tenant_id = $1 AND email = $2) AS "known!""#,
        tenant,
        email.as_str()
    );
    Ok(match known.fetch_one(&mut **transaction).await? {
        true => Asked::Already,
        false => Asked::TooMany,
    })
}

/// Who waits, the longest first.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    _manager: &Manager,
) -> Result<Vec<Waiting>, StorageError> {
    let rows = sqlx::query_as!(
        Waiting,
        "SELECT id, name, email, issuer, subject, created_at FROM join_requests
         WHERE tenant_id = $1 AND refused_at IS NULL ORDER BY created_at, id",
        transaction.tenant().uuid()
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// Takes somebody out of the queue who is let in.
pub(crate) async fn take(
    transaction: &mut TenantTransaction,
    _by: &impl LetsIn,
    id: JoinRequestId,
) -> Result<Option<Waiting>, StorageError> {
    let row = sqlx::query_as!(
        Waiting,
        "DELETE FROM join_requests WHERE tenant_id = $1 AND id = $2 AND refused_at IS NULL
         RETURNING id, name, email, issuer, subject, created_at",
        transaction.tenant().uuid(),
        id.uuid()
    );
    Ok(row.fetch_optional(&mut **transaction).await?)
}

/// Refuses somebody; that is kept for a while.
pub(crate) async fn refuse(
    transaction: &mut TenantTransaction,
    _by: &impl LetsIn,
    id: JoinRequestId,
    now: OffsetDateTime,
) -> Result<Option<Waiting>, StorageError> {
    let row = sqlx::query_as!(
        Waiting,
        "UPDATE join_requests SET refused_at = $3 WHERE tenant_id = $1 AND id = $2 AND refused_at IS NULL
         RETURNING id, name, email, issuer, subject, created_at",
        transaction.tenant().uuid(),
        id.uuid(),
        now
    );
    Ok(row.fetch_optional(&mut **transaction).await?)
}

/// Somebody is in the organisation now, however they came: they wait no longer.
pub(crate) async fn forget(transaction: &mut TenantTransaction, email: &Email) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM join_requests WHERE tenant_id = $1 AND email = $2",
        transaction.tenant().uuid(),
        email.as_str()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
