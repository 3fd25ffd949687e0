//! Organisations.

use protocol::TenantId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::database::Database;
use crate::person::Name;

/// Begins a transaction in which a new tenant exists.
pub(crate) async fn create(
    database: &Database,
    name: &Name,
    now: OffsetDateTime,
) -> Result<TenantTransaction, StorageError> {
    let id = TenantId::new();
    let mut transaction = TenantTransaction::begin(database, id).await?;
    sqlx::query!(
        "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3)",
        id.uuid(),
        name.as_str(),
        now
    )
    .execute(&mut *transaction)
    .await?;
    Ok(transaction)
}

/// Whether it is suspended stays as it is until the transaction ends. First the organisation, then whoever is in it, then what is theirs:
/// whatever locks more than one of these takes them in this order, so that no two wait for each other.
pub(crate) async fn hold(transaction: &mut TenantTransaction) -> Result<(), StorageError> {
    sqlx::query!(
        "SELECT id FROM tenants WHERE id = $1 FOR SHARE",
        transaction.tenant().uuid()
    )
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(())
}

/// The name of the tenant that the transaction speaks for.
pub(crate) async fn name(transaction: &mut TenantTransaction) -> Result<String, StorageError> {
    let id = transaction.tenant().uuid();
    Ok(sqlx::query_scalar!("SELECT name FROM tenants WHERE id = $1", id)
        .fetch_one(&mut **transaction)
        .await?)
}

/// Whether the organisation asks everybody for a second factor.
pub(crate) async fn second_factor_required(transaction: &mut TenantTransaction) -> Result<bool, StorageError> {
    let id = transaction.tenant().uuid();
    let required = sqlx::query_scalar!("SELECT second_factor_required FROM tenants WHERE id = $1", id);
    Ok(required.fetch_one(&mut **transaction).await?)
}

/// Whether people are told that something waits for their locked vault.
pub(crate) async fn told_of_requests(transaction: &mut TenantTransaction) -> Result<bool, StorageError> {
    let id = transaction.tenant().uuid();
    let told = sqlx::query_scalar!("SELECT told_of_requests FROM tenants WHERE id = $1", id);
    Ok(told.fetch_one(&mut **transaction).await?)
}

/// Whether what an agent wants to change needs a second person; not where there are no people, as with a tenant of the tenant API.
pub(crate) async fn second_person(transaction: &mut TenantTransaction) -> Result<bool, StorageError> {
    let id = transaction.tenant().uuid();
    let demanded = sqlx::query_scalar!("SELECT second_person FROM tenants WHERE id = $1", id);
    Ok(demanded.fetch_optional(&mut **transaction).await?.unwrap_or(false))
}

/// Sets it; false if it was so already.
pub(crate) async fn set_second_person(
    transaction: &mut TenantTransaction,
    demanded: bool,
) -> Result<bool, StorageError> {
    let update = sqlx::query!(
        "UPDATE tenants SET second_person = $2 WHERE id = $1 AND second_person <> $2",
        transaction.tenant().uuid(),
        demanded
    );
    Ok(update.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// For how many hours at most people may let their agents work while nobody is there.
pub(crate) async fn time_alone_hours(transaction: &mut TenantTransaction) -> Result<i16, StorageError> {
    let id = transaction.tenant().uuid();
    let hours = sqlx::query_scalar!("SELECT time_alone_hours FROM tenants WHERE id = $1", id);
    Ok(hours.fetch_one(&mut **transaction).await?)
}

/// Sets it; false if it was so already.
pub(crate) async fn set_time_alone_hours(
    transaction: &mut TenantTransaction,
    hours: i16,
) -> Result<bool, StorageError> {
    let update = sqlx::query!(
        "UPDATE tenants SET time_alone_hours = $2 WHERE id = $1 AND time_alone_hours <> $2",
        transaction.tenant().uuid(),
        hours
    );
    Ok(update.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Sets it; false if it was so already.
pub(crate) async fn set_told_of_requests(
    transaction: &mut TenantTransaction,
    told: bool,
) -> Result<bool, StorageError> {
    let update = sqlx::query!(
        "UPDATE tenants SET told_of_requests = $2 WHERE id = $1 AND told_of_requests <> $2",
        transaction.tenant().uuid(),
        told
    );
    Ok(update.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Sets it; false if it was so already.
pub(crate) async fn set_second_factor_required(
    transaction: &mut TenantTransaction,
    required: bool,
) -> Result<bool, StorageError> {
    let update = sqlx::query!(
        "UPDATE tenants SET second_factor_required = $2 WHERE id = $1 AND second_factor_required <> $2",
        transaction.tenant().uuid(),
        required
    );
    Ok(update.execute(&mut **transaction).await?.rows_affected() == 1)
}
