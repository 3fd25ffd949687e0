//! People's passkeys for signing in.

use protocol::UserId;
use time::OffsetDateTime;

use super::factors::Enrolment;
use super::{StorageError, TenantTransaction};
use crate::ids::PasskeyId;
use crate::person::Name;

/// A passkey as its person sees it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: PasskeyId,
    pub name: String,
    pub credential_id: Vec<u8>,
    pub created_at: OffsetDateTime,
    pub last_used_at: Option<OffsetDateTime>,
}

/// Somebody's passkeys, the oldest first.
pub(crate) async fn list(transaction: &mut TenantTransaction, user: UserId) -> Result<Vec<Listed>, StorageError> {
    let rows = sqlx::query_as!(
        Listed,
        "SELECT id, name, credential_id, created_at, last_used_at FROM passkeys
         WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, id",
        transaction.tenant().uuid(),
        user.uuid()
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// A passkey that was shown, locked until the transaction ends.
#[derive(Debug)]
pub(crate) struct Stored {
    pub id: PasskeyId,
    pub name: String,
    pub public_key: Vec<u8>,
    pub counter: i64,
    pub user_name: String,
}

/// The passkey of an active person.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    user: UserId,
    credential_id: &[u8],
) -> Result<Option<Stored>, StorageError> {
    let row = sqlx::query_as!(
        Stored,
        "SELECT p.id, p.name, p.public_key, p.counter, u.name AS user_name FROM passkeys p
         JOIN users u ON u.tenant_id = p.tenant_id AND u.id = p.user_id
         WHERE p.tenant_id = $1 AND p.user_id = $2 AND p.credential_id = $3 AND u.deactivated_at IS NULL
         FOR UPDATE OF p",
        transaction.tenant().uuid(),
        user.uuid(),
        credential_id
    );
    Ok(row.fetch_optional(&mut **transaction).await?)
}

/// A passkey to be kept.
pub(crate) struct New<'a> {
    pub id: PasskeyId,
    pub name: &'a Name,
    pub credential_id: &'a [u8],
    pub public_key: &'a [u8],
    pub counter: u32,
    pub now: OffsetDateTime,
}

/// Keeps a passkey. [`StorageError::Conflict`] when somebody in the organisation has it.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    enrolment: &Enrolment,
    new: New<'_>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO passkeys (id, tenant_id, user_id, credential_id, public_key, counter, name, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.uuid(),
        transaction.tenant().uuid(),
        enrolment.user().uuid(),
        new.credential_id,
        new.public_key,
        i64::from(new.counter),
        new.name.as_str(),
        new.now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Notes that it was used, and how far its counter is.
pub(crate) async fn used(
    transaction: &mut TenantTransaction,
    id: PasskeyId,
    counter: u32,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE passkeys SET counter = $3, last_used_at = $4 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid(),
        i64::from(counter),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Gives one's own passkey another name; false if there is none.
pub(crate) async fn rename(
    transaction: &mut TenantTransaction,
    user: UserId,
    id: PasskeyId,
    name: &Name,
) -> Result<bool, StorageError> {
    let renamed = sqlx::query!(
        "UPDATE passkeys SET name = $4 WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        transaction.tenant().uuid(),
        user.uuid(),
        id.uuid(),
        name.as_str()
    );
    Ok(renamed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Takes one's own passkey away: its name, or `None` if there is none.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    user: UserId,
    id: PasskeyId,
) -> Result<Option<String>, StorageError> {
    let name = sqlx::query_scalar!(
        "DELETE FROM passkeys WHERE tenant_id = $1 AND user_id = $2 AND id = $3 RETURNING name",
        transaction.tenant().uuid(),
        user.uuid(),
        id.uuid()
    );
    Ok(name.fetch_optional(&mut **transaction).await?)
}
