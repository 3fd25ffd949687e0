//! Whose cell is whose.

use protocol::{CellId, UserId};
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};

/// Adds the cell of a new person.
pub(super) async fn create(
    transaction: &mut TenantTransaction,
    user: UserId,
    now: OffsetDateTime,
) -> Result<CellId, StorageError> {
    let id = CellId::new();
    sqlx::query!(
        "INSERT INTO cells (id, tenant_id, user_id, created_at) VALUES ($1, $2, $3, $4)",
        id.uuid(),
        transaction.tenant().uuid(),
        user.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(id)
}
