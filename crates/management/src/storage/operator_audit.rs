//! The operator's own chain. What is in it is added here and changed nowhere.

use protocol::{ApprovalId, TenantId};
use sqlx::PgConnection;

use super::StorageError;
use super::audit::{Checkpoint, CheckpointRow, Head, Row, Stored, hash};

struct HeadRow {
    seq: i64,
    hash: Vec<u8>,
    unsigned: i64,
}

impl HeadRow {
    fn read(self) -> Result<(Head, i64), StorageError> {
        let (seq, hash) = (self.seq, hash(self.hash)?);
        Ok((Head { seq, hash }, self.unsigned))
    }
}

/// The end of the chain, locked until the transaction ends, and up to which event it was written before it was signed.
pub(crate) async fn lock_head(connection: &mut PgConnection) -> Result<(Head, i64), StorageError> {
    let row = sqlx::query_as!(HeadRow, "SELECT seq, hash, unsigned FROM operator_head FOR UPDATE");
    row.fetch_one(connection).await?.read()
}

/// Where the chain ends now, and up to which event it was written before it was signed.
pub(crate) async fn head(connection: &mut PgConnection) -> Result<(Head, i64), StorageError> {
    let row = sqlx::query_as!(HeadRow, "SELECT seq, hash, unsigned FROM operator_head");
    row.fetch_one(connection).await?.read()
}

/// Keeps a signature over a place of the chain.
pub(crate) async fn add_checkpoint(connection: &mut PgConnection, checkpoint: &Checkpoint) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO operator_checkpoints (seq, hash, at, signature) VALUES ($1, $2, $3, $4)",
        checkpoint.seq,
        checkpoint.hash.as_slice(),
        checkpoint.at,
        checkpoint.signature.as_slice()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Signatures over places of the chain, after one and up to one.
pub(crate) async fn checkpoints(
    connection: &mut PgConnection,
    after: i64,
    up_to: i64,
) -> Result<Vec<Checkpoint>, StorageError> {
    let rows = sqlx::query_as!(
        CheckpointRow,
        "SELECT seq, hash, at, signature FROM operator_checkpoints WHERE seq > $1 AND seq <= $2 ORDER BY seq",
        after,
        up_to
    );
    let rows = rows.fetch_all(connection).await?;
    rows.into_iter().map(Checkpoint::try_from).collect()
}

/// Adds an event after the locked end.
pub(crate) async fn append(connection: &mut PgConnection, head: Head, body: &str) -> Result<(), StorageError> {
    sqlx::query!(
        "WITH added AS (INSERT INTO operator_events (seq, body, hash) VALUES ($1, $2, $3))
         UPDATE operator_head SET seq = $1, hash = $3",
        head.seq,
        body,
        head.hash.as_slice()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest events, before one, whose action begins so and that have this text anywhere.
pub(crate) async fn find(
    connection: &mut PgConnection,
    before: Option<i64>,
    action: Option<&str>,
    text: Option<&str>,
    limit: i64,
) -> Result<Vec<Stored>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT seq, body, hash FROM operator_events
         WHERE ($1::bigint IS NULL OR seq < $1) AND ($2::text IS NULL OR starts_with(action, $2))
            AND ($3::text IS NULL OR position(lower($3) IN lower(body)) > 0)
         ORDER BY seq DESC LIMIT $4",
        before,
        action,
        text,
        limit
    );
    let rows = rows.fetch_all(connection).await?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// Whether it is written down that this tenant of the tenant API has answered this request of its agent's.
pub(crate) async fn is_answered(
    connection: &mut PgConnection,
    tenant: TenantId,
    approval: ApprovalId,
) -> Result<bool, StorageError> {
    let known = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM operator_events WHERE action = 'api_tenant.approval_answered'
            AND body::jsonb #>> '{target,id}' = $1 AND body::jsonb #>> '{actor,id}' = $2) AS "known!""#,
        approval.to_string(),
        tenant.to_string()
    );
    Ok(known.fetch_one(connection).await?)
}

/// Events in their order, after one and up to one.
pub(crate) async fn in_order(
    connection: &mut PgConnection,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<Stored>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT seq, body, hash FROM operator_events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
        after,
        up_to,
        limit
    );
    let rows = rows.fetch_all(connection).await?;
    rows.into_iter().map(Stored::try_from).collect()
}
