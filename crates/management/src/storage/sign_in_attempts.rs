//! Sign-ins with other sites that are under way.

use protocol::{SessionId, TenantId};
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::database::Database;
use crate::ids::IdentityProviderId;
use crate::secret_token::TokenHash;

/// Keeps one, and clears away those that are over.
pub(crate) async fn keep(
    transaction: &mut TenantTransaction,
    state: TokenHash,
    provider: IdentityProviderId,
    browser: TokenHash,
    session: Option<SessionId>,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM sign_in_attempts WHERE tenant_id = $1 AND expires_at <= $2",
        tenant,
        now
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO sign_in_attempts (state_hash, tenant_id, provider_id, browser_hash, session_id, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        state.bytes(),
        tenant,
        provider.uuid(),
        browser.bytes(),
        session.map(SessionId::uuid),
        expires_at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// One that was under way, and is used up.
pub(crate) struct Attempt {
    pub tenant: TenantId,
    pub provider: IdentityProviderId,
    pub session: Option<SessionId>,
}

/// What a state that somebody brings back comes to.
pub(crate) enum Taken {
    Attempt(Attempt),
    /// Good, but another browser was sent. It was not used up.
    OtherBrowser,
    /// No such state, or it was used, or is over.
    Nothing,
}

/// Uses up the attempt with this state, in the browser that was sent.
pub(crate) async fn take(
    database: &Database,
    state: TokenHash,
    browser: Option<TokenHash>,
    now: OffsetDateTime,
) -> Result<Taken, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT set_config('holdfast.token', $1, true) AS token", state.hex())
        .fetch_one(&mut *transaction)
        .await?;
    let tenant = sqlx::query_scalar!(
        "SELECT tenant_id FROM sign_in_attempts WHERE state_hash = $1",
        state.bytes()
    );
    let Some(tenant) = tenant.fetch_optional(&mut *transaction).await? else {
        return Ok(Taken::Nothing);
    };
    let mut transaction = TenantTransaction::enter(database, transaction, tenant.into()).await?;
    let row = sqlx::query!(
        r#"DELETE FROM sign_in_attempts WHERE tenant_id = $1 AND state_hash = $2 AND expires_at > $3
         RETURNING provider_id, session_id, coalesce(browser_hash = $4, false) AS "same_browser!""#,
        tenant,
        state.bytes(),
        now,
        browser.as_ref().map(TokenHash::bytes)
    );
    let row = row.fetch_optional(&mut *transaction).await?;
    Ok(match row {
        None => Taken::Nothing,
        // Dropping the transaction takes back that it was used.
        Some(row) if !row.same_browser => Taken::OtherBrowser,
        Some(row) => {
            transaction.commit().await?;
            Taken::Attempt(Attempt {
                tenant: tenant.into(),
                provider: row.provider_id.into(),
                session: row.session_id.map(Into::into),
            })
        }
    })
}
