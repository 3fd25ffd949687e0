//! Links that were mailed for signing in.

use protocol::UserId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction, factors};
use crate::database::Database;
use crate::secret_token::TokenHash;

/// Adds a link and clears away those of the same person that are over.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    user: UserId,
    hash: TokenHash,
    browser: TokenHash,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM sign_in_links WHERE tenant_id = $1 AND user_id = $2 AND expires_at <= $3",
        tenant,
        user.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO sign_in_links (token_hash, tenant_id, user_id, created_at, expires_at, browser_hash)
         VALUES ($1, $2, $3, $4, $5, $6)",
        hash.bytes(),
        tenant,
        user.uuid(),
        now,
        expires_at,
        browser.bytes()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What a presented link comes to.
pub(crate) enum Redeemed {
    /// Used up: who may sign in, and a transaction in their tenant.
    By(TenantTransaction, UserId),
    /// Good, but another browser asked for it. It was not used up.
    OtherBrowser,
    /// No such link, or it was used, or is over, or the person is no longer active.
    Nothing,
}

/// Uses up the link with this token, in the browser that asked for it.
pub(crate) async fn redeem(
    database: &Database,
    hash: TokenHash,
    browser: Option<TokenHash>,
    now: OffsetDateTime,
) -> Result<Redeemed, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT set_config('holdfast.token', $1, true) AS token", hash.hex())
        .fetch_one(&mut *transaction)
        .await?;
    let found = sqlx::query!(
        "SELECT tenant_id, user_id FROM sign_in_links WHERE token_hash = $1",
        hash.bytes()
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(found) = found else {
        return Ok(Redeemed::Nothing);
    };
    let tenant = found.tenant_id;
    let mut transaction = TenantTransaction::enter(database, transaction, tenant.into()).await?;
    if !factors::one_at_a_time(&mut transaction, found.user_id.into()).await? {
        return Ok(Redeemed::Nothing);
    }
    let row = sqlx::query!(
        r#"UPDATE sign_in_links l SET used_at = $2 FROM users u
         WHERE l.tenant_id = $3 AND l.token_hash = $1 AND l.used_at IS NULL AND l.expires_at > $2
            AND u.tenant_id = l.tenant_id AND u.id = l.user_id AND u.deactivated_at IS NULL
         RETURNING l.user_id, coalesce(l.browser_hash = $4, false) AS "same_browser!""#,
        hash.bytes(),
        now,
        tenant,
        browser.as_ref().map(TokenHash::bytes)
    )
    .fetch_optional(&mut *transaction)
    .await?;
    Ok(match row {
        None => Redeemed::Nothing,
        // Dropping the transaction takes back that it was used.
        Some(row) if !row.same_browser => Redeemed::OtherBrowser,
        Some(row) => Redeemed::By(transaction, row.user_id.into()),
    })
}
