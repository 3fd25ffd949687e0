//! Accounts at other sites and whose they are. One is found by what its site calls it, never by an e-mail address.

use protocol::UserId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction, factors};
use crate::access::Fresh;
use crate::ids::LinkedAccountId;
use crate::limits;
use crate::providers::Account;

/// An account, as its owner sees it.
#[derive(Debug)]
pub(crate) struct Linked {
    pub id: LinkedAccountId,
    pub issuer: String,
    pub label: String,
    pub created_at: OffsetDateTime,
    pub last_used_at: Option<OffsetDateTime>,
}

/// Somebody's accounts, the oldest first.
pub(crate) async fn list(transaction: &mut TenantTransaction, user: UserId) -> Result<Vec<Linked>, StorageError> {
    let rows = sqlx::query_as!(
        Linked,
        "SELECT id, issuer, label, created_at, last_used_at FROM linked_accounts
         WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, id",
        transaction.tenant().uuid(),
        user.uuid()
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// Whose account this is, and whether they are active; notes that it was used.
pub(crate) async fn use_by(
    transaction: &mut TenantTransaction,
    account: &Account,
    now: OffsetDateTime,
) -> Result<Option<(UserId, bool)>, StorageError> {
    let Some(owner) = owner(transaction, account).await? else {
        return Ok(None);
    };
    if !factors::one_at_a_time(transaction, owner).await? {
        return Ok(Some((owner, false)));
    }
    let row = sqlx::query!(
        r#"UPDATE linked_accounts a SET last_used_at = $4, label = $5 FROM users u
         WHERE a.tenant_id = $1 AND a.issuer = $2 AND a.subject = $3 AND u.tenant_id = a.tenant_id AND u.id = a.user_id
         RETURNING a.user_id, u.deactivated_at IS NULL AS "active!""#,
        transaction.tenant().uuid(),
        account.issuer,
        account.subject,
        now,
        account.label
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| (row.user_id.into(), row.active)))
}

async fn owner(transaction: &mut TenantTransaction, account: &Account) -> Result<Option<UserId>, StorageError> {
    let owner = sqlx::query_scalar!(
        "SELECT user_id FROM linked_accounts WHERE tenant_id = $1 AND issuer = $2 AND subject = $3",
        transaction.tenant().uuid(),
        account.issuer,
        account.subject
    );
    Ok(owner.fetch_optional(&mut **transaction).await?.map(UserId::from))
}

/// What came of linking an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Made(LinkedAccountId),
    /// It is theirs already.
    Own,
    /// It is somebody else's.
    Taken,
    TooMany,
}

/// Makes an account somebody's.
pub(crate) async fn link(
    transaction: &mut TenantTransaction,
    user: UserId,
    account: &Account,
    now: OffsetDateTime,
) -> Result<Link, StorageError> {
    let tenant = transaction.tenant().uuid();
    let id = LinkedAccountId::new();
    let made = sqlx::query!(
        "INSERT INTO linked_accounts (id, tenant_id, user_id, issuer, subject, label, created_at)
         SELECT $1, $2, $3, $4, $5, $6, $7
         WHERE (SELECT count(*) FROM linked_accounts WHERE tenant_id = $2 AND user_id = $3) < $8
         ON CONFLICT (tenant_id, issuer, subject) DO NOTHING",
        id.uuid(),
        tenant,
        user.uuid(),
        account.issuer,
        account.subject,
        account.label,
        now,
        limits::ACCOUNTS_PER_USER
    );
    if made.execute(&mut **transaction).await?.rows_affected() == 1 {
        return Ok(Link::Made(id));
    }
    Ok(match owner(transaction, account).await? {
        Some(owner) if owner == user => Link::Own,
        Some(_) => Link::Taken,
        None => Link::TooMany,
    })
}

/// Takes one of somebody's own accounts away; its issuer and what they recognise it by.
pub(crate) async fn unlink(
    transaction: &mut TenantTransaction,
    person: &Fresh,
    id: LinkedAccountId,
) -> Result<Option<(String, String)>, StorageError> {
    let row = sqlx::query!(
        "DELETE FROM linked_accounts WHERE tenant_id = $1 AND user_id = $2 AND id = $3 RETURNING issuer, label",
        transaction.tenant().uuid(),
        person.signed_in().session().user.uuid(),
        id.uuid()
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| (row.issuer, row.label)))
}

/// Takes all of somebody's accounts away.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction, user: UserId) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM linked_accounts WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
