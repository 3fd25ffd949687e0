//! The names that a developer gives conversations with an agent, and which conversation of the keeper's each is. No word of one is here.

use protocol::TenantId;
use time::OffsetDateTime;

use super::api_agents::MAIN;
use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::database::Database;

/// A session of an agent.
#[derive(Debug, Clone)]
pub(crate) struct ApiSession {
    pub id: String,
    pub conversation: String,
    pub created_at: OffsetDateTime,
    pub used_at: OffsetDateTime,
    /// It is there for one turn only, or not made yet, and goes then.
    pub gone_at: Option<OffsetDateTime>,
}

/// The session of this name.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    agent: &str,
    id: &str,
) -> Result<Option<ApiSession>, StorageError> {
    let row = sqlx::query_as!(
        ApiSession,
        "SELECT id, conversation, created_at, used_at, gone_at FROM api_sessions
         WHERE tenant_id = $1 AND agent = $2 AND id = $3",
        transaction.tenant().uuid(),
        agent,
        id
    );
    Ok(row.fetch_optional(&mut **transaction).await?)
}

/// The conversation of a session, and whether its keeper has made it.
pub(crate) struct Named {
    pub conversation: String,
    pub made: bool,
}

/// A session that is used.
pub(crate) struct Used<'a> {
    pub id: &'a str,
    /// Nobody chose the name.
    pub unnamed: bool,
}

/// The session of this name, used now. A new one has this id for its conversation, which its keeper has still to make: it goes then, where it
/// does not. `None` if the agent is gone.
pub(crate) async fn begin(
    transaction: &mut TenantTransaction,
    agent: &str,
    session: Used<'_>,
    conversation: &str,
    gone_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Option<Named>, StorageError> {
    // Tenant and agent stay until the transaction ends.
    let named = sqlx::query_as!(
        Named,
        "WITH tenant AS (SELECT FROM api_tenants WHERE tenant_id = $1 FOR KEY SHARE),
              agent AS (SELECT FROM api_agents WHERE tenant_id = $1 AND name = $2 FOR KEY SHARE)
         INSERT INTO api_sessions AS s (tenant_id, agent, id, conversation, gone_at, created_at, used_at, made, unnamed)
         SELECT $1, $2, $3, $4, $5, $6, $6, false, $8 FROM tenant WHERE $2 = $7 OR EXISTS (SELECT FROM agent)
         ON CONFLICT (tenant_id, agent, id) DO UPDATE SET used_at = greatest(s.used_at, excluded.used_at),
             unnamed = s.unnamed AND excluded.unnamed,
             gone_at = CASE WHEN s.made THEN s.gone_at ELSE excluded.gone_at END
         RETURNING conversation, made",
        transaction.tenant().uuid(),
        agent,
        session.id,
        conversation,
        gone_at,
        now,
        MAIN,
        session.unnamed
    );
    Ok(named.fetch_optional(&mut **transaction).await?)
}

/// Notes that its keeper has made the conversation of a session, under this id, and that it stays until then or for good. The one that it has,
/// if another request was faster; `None` if the session is gone.
pub(crate) async fn made(
    transaction: &mut TenantTransaction,
    agent: &str,
    id: &str,
    conversation: &str,
    gone_at: Option<OffsetDateTime>,
) -> Result<Option<String>, StorageError> {
    let kept = sqlx::query_scalar!(
        "UPDATE api_sessions SET conversation = CASE WHEN made THEN conversation ELSE $4 END,
             gone_at = CASE WHEN made THEN gone_at ELSE $5 END, made = true
         WHERE tenant_id = $1 AND agent = $2 AND id = $3 RETURNING conversation",
        transaction.tenant().uuid(),
        agent,
        id,
        conversation,
        gone_at
    );
    Ok(kept.fetch_optional(&mut **transaction).await?)
}

/// Somebody has named a session: it stays until it is deleted.
pub(crate) async fn name(transaction: &mut TenantTransaction, agent: &str, id: &str) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_sessions SET unnamed = false WHERE tenant_id = $1 AND agent = $2 AND id = $3 AND unnamed",
        transaction.tenant().uuid(),
        agent,
        id
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Where the agent has more than so many sessions, those that nobody named but for so many that were used last, the one that was used longest
/// ago first.
pub(crate) async fn giving_way(
    transaction: &mut TenantTransaction,
    agent: &str,
    (above, kept): (i64, i64),
    most: i64,
) -> Result<Vec<String>, StorageError> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM (
             SELECT id, used_at FROM api_sessions WHERE tenant_id = $1 AND agent = $2 AND unnamed AND gone_at IS NULL
                 AND (SELECT count(*) FROM api_sessions WHERE tenant_id = $1 AND agent = $2) > $3
             ORDER BY used_at DESC, id DESC OFFSET $4
         ) AS long_ago ORDER BY used_at, id LIMIT $5",
        transaction.tenant().uuid(),
        agent,
        above,
        kept,
        most
    );
    Ok(ids.fetch_all(&mut **transaction).await?)
}

/// Sessions by name, after one of them, but for those of a single turn, and those that are not made.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    agent: &str,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<ApiSession>, StorageError> {
    let rows = sqlx::query_as!(
        ApiSession,
        r#"SELECT id, conversation, created_at, used_at, gone_at FROM api_sessions
         WHERE tenant_id = $1 AND agent = $2 AND gone_at IS NULL AND ($3::text IS NULL OR id > $3) ORDER BY id LIMIT $4"#,
        transaction.tenant().uuid(),
        agent,
        after,
        most
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// Sessions of single turns, and those that were not made, whose time is over.
pub(crate) async fn left(
    transaction: &mut TenantTransaction,
    agent: &str,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<String>, StorageError> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM api_sessions WHERE tenant_id = $1 AND agent = $2 AND gone_at < $3 ORDER BY gone_at LIMIT $4",
        transaction.tenant().uuid(),
        agent,
        now,
        most
    );
    Ok(ids.fetch_all(&mut **transaction).await?)
}

/// Whose sessions those are, of every tenant: agents by their names.
pub(crate) async fn left_of(
    database: &Database,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<(TenantId, String)>, StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.api_sessions").await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, agent FROM api_sessions WHERE gone_at < $1 GROUP BY tenant_id, agent ORDER BY min(gone_at) LIMIT $2",
        now,
        most
    );
    let rows = rows.fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(rows.into_iter().map(|row| (row.tenant_id.into(), row.agent)).collect())
}

/// These conversations, each with its session's name.
pub(crate) async fn names(
    transaction: &mut TenantTransaction,
    agent: &str,
    conversations: &[String],
) -> Result<Vec<(String, String)>, StorageError> {
    let rows = sqlx::query!(
        "SELECT conversation, id FROM api_sessions WHERE tenant_id = $1 AND agent = $2 AND conversation = ANY($3)",
        transaction.tenant().uuid(),
        agent,
        conversations
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows.into_iter().map(|row| (row.conversation, row.id)).collect())
}

/// Forgets a session as it was found; `false` if it has gone. One of its name that was made since has another conversation.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    agent: &str,
    session: &ApiSession,
) -> Result<bool, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_sessions WHERE tenant_id = $1 AND agent = $2 AND id = $3 AND conversation = $4",
        transaction.tenant().uuid(),
        agent,
        session.id,
        session.conversation
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Forgets every session of one agent: how many those were.
pub(crate) async fn remove_of(transaction: &mut TenantTransaction, agent: &str) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_sessions WHERE tenant_id = $1 AND agent = $2",
        transaction.tenant().uuid(),
        agent
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}

/// Forgets every session: how many those were.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_sessions WHERE tenant_id = $1",
        transaction.tenant().uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}
