//! The audit chain of each tenant. What is in it is added here and changed nowhere.

use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};

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

/// The end of the tenant's chain, locked until the transaction ends, so that the next event has the next number. The lock is not held
/// while the disk writes: whatever a tenant does waits for it.
pub(crate) async fn lock_head(transaction: &mut TenantTransaction) -> Result<Head, StorageError> {
    transaction.unlocks_early();
    if let Some(head) = locked_head(transaction).await? {
        return Ok(head);
    }
    // The tenant's first event.
    sqlx::query!(
        "INSERT INTO audit_heads (tenant_id, seq, hash) VALUES ($1, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING",
        transaction.tenant().uuid()
    )
    .execute(&mut **transaction)
    .await?;
    let head = locked_head(transaction).await?;
    head.ok_or(StorageError::Unreadable("end of the audit chain"))
}

async fn locked_head(transaction: &mut TenantTransaction) -> Result<Option<Head>, StorageError> {
    let row = sqlx::query!(
        "SELECT seq, hash, set_config('synchronous_commit', 'off', true) AS commit
         FROM audit_heads WHERE tenant_id = $1 FOR UPDATE",
        transaction.tenant().uuid()
    );
    let Some(row) = row.fetch_optional(&mut **transaction).await? else {
        return Ok(None);
    };
    Ok(Some(Head {
        seq: row.seq,
        hash: hash(row.hash)?,
    }))
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

/// Adds an event after the locked end, and has it sent wherever the log goes as it happens.
pub(crate) async fn append(
    transaction: &mut TenantTransaction,
    head: Head,
    body: &str,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "WITH added AS (INSERT INTO audit_events (tenant_id, seq, body, hash) VALUES ($1, $2, $3, $4)),
            sent AS (INSERT INTO deliveries (id, tenant_id, destination_id, created_at, due_at)
                SELECT gen_random_uuid(), tenant_id, id, $5, $5 FROM destinations
                WHERE tenant_id = $1 AND streamed_to IS NOT NULL
                ON CONFLICT (tenant_id, destination_id) WHERE rule_id IS NULL DO NOTHING)
         UPDATE audit_heads SET seq = $2, hash = $4 WHERE tenant_id = $1",
        tenant,
        head.seq,
        body,
        head.hash.as_slice(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// A signature over a place of the chain.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub seq: i64,
    pub hash: [u8; 32],
    pub at: i64,
    pub signature: [u8; 64],
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
    let rows = sqlx::query!(
        "SELECT seq, hash, at, signature FROM audit_checkpoints WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq",
        transaction.tenant().uuid(),
        after,
        up_to
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Checkpoint {
                seq: row.seq,
                hash: hash(row.hash)?,
                at: row.at,
                signature: row
                    .signature
                    .try_into()
                    .map_err(|_| StorageError::Unreadable("signature of the audit chain"))?,
            })
        })
        .collect()
}
