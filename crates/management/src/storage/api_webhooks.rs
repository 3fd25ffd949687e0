//! Webhooks of the tenant API's tenants, and what waits for them in the queue of what leaves.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{StorageError, TenantTransaction, deliveries};
use crate::custody::Sealed;
use crate::delivery::NewHook;
use crate::limits;
use crate::tenant_api::EventKind;

/// A webhook as it is stored.
pub(crate) struct Webhook {
    pub id: Uuid,
    pub host: String,
    pub events: Vec<EventKind>,
    pub sealed: Sealed,
    pub created_at: OffsetDateTime,
    pub last_sent_at: Option<OffsetDateTime>,
    pub last_failed_at: Option<OffsetDateTime>,
    /// Empty when the last delivery was taken.
    pub last_problem: String,
    pub waiting: i64,
    pub given_up: i64,
}

/// The tenant's, oldest first.
pub(crate) async fn list(transaction: &mut TenantTransaction) -> Result<Vec<Webhook>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT id, host, events, key_id, sealed, created_at, last_sent_at, last_failed_at, last_problem, given_up,
            (SELECT count(*) FROM deliveries d WHERE d.tenant_id = w.tenant_id AND d.webhook_id = w.id) AS "waiting!"
         FROM api_webhooks w WHERE tenant_id = $1 ORDER BY created_at, id"#,
        transaction.tenant().uuid()
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Webhook {
                id: row.id,
                host: row.host,
                events: row
                    .events
                    .iter()
                    .map(|event| EventKind::stored(event))
                    .collect::<Result<_, _>>()?,
                sealed: Sealed {
                    key_id: row.key_id,
                    bytes: row.sealed,
                },
                created_at: row.created_at,
                last_sent_at: row.last_sent_at,
                last_failed_at: row.last_failed_at,
                last_problem: row.last_problem,
                waiting: row.waiting,
                given_up: row.given_up,
            })
        })
        .collect()
}

/// One of the tenant's.
pub(crate) async fn find(transaction: &mut TenantTransaction, id: Uuid) -> Result<Option<Webhook>, StorageError> {
    Ok(list(transaction).await?.into_iter().find(|each| each.id == id))
}

/// Adds one; false if there are too many. The tenant's row is locked by whoever calls this.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    new: &NewHook,
    events: &[EventKind],
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let events: Vec<String> = events.iter().map(|event| event.as_str().to_owned()).collect();
    let created = sqlx::query!(
        "INSERT INTO api_webhooks (id, tenant_id, host, events, key_id, sealed, created_at)
         SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM api_webhooks WHERE tenant_id = $2) < $8",
        new.id,
        transaction.tenant().uuid(),
        new.host,
        &events,
        new.sealed.key_id,
        new.sealed.bytes,
        now,
        limits::TENANT_WEBHOOKS
    );
    Ok(created.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Ends one, with what waits for it; false if there is no such one.
pub(crate) async fn remove(transaction: &mut TenantTransaction, id: Uuid) -> Result<bool, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_webhooks WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Ends every one, with what waits: how many those were.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_webhooks WHERE tenant_id = $1",
        transaction.tenant().uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}

/// Those that want to be told of this. They stay until the transaction ends.
pub(crate) async fn wanting(transaction: &mut TenantTransaction, event: EventKind) -> Result<Vec<Uuid>, StorageError> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM api_webhooks WHERE tenant_id = $1 AND $2 = ANY (events) ORDER BY id FOR KEY SHARE",
        transaction.tenant().uuid(),
        event.as_str()
    );
    Ok(ids.fetch_all(&mut **transaction).await?)
}

/// Puts something that one is told into the queue, if it is not there already.
pub(crate) async fn enqueue(
    transaction: &mut TenantTransaction,
    webhook: Uuid,
    id: Uuid,
    body: &str,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO deliveries (id, tenant_id, webhook_id, notice, created_at, due_at) VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (id) DO NOTHING",
        id,
        transaction.tenant().uuid(),
        webhook,
        body,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// It took something.
pub(crate) async fn arrived(
    transaction: &mut TenantTransaction,
    id: Uuid,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_webhooks SET last_sent_at = $3, last_problem = '' WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// It did not take something, which with `given_up` is not tried again.
pub(crate) async fn not_arrived(
    transaction: &mut TenantTransaction,
    id: Uuid,
    problem: &str,
    given_up: bool,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let problem = deliveries::kept(problem);
    sqlx::query!(
        "UPDATE api_webhooks SET last_failed_at = $3, last_problem = $4, given_up = given_up + $5::bigint
         WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id,
        now,
        problem,
        i64::from(given_up)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Those that another key than this one seals, locked.
pub(crate) async fn sealed_before(
    transaction: &mut TenantTransaction,
    key: i32,
) -> Result<Vec<(Uuid, Sealed)>, StorageError> {
    let rows = sqlx::query!(
        "SELECT id, key_id, sealed FROM api_webhooks WHERE tenant_id = $1 AND key_id < $2 FOR UPDATE",
        transaction.tenant().uuid(),
        key
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let sealed = Sealed {
                key_id: row.key_id,
                bytes: row.sealed,
            };
            (row.id, sealed)
        })
        .collect())
}

/// The same webhook, sealed again.
pub(crate) async fn replace(
    transaction: &mut TenantTransaction,
    id: Uuid,
    sealed: &Sealed,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_webhooks SET key_id = $3, sealed = $4 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id,
        sealed.key_id,
        sealed.bytes
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
