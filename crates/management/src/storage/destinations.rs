//! Where an organisation's alerts and audit events go besides mailboxes.

use time::OffsetDateTime;

use super::{StorageError, TenantTransaction, audit, deliveries};
use crate::access::{FreshManager, Manager};
use crate::delivery::{Kind, NewDestination};
use crate::ids::DestinationId;
use crate::limits;
use crate::person::Name;

/// A destination, with how it is reached as it is kept.
pub(crate) struct Destination {
    pub id: DestinationId,
    pub kind: Kind,
    pub name: String,
    pub host: String,
    pub sealed: Vec<u8>,
    /// The last audit event that it took, if it gets any.
    pub streamed_to: Option<i64>,
    pub last_sent_at: Option<OffsetDateTime>,
    pub last_failed_at: Option<OffsetDateTime>,
    pub last_problem: String,
    /// Deliveries that wait for it.
    pub waiting: i64,
    /// Deliveries that were given up, a piece of its stream among them or not.
    pub given_up: i64,
    pub stream_stands: bool,
}

/// Every destination, oldest first.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    _manager: &Manager,
) -> Result<Vec<Destination>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT t.id, t.kind, t.name, t.host, t.sealed, t.streamed_to, t.last_sent_at, t.last_failed_at, t.last_problem,
            count(d.id) FILTER (WHERE d.failed_at IS NULL) AS "waiting!",
            count(d.id) FILTER (WHERE d.failed_at IS NOT NULL) AS "given_up!",
            coalesce(bool_or(d.failed_at IS NOT NULL AND d.rule_id IS NULL), false) AS "stream_stands!"
         FROM destinations t LEFT JOIN deliveries d ON d.tenant_id = t.tenant_id AND d.destination_id = t.id
         WHERE t.tenant_id = $1 GROUP BY t.id ORDER BY t.created_at, t.id"#,
        transaction.tenant().uuid()
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Destination {
                id: row.id.into(),
                kind: Kind::stored(&row.kind)?,
                name: row.name,
                host: row.host,
                sealed: row.sealed,
                streamed_to: row.streamed_to,
                last_sent_at: row.last_sent_at,
                last_failed_at: row.last_failed_at,
                last_problem: row.last_problem,
                waiting: row.waiting,
                given_up: row.given_up,
                stream_stands: row.stream_stands,
            })
        })
        .collect()
}

/// One of the organisation's, for those who manage it.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    manager: &Manager,
    id: DestinationId,
) -> Result<Option<Destination>, StorageError> {
    let all = list(transaction, manager).await?;
    Ok(all.into_iter().find(|each| each.id == id))
}

/// Adds one; false if there are too many.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    new: &NewDestination,
    name: &Name,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let created = sqlx::query!(
        "INSERT INTO destinations (id, tenant_id, kind, name, host, sealed, created_at)
         SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM destinations WHERE tenant_id = $2) < $8",
        new.id.uuid(),
        transaction.tenant().uuid(),
        new.kind.as_str(),
        name.as_str(),
        new.host,
        new.sealed,
        now,
        limits::DESTINATIONS
    );
    Ok(created.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Ends one, with the alerts that go there and what waits; its name, or `None` if there is no such one.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    id: DestinationId,
) -> Result<Option<String>, StorageError> {
    // In the order of whoever adds an event and with it to a stream.
    audit::lock_head(transaction).await?;
    let removed = sqlx::query_scalar!(
        "DELETE FROM destinations WHERE tenant_id = $1 AND id = $2 RETURNING name",
        transaction.tenant().uuid(),
        id.uuid()
    );
    Ok(removed.fetch_optional(&mut **transaction).await?)
}

/// Has the audit events from now on sent there, or no more; the name, or `None` if there is no such one.
pub(crate) async fn stream(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    id: DestinationId,
    on: bool,
) -> Result<Option<String>, StorageError> {
    let head = audit::lock_head(transaction).await?;
    let tenant = transaction.tenant().uuid();
    let changed = sqlx::query_scalar!(
        "UPDATE destinations SET streamed_to = CASE WHEN $3 THEN coalesce(streamed_to, $4) END
         WHERE tenant_id = $1 AND id = $2 RETURNING name",
        tenant,
        id.uuid(),
        on,
        head.seq
    );
    let name = changed.fetch_optional(&mut **transaction).await?;
    if !on {
        sqlx::query!(
            "DELETE FROM deliveries WHERE tenant_id = $1 AND destination_id = $2 AND rule_id IS NULL",
            tenant,
            id.uuid()
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(name)
}

/// A test arrived: what is said of it from now on is that; and a stream that stood still goes on from where it stopped.
pub(crate) async fn arrived(
    transaction: &mut TenantTransaction,
    destination: &Destination,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    if destination.stream_stands {
        audit::lock_head(transaction).await?;
        let stood = sqlx::query!(
            "DELETE FROM deliveries WHERE tenant_id = $1 AND destination_id = $2 AND rule_id IS NULL
                AND failed_at IS NOT NULL",
            tenant,
            destination.id.uuid()
        );
        if stood.execute(&mut **transaction).await?.rows_affected() == 1 {
            deliveries::next_of_stream(transaction, destination.id, now).await?;
        }
    }
    sqlx::query!(
        "UPDATE destinations SET last_sent_at = $3, last_problem = '' WHERE tenant_id = $1 AND id = $2",
        tenant,
        destination.id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Something did not arrive.
pub(crate) async fn not_arrived(
    transaction: &mut TenantTransaction,
    id: DestinationId,
    problem: &str,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let problem = deliveries::kept(problem);
    sqlx::query!(
        "UPDATE destinations SET last_failed_at = $3, last_problem = $4 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid(),
        now,
        problem
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
