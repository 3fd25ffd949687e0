//! The one row that exists before anybody does: the setup token and whether it was used.

use protocol::TenantId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::database::Database;
use crate::secret_token::TokenHash;

/// Whether nobody owns this installation yet.
pub(crate) async fn needs_setup(database: &Database) -> Result<bool, StorageError> {
    let open = sqlx::query_scalar!(r#"SELECT set_up_at IS NULL AS "open!" FROM installation"#);
    Ok(open.fetch_one(database.pool()).await?)
}

/// The organisation that the installation was set up for.
pub(crate) async fn organisation(database: &Database) -> Result<Option<TenantId>, StorageError> {
    let tenant = sqlx::query_scalar!("SELECT set_up_for FROM installation");
    Ok(tenant.fetch_one(database.pool()).await?.map(Into::into))
}

/// Whether the token with this hash would set the installation up.
pub(crate) async fn setup_token_is(database: &Database, hash: TokenHash) -> Result<bool, StorageError> {
    let same = sqlx::query_scalar!(
        r#"SELECT coalesce(setup_token_hash = $1, false) AS "same!" FROM installation WHERE set_up_at IS NULL"#,
        hash.bytes()
    );
    Ok(same.fetch_optional(database.pool()).await?.unwrap_or(false))
}

/// Replaces the setup token, while nobody owns the installation.
pub(crate) async fn set_setup_token(database: &Database, hash: TokenHash) -> Result<bool, StorageError> {
    let update = sqlx::query!(
        "UPDATE installation SET setup_token_hash = $1 WHERE set_up_at IS NULL",
        hash.bytes()
    );
    Ok(update.execute(database.pool()).await?.rows_affected() == 1)
}

/// Uses the setup token for the transaction's organisation: true once, for the right token.
pub(crate) async fn use_setup_token(
    transaction: &mut TenantTransaction,
    hash: TokenHash,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let tenant = transaction.tenant();
    let update = sqlx::query!(
        "UPDATE installation SET set_up_at = $2, setup_token_hash = NULL, set_up_for = $3
         WHERE set_up_at IS NULL AND setup_token_hash = $1",
        hash.bytes(),
        now,
        tenant.uuid()
    );
    Ok(update.execute(&mut **transaction).await?.rows_affected() == 1)
}
