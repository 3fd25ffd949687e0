//! The public keys of people's vaults: opaque here.

use protocol::UserId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::access::SignedIn;
use crate::limits;

/// Somebody's bundle.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub user: UserId,
    pub bundle: Vec<u8>,
}

/// Keeps the bundle of the person's own vault.
pub(crate) async fn put(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    bundle: &[u8],
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO identities (tenant_id, user_id, bundle, updated_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET bundle = $3, updated_at = $4 WHERE identities.bundle <> $3",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        bundle,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The bundles of everybody who is active in the tenant.
pub(crate) async fn list(transaction: &mut TenantTransaction) -> Result<Vec<Bundle>, StorageError> {
    let rows = sqlx::query!(
        "SELECT i.user_id, i.bundle FROM identities i JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.user_id
         WHERE i.tenant_id = $1 AND u.deactivated_at IS NULL ORDER BY i.user_id LIMIT $2",
        transaction.tenant().uuid(),
        limits::PEOPLE_LISTED
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| Bundle {
            user: row.user_id.into(),
            bundle: row.bundle,
        })
        .collect())
}
