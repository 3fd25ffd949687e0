//! The names that a developer gives conversations, and which conversation of the keeper's each is. No word of one is here.

use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};

/// A session of a tenant.
#[derive(Debug, Clone)]
pub(crate) struct ApiSession {
    pub id: String,
    pub conversation: String,
    pub created_at: OffsetDateTime,
    pub used_at: OffsetDateTime,
}

/// The session of this name.
pub(crate) async fn find(transaction: &mut TenantTransaction, id: &str) -> Result<Option<ApiSession>, StorageError> {
    let row = sqlx::query_as!(
        ApiSession,
        "SELECT id, conversation, created_at, used_at FROM api_sessions WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id
    );
    Ok(row.fetch_optional(&mut **transaction).await?)
}

/// Names a conversation; the one that has the name, if another request was faster.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    id: &str,
    conversation: &str,
    now: OffsetDateTime,
) -> Result<String, StorageError> {
    let named = sqlx::query_scalar!(
        "INSERT INTO api_sessions (tenant_id, id, conversation, created_at, used_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (tenant_id, id) DO UPDATE SET used_at = greatest(api_sessions.used_at, excluded.used_at)
         RETURNING conversation",
        transaction.tenant().uuid(),
        id,
        conversation,
        now
    );
    Ok(named.fetch_one(&mut **transaction).await?)
}

/// Notes that a session was used.
pub(crate) async fn touch(
    transaction: &mut TenantTransaction,
    id: &str,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_sessions SET used_at = greatest(used_at, $3) WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Sessions by name, after one of them.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<ApiSession>, StorageError> {
    let rows = sqlx::query_as!(
        ApiSession,
        r#"SELECT id, conversation, created_at, used_at FROM api_sessions
         WHERE tenant_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3"#,
        transaction.tenant().uuid(),
        after,
        most
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// These conversations, each with its session's name.
pub(crate) async fn names(
    transaction: &mut TenantTransaction,
    conversations: &[String],
) -> Result<Vec<(String, String)>, StorageError> {
    let rows = sqlx::query!(
        "SELECT conversation, id FROM api_sessions WHERE tenant_id = $1 AND conversation = ANY($2)",
        transaction.tenant().uuid(),
        conversations
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows.into_iter().map(|row| (row.conversation, row.id)).collect())
}

/// Forgets a session; `false` if there is none of this name.
pub(crate) async fn remove(transaction: &mut TenantTransaction, id: &str) -> Result<bool, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_sessions WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Forgets every session: how many those were.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_sessions WHERE tenant_id = $1",
        transaction.tenant().uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}
