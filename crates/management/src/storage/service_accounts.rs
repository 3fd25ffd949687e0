//! Accounts that are no person's: a role and keys, for programs. Nobody signs in as one.

use protocol::UserId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::access::{FreshManager, Manager};
use crate::limits;
use crate::person::{Name, Role};

/// A service account that this manager may manage.
#[derive(Debug)]
pub(crate) struct ServiceAccount {
    pub id: UserId,
    pub name: String,
    pub role: Role,
    pub created_at: OffsetDateTime,
}

/// Adds one; `None` when there are as many as there may be. It has the place of a cell, as every account has, and never a cell.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    name: &Name,
    role: Role,
    now: OffsetDateTime,
) -> Result<Option<ServiceAccount>, StorageError> {
    let tenant = transaction.tenant().uuid();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM users WHERE tenant_id = $1 AND kind = 'service' AND removed_at IS NULL"#,
        tenant
    );
    if count.fetch_one(&mut **transaction).await? >= limits::SERVICE_ACCOUNTS {
        return Ok(None);
    }
    let id = UserId::new();
    sqlx::query!(
        "INSERT INTO users (id, tenant_id, name, email, role, created_at, kind) VALUES ($1, $2, $3, $4, $5, $6, 'service')",
        id.uuid(),
        tenant,
        name.as_str(),
        format!("{id}@service.invalid"),
        role.as_str(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    super::cells::create(transaction, id, now).await?;
    Ok(Some(ServiceAccount {
        id,
        name: name.as_str().to_owned(),
        role,
        created_at: now,
    }))
}

/// Every service account, by name.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    _manager: &Manager,
) -> Result<Vec<ServiceAccount>, StorageError> {
    let rows = sqlx::query!(
        "SELECT id, name, role, created_at FROM users
         WHERE tenant_id = $1 AND kind = 'service' AND removed_at IS NULL ORDER BY lower(name), id LIMIT $2",
        transaction.tenant().uuid(),
        limits::SERVICE_ACCOUNTS
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(ServiceAccount {
                id: row.id.into(),
                name: row.name,
                role: Role::stored(&row.role)?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// Looks one up, locked, for a manager who has just shown who they are.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    id: UserId,
) -> Result<Option<ServiceAccount>, StorageError> {
    let row = sqlx::query!(
        "SELECT name, role, created_at FROM users
         WHERE tenant_id = $1 AND id = $2 AND kind = 'service' AND removed_at IS NULL FOR UPDATE",
        transaction.tenant().uuid(),
        id.uuid()
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(|row| {
        Ok(ServiceAccount {
            id,
            name: row.name,
            role: Role::stored(&row.role)?,
            created_at: row.created_at,
        })
    })
    .transpose()
}

/// Ends one for ever, with its keys: how many those were. The row stays, for the audit log to point to.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    account: &ServiceAccount,
    now: OffsetDateTime,
) -> Result<u64, StorageError> {
    let keys = super::api_keys::remove_all(transaction, account.id).await?;
    sqlx::query!(
        "UPDATE users SET deactivated_at = $3, removed_at = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        account.id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(keys)
}
