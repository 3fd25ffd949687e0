//! Links that were mailed to somebody who may join an organisation: that they arrive shows whose the address is.

use time::OffsetDateTime;

use super::{StorageError, TenantTransaction, tenants};
use crate::database::Database;
use crate::person::Email;
use crate::secret_token::TokenHash;

/// Adds a link and clears away those that are over.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    email: &Email,
    hash: TokenHash,
    browser: TokenHash,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM join_links WHERE tenant_id = $1 AND expires_at <= $2",
        tenant,
        now
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO join_links (token_hash, tenant_id, email, browser_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        hash.bytes(),
        tenant,
        email.as_str(),
        browser.bytes(),
        now,
        expires_at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What a presented link comes to.
pub(crate) enum Redeemed {
    /// Used up in this transaction, in the organisation: whose address it is.
    By(TenantTransaction, String),
    /// Good, but another browser asked for it. It was not used up.
    OtherBrowser,
    /// No such link, or it was used, or is over.
    Nothing,
}

/// Uses up the link with this token, in the browser that asked for it, if the transaction is committed.
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
    let tenant = sqlx::query_scalar!("SELECT tenant_id FROM join_links WHERE token_hash = $1", hash.bytes());
    let Some(tenant) = tenant.fetch_optional(&mut *transaction).await? else {
        return Ok(Redeemed::Nothing);
    };
    let mut transaction = TenantTransaction::enter(database, transaction, tenant.into()).await?;
    tenants::hold(&mut transaction).await?;
    let row = sqlx::query!(
        r#"DELETE FROM join_links WHERE tenant_id = $1 AND token_hash = $2 AND expires_at > $3
         RETURNING email, coalesce(browser_hash = $4, false) AS "same_browser!""#,
        tenant,
        hash.bytes(),
        now,
        browser.as_ref().map(TokenHash::bytes)
    );
    let row = row.fetch_optional(&mut *transaction).await?;
    Ok(match row {
        None => Redeemed::Nothing,
        Some(row) if !row.same_browser => Redeemed::OtherBrowser,
        Some(row) => Redeemed::By(transaction, row.email),
    })
}
