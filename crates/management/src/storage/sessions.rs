//! Sessions, found by the hash of the cookie's token.

use std::time::Duration;

use protocol::{CellId, TenantId, UserId};
use sqlx::postgres::types::PgInterval;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{StorageError, TenantTransaction};
use crate::database::Database;
use crate::limits;
use crate::person::Role;
use crate::secret_token::TokenHash;

/// A session that is still good, and the person whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub id: Uuid,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub user: UserId,
    pub user_name: String,
    pub email: String,
    pub role: Role,
    pub cell: CellId,
}

/// The session with this token, if it is not over. Notes that it was used.
pub(crate) async fn authenticate(
    database: &Database,
    hash: TokenHash,
    now: OffsetDateTime,
) -> Result<Option<Session>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT session_id AS "session_id!", tenant_id AS "tenant_id!", tenant_name AS "tenant_name!",
            user_id AS "user_id!", user_name AS "user_name!", email AS "email!", role AS "role!", cell_id AS "cell_id!"
        FROM authenticate($1, $2, $3, $4)"#,
        hash.bytes(),
        now,
        interval(limits::SESSION_IDLE),
        interval(limits::SESSION_TOUCH)
    )
    .fetch_optional(database.pool())
    .await?;
    row.map(|row| {
        Ok(Session {
            id: row.session_id,
            tenant: row.tenant_id.into(),
            tenant_name: row.tenant_name,
            user: row.user_id.into(),
            user_name: row.user_name,
            email: row.email,
            role: Role::stored(&row.role)?,
            cell: row.cell_id.into(),
        })
    })
    .transpose()
}

/// Adds a session and clears away those of the same person that are over.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    user: UserId,
    hash: TokenHash,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND (expires_at <= $3 OR last_seen_at <= $3 - $4::interval)",
        tenant,
        user.uuid(),
        now,
        interval(limits::SESSION_IDLE)
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO sessions (id, tenant_id, user_id, token_hash, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $5, $6)",
        Uuid::now_v7(),
        tenant,
        user.uuid(),
        hash.bytes(),
        now,
        expires_at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Ends one session.
pub(crate) async fn end(transaction: &mut TenantTransaction, session: Uuid) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM sessions WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        session
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}
