//! What opens the vaults of the tenant API's cells, sealed.

use protocol::CellId;

use super::{StorageError, TenantTransaction};
use crate::custody::{KnownKeeper, Sealed};

/// What is stored for a cell.
pub(crate) struct Stored {
    pub sealed: Sealed,
    pub keeper: Option<KnownKeeper>,
}

/// Keeps the secret of a new cell.
pub(crate) async fn add(
    transaction: &mut TenantTransaction,
    cell: CellId,
    sealed: &Sealed,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO platform_secrets (tenant_id, cell_id, key_id, sealed) VALUES ($1, $2, $3, $4)",
        transaction.tenant().uuid(),
        cell.uuid(),
        sealed.key_id,
        sealed.bytes
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The secret of a cell of this tenant.
pub(crate) async fn find(transaction: &mut TenantTransaction, cell: CellId) -> Result<Option<Stored>, StorageError> {
    let row = sqlx::query!(
        "SELECT key_id, sealed, keeper_key, epoch FROM platform_secrets WHERE tenant_id = $1 AND cell_id = $2",
        transaction.tenant().uuid(),
        cell.uuid()
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| Stored {
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
        keeper: row.keeper_key.map(|public_key| KnownKeeper {
            public_key,
            epoch: row.epoch.unsigned_abs(),
        }),
    }))
}

/// Notes what the keeper has proved. An epoch only rises.
pub(crate) async fn remember(
    transaction: &mut TenantTransaction,
    cell: CellId,
    keeper: &KnownKeeper,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE platform_secrets SET keeper_key = $3, epoch = greatest(epoch, $4) WHERE tenant_id = $1 AND cell_id = $2",
        transaction.tenant().uuid(),
        cell.uuid(),
        keeper.public_key,
        i64::try_from(keeper.epoch).unwrap_or(i64::MAX)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The secrets that another key than this one seals, locked.
pub(crate) async fn sealed_before(
    transaction: &mut TenantTransaction,
    key: i32,
) -> Result<Vec<(CellId, Sealed)>, StorageError> {
    let rows = sqlx::query!(
        "SELECT cell_id, key_id, sealed FROM platform_secrets WHERE tenant_id = $1 AND key_id < $2 FOR UPDATE",
        transaction.tenant().uuid(),
        key
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let sealed = Sealed {
                key_id: row.key_id,
                bytes: row.sealed,
            };
            (row.cell_id.into(), sealed)
        })
        .collect())
}

/// The same secret, sealed again.
pub(crate) async fn replace(
    transaction: &mut TenantTransaction,
    cell: CellId,
    sealed: &Sealed,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE platform_secrets SET key_id = $3, sealed = $4 WHERE tenant_id = $1 AND cell_id = $2",
        transaction.tenant().uuid(),
        cell.uuid(),
        sealed.key_id,
        sealed.bytes
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets the secret of one cell.
pub(crate) async fn remove(transaction: &mut TenantTransaction, cell: CellId) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM platform_secrets WHERE tenant_id = $1 AND cell_id = $2",
        transaction.tenant().uuid(),
        cell.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Forgets every secret of the tenant: how many those were. What they opened opens never again.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM platform_secrets WHERE tenant_id = $1",
        transaction.tenant().uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}
