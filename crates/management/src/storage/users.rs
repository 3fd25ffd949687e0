//! The people of a tenant.

use protocol::{TenantId, UserId};
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::database::Database;
use crate::limits;
use crate::person::{Email, Name, Role};

/// Somebody in the list of people.
#[derive(Debug)]
pub(crate) struct Person {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub suspended: bool,
}

/// Adds a person with a cell of their own. [`StorageError::Conflict`] when the address is taken in this tenant.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    name: &Name,
    email: &Email,
    role: Role,
    now: OffsetDateTime,
) -> Result<UserId, StorageError> {
    let id = UserId::new();
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "INSERT INTO users (id, tenant_id, name, email, role, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        id.uuid(),
        tenant,
        name.as_str(),
        email.as_str(),
        role.as_str(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    super::cells::create(transaction, id, now).await?;
    Ok(id)
}

/// Everybody in the tenant who was not removed, by name: one more than an answer lists, to know that there are more.
pub(crate) async fn list(transaction: &mut TenantTransaction) -> Result<Vec<Person>, StorageError> {
    let rows = sqlx::query!(
        "SELECT id, name, email, role, deactivated_at FROM users WHERE tenant_id = $1 AND removed_at IS NULL AND kind = 'person'
         ORDER BY lower(name), id LIMIT $2",
        transaction.tenant().uuid(),
        limits::PEOPLE_LISTED + 1
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Person {
                id: row.id.into(),
                name: row.name,
                email: row.email,
                role: Role::stored(&row.role)?,
                suspended: row.deactivated_at.is_some(),
            })
        })
        .collect()
}

/// Somebody's name.
pub(crate) async fn name(transaction: &mut TenantTransaction, user: UserId) -> Result<String, StorageError> {
    let name = sqlx::query_scalar!(
        "SELECT name FROM users WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        user.uuid()
    );
    Ok(name.fetch_one(&mut **transaction).await?)
}

/// Gives somebody another name.
pub(crate) async fn rename(transaction: &mut TenantTransaction, user: UserId, name: &Name) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE users SET name = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        user.uuid(),
        name.as_str()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The addresses of those who manage the organisation.
pub(crate) async fn managers(transaction: &mut TenantTransaction) -> Result<Vec<String>, StorageError> {
    let emails = sqlx::query_scalar!(
        "SELECT email FROM users
         WHERE tenant_id = $1 AND role IN ('owner', 'admin') AND deactivated_at IS NULL AND kind = 'person'
         ORDER BY created_at, id LIMIT $2",
        transaction.tenant().uuid(),
        limits::MANAGERS_TOLD
    );
    Ok(emails.fetch_all(&mut **transaction).await?)
}

/// Whether somebody in the tenant has this address, active or not.
pub(crate) async fn has_email(transaction: &mut TenantTransaction, email: &Email) -> Result<bool, StorageError> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE tenant_id = $1 AND email = $2) AS "found!""#,
        transaction.tenant().uuid(),
        email.as_str()
    );
    Ok(found.fetch_one(&mut **transaction).await?)
}

/// Where somebody with this address may sign in: the tenants in which they are active, this many at most, the first joined first.
pub(crate) async fn find_by_email(
    database: &Database,
    email: &Email,
    most: Option<i64>,
) -> Result<Vec<(TenantId, UserId)>, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT set_config('holdfast.email', $1, true) AS email", email.as_str())
        .fetch_one(&mut *transaction)
        .await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, id FROM users WHERE email = $1 AND deactivated_at IS NULL AND kind = 'person' ORDER BY created_at LIMIT $2",
        email.as_str(),
        most
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.tenant_id.into(), row.id.into()))
        .collect())
}
