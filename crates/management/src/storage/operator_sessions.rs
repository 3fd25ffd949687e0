//! The operator's sessions, found by the hash of the cookie's token.

use time::OffsetDateTime;

use super::StorageError;
use super::interval::interval;
use crate::database::Database;
use crate::ids::OperatorSessionId;
use crate::limits;
use crate::secret_token::TokenHash;

/// A session of the operator that is not over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OperatorSession {
    pub id: OperatorSessionId,
    /// Of the cookie's token: what the database is told by whoever speaks as the operator.
    pub hash: TokenHash,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub proved_at: OffsetDateTime,
}

/// Adds a session, and clears away those that are over.
pub(crate) async fn create(
    connection: &mut sqlx::PgConnection,
    hash: TokenHash,
    shown: TokenHash,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<OperatorSession, StorageError> {
    sqlx::query!(
        "DELETE FROM operator_sessions WHERE expires_at <= $1 OR last_seen_at <= $1 - $2::interval OR shown_hash <> $3",
        now,
        interval(limits::OPERATOR_IDLE),
        shown.bytes()
    )
    .execute(&mut *connection)
    .await?;
    let id = OperatorSessionId::new();
    sqlx::query!(
        "INSERT INTO operator_sessions (id, token_hash, shown_hash, created_at, last_seen_at, expires_at, proved_at)
         VALUES ($1, $2, $3, $4, $4, $5, $4)",
        id.uuid(),
        hash.bytes(),
        shown.bytes(),
        now,
        expires_at
    )
    .execute(&mut *connection)
    .await?;
    Ok(OperatorSession {
        id,
        hash,
        created_at: now,
        expires_at,
        proved_at: now,
    })
}

/// The session with this token, if it is not over and was given for the operator's token of now. Notes that it was used.
pub(crate) async fn authenticate(
    database: &Database,
    hash: TokenHash,
    shown: TokenHash,
    now: OffsetDateTime,
) -> Result<Option<OperatorSession>, StorageError> {
    let row = sqlx::query!(
        "UPDATE operator_sessions SET last_seen_at = greatest(last_seen_at, $2)
         WHERE token_hash = $1 AND expires_at > $2 AND last_seen_at > $2::timestamptz - $3::interval AND shown_hash = $4
         RETURNING id, created_at, expires_at, proved_at",
        hash.bytes(),
        now,
        interval(limits::OPERATOR_IDLE),
        shown.bytes()
    )
    .fetch_optional(database.pool())
    .await?;
    Ok(row.map(|row| OperatorSession {
        id: row.id.into(),
        hash,
        created_at: row.created_at,
        expires_at: row.expires_at,
        proved_at: row.proved_at,
    }))
}

/// Notes that the session's holder just showed the operator's token again, and gives the session the token of this hash in the place of the one
/// that was presented; false if it has ended meanwhile, or has another token by now.
pub(crate) async fn renew(
    connection: &mut sqlx::PgConnection,
    session: &OperatorSession,
    new: TokenHash,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let renewed = sqlx::query!(
        "UPDATE operator_sessions SET token_hash = $3, proved_at = $4 WHERE id = $1 AND token_hash = $2",
        session.id.uuid(),
        session.hash.bytes(),
        new.bytes(),
        now
    );
    Ok(renewed.execute(connection).await?.rows_affected() == 1)
}

/// Ends a session.
pub(crate) async fn end(connection: &mut sqlx::PgConnection, session: &OperatorSession) -> Result<(), StorageError> {
    sqlx::query!("DELETE FROM operator_sessions WHERE id = $1", session.id.uuid())
        .execute(connection)
        .await?;
    Ok(())
}
