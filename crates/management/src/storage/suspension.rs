//! Suspending an organisation as a whole: everybody in it, and, by a trigger, whoever would join it.

use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::operator::FreshOperator;

/// Suspends the organisation and everybody in it, and ends their sessions, what is told to their devices, and links; false if it was
/// suspended already.
pub(crate) async fn suspend(
    transaction: &mut TenantTransaction,
    _operator: &FreshOperator,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let tenant = transaction.tenant().uuid();
    // First, so that who joins at this moment is either seen below or refused.
    let suspended = sqlx::query!(
        "UPDATE tenants SET suspended_at = $2 WHERE id = $1 AND suspended_at IS NULL",
        tenant,
        now
    );
    if suspended.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE users SET deactivated_at = $2, suspended_with_tenant = true WHERE tenant_id = $1 AND deactivated_at IS NULL",
        tenant,
        now
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!("DELETE FROM sessions WHERE tenant_id = $1", tenant)
        .execute(&mut **transaction)
        .await?;
    sqlx::query!("DELETE FROM push_devices WHERE tenant_id = $1", tenant)
        .execute(&mut **transaction)
        .await?;
    sqlx::query!("DELETE FROM sign_in_links WHERE tenant_id = $1", tenant)
        .execute(&mut **transaction)
        .await?;
    Ok(true)
}

/// Ends it: who was suspended with the organisation may sign in again. False if it was not suspended.
pub(crate) async fn restore(
    transaction: &mut TenantTransaction,
    _operator: &FreshOperator,
) -> Result<bool, StorageError> {
    let tenant = transaction.tenant().uuid();
    let restored = sqlx::query!(
        "UPDATE tenants SET suspended_at = NULL WHERE id = $1 AND suspended_at IS NOT NULL",
        tenant
    );
    if restored.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE users SET deactivated_at = NULL, suspended_with_tenant = false
         WHERE tenant_id = $1 AND suspended_with_tenant AND removed_at IS NULL",
        tenant
    )
    .execute(&mut **transaction)
    .await?;
    Ok(true)
}
