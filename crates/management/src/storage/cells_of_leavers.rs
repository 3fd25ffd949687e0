//! The cells of people who may not use them: which are to sleep, and which are to be erased. A trigger keeps the list with what is said of
//! the people.

use protocol::CellId;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::cell_control::CellRef;
use crate::database::Database;

/// What is to become of such a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Its owner is suspended.
    Asleep,
    /// Its owner was removed.
    Erased,
}

/// Those of every organisation; first those that are to sleep.
pub(crate) async fn all(database: &Database) -> Result<Vec<(CellRef, Wanted)>, StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.cells_of_leavers").await?;
    let rows = sqlx::query!("SELECT tenant_id, user_id, cell_id, erase FROM cells_of_leavers ORDER BY erase, cell_id");
    let rows = rows.fetch_all(&mut *transaction).await?;
    let cells = rows.into_iter().map(|row| {
        let cell = CellRef {
            cell: row.cell_id.into(),
            tenant: row.tenant_id.into(),
            user: row.user_id.into(),
        };
        let wanted = match row.erase {
            true => Wanted::Erased,
            false => Wanted::Asleep,
        };
        (cell, wanted)
    });
    Ok(cells.collect())
}

/// Whether this one is to sleep now, also behind somebody who is letting its owner back in.
pub(crate) async fn is_to_sleep(transaction: &mut TenantTransaction, cell: CellId) -> Result<bool, StorageError> {
    let found = sqlx::query!(
        "SELECT cell_id FROM cells_of_leavers WHERE tenant_id = $1 AND cell_id = $2 AND NOT erase FOR SHARE",
        transaction.tenant().uuid(),
        cell.uuid()
    );
    Ok(found.fetch_optional(&mut **transaction).await?.is_some())
}

/// Nothing is left of this one.
pub(crate) async fn erased(transaction: &mut TenantTransaction, cell: CellId) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM cells_of_leavers WHERE tenant_id = $1 AND cell_id = $2 AND erase",
        transaction.tenant().uuid(),
        cell.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
