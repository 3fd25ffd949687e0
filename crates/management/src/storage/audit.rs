//! The audit chain of each tenant. What is in it is added here and changed nowhere.

use protocol::TenantId;
use time::OffsetDateTime;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction};
use crate::audit::Text;
use crate::database::Database;
use crate::limits;

/// Where a chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub seq: i64,
    pub hash: [u8; 32],
}

impl Head {
    /// Before the first event.
    pub(crate) const BEGINNING: Self = Self { seq: 0, hash: [0; 32] };
}

/// The end of the tenant's chain, locked until the transaction ends: what waits is added after it.
pub(crate) async fn lock_head(transaction: &mut TenantTransaction) -> Result<Head, StorageError> {
    let row = sqlx::query!(r#"SELECT seq AS "seq!", hash AS "hash!" FROM lock_audit_head()"#);
    let row = row.fetch_one(&mut **transaction).await?;
    Ok(Head {
        seq: row.seq,
        hash: hash(row.hash)?,
    })
}

/// The end of the tenant's chain as it is now; of an empty one, the beginning.
pub(crate) async fn head(transaction: &mut TenantTransaction) -> Result<Head, StorageError> {
    let row = sqlx::query!(
        "SELECT seq, hash FROM audit_heads WHERE tenant_id = $1",
        transaction.tenant().uuid()
    );
    match row.fetch_optional(&mut **transaction).await? {
        Some(row) => Ok(Head {
            seq: row.seq,
            hash: hash(row.hash)?,
        }),
        None => Ok(Head::BEGINNING),
    }
}

/// Writes an event down, to be chained. This transaction need not be on the disk before others go on: whoever waits for it waits for the
/// one that chains its event, which comes after it in PostgreSQL's log.
pub(crate) async fn write_down(transaction: &mut TenantTransaction, text: &Text) -> Result<(), StorageError> {
    sqlx::query!(
        "WITH at_once AS (SELECT set_config('synchronous_commit', 'off', true))
         INSERT INTO audit_waiting (tenant_id, start, rest) SELECT $1, $2, $3 FROM at_once",
        transaction.tenant().uuid(),
        text.start,
        text.rest
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Adds what waits to the tenant's chain, oldest first: what was added. As long as it is as much as may be at once, there may be more.
pub(crate) async fn chain_waiting(
    transaction: &mut TenantTransaction,
    now: OffsetDateTime,
) -> Result<Vec<Stored>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT seq AS "seq!", body AS "body!", hash AS "hash!" FROM chain_audit_waiting($1, $2)"#,
        limits::AUDIT_CHAINED,
        now
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// Tenants of whose events some wait.
pub(crate) async fn waiting(database: &Database) -> Result<Vec<TenantId>, StorageError> {
    let mut transaction = looking_for_due(database, "holdfast.audit_waiting").await?;
    let tenants = sqlx::query_scalar!(
        "SELECT DISTINCT tenant_id FROM audit_waiting LIMIT $1",
        limits::CHAINS_AT_ONCE
    );
    let tenants = tenants.fetch_all(&mut *transaction).await?;
    Ok(tenants.into_iter().map(TenantId::from).collect())
}

/// A signature over a place of the chain.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub seq: i64,
    pub hash: [u8; 32],
    pub at: i64,
    pub signature: [u8; 64],
}

pub(super) struct CheckpointRow {
    pub(super) seq: i64,
    pub(super) hash: Vec<u8>,
    pub(super) at: i64,
    pub(super) signature: Vec<u8>,
}

impl TryFrom<CheckpointRow> for Checkpoint {
    type Error = StorageError;

    fn try_from(row: CheckpointRow) -> Result<Self, StorageError> {
        let signature = row.signature.try_into();
        Ok(Self {
            seq: row.seq,
            hash: hash(row.hash)?,
            at: row.at,
            signature: signature.map_err(|_| StorageError::Unreadable("signature of the audit chain"))?,
        })
    }
}

/// Keeps a signature.
pub(crate) async fn add_checkpoint(
    transaction: &mut TenantTransaction,
    checkpoint: &Checkpoint,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO audit_checkpoints (tenant_id, seq, hash, at, signature) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        transaction.tenant().uuid(),
        checkpoint.seq,
        checkpoint.hash.as_slice(),
        checkpoint.at,
        checkpoint.signature.as_slice()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(super) fn hash(bytes: Vec<u8>) -> Result<[u8; 32], StorageError> {
    bytes
        .try_into()
        .map_err(|_| StorageError::Unreadable("hash of the audit chain"))
}

/// What somebody looks for.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Events before this one.
    pub before: Option<i64>,
    /// That this person did, or that were done to them.
    pub person: Option<String>,
    /// Whose action begins so.
    pub action: Option<String>,
    pub outcome: Option<String>,
    /// From this time on, and before that one, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    pub until: Option<i64>,
    /// That have this text anywhere.
    pub text: Option<String>,
}

/// An event as it is stored.
pub(crate) struct Stored {
    pub seq: i64,
    pub body: String,
    pub hash: [u8; 32],
}

pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) body: String,
    pub(super) hash: Vec<u8>,
}

impl TryFrom<Row> for Stored {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            seq: row.seq,
            body: row.body,
            hash: hash(row.hash)?,
        })
    }
}

/// The newest events that match.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Stored>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT seq, body, hash FROM audit_events
         WHERE tenant_id = $1 AND ($2::bigint IS NULL OR seq < $2) AND ($3::text IS NULL OR actor = $3 OR target = $3)
            AND ($4::text IS NULL OR starts_with(action, $4)) AND ($5::text IS NULL OR outcome = $5)
            AND ($6::bigint IS NULL OR at >= $6) AND ($7::bigint IS NULL OR at < $7)
            AND ($8::text IS NULL OR position(lower($8) IN lower(body)) > 0)
         ORDER BY seq DESC LIMIT $9",
        transaction.tenant().uuid(),
        filter.before,
        filter.person,
        filter.action,
        filter.outcome,
        filter.since,
        filter.until,
        filter.text,
        limit
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// Events in their order, after one and up to one.
pub(crate) async fn in_order(
    transaction: &mut TenantTransaction,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<Stored>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT seq, body, hash FROM audit_events WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4",
        transaction.tenant().uuid(),
        after,
        up_to,
        limit
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// Signatures over places of the chain, after one and up to one.
pub(crate) async fn checkpoints(
    transaction: &mut TenantTransaction,
    after: i64,
    up_to: i64,
) -> Result<Vec<Checkpoint>, StorageError> {
    let rows = sqlx::query_as!(
        CheckpointRow,
        "SELECT seq, hash, at, signature FROM audit_checkpoints WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq",
        transaction.tenant().uuid(),
        after,
        up_to
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter().map(Checkpoint::try_from).collect()
}
