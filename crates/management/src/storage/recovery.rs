//! Recovery by contacts, as far as the platform knows of it.

use protocol::{Millis, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{StorageError, TenantTransaction};
use crate::access::SignedIn;
use crate::ids::RecoveryRequestId;
use crate::limits;

/// Whom the person's recovery asks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contacts {
    pub contacts: Vec<UserId>,
    pub threshold: i16,
    pub wait_ms: i64,
    /// When they were chosen, by their owner's vault.
    pub made: Millis,
}

/// Why a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The vault was opened with it, or another one takes its place.
    Done,
    /// Its owner says that it is not theirs.
    Stopped,
}

/// A request that is open.
#[derive(Debug)]
pub(crate) struct Request {
    pub id: RecoveryRequestId,
    pub user: UserId,
    pub user_name: String,
    pub request: Vec<u8>,
    pub created_at: OffsetDateTime,
    /// By the person who looks, where they are a contact.
    pub released: bool,
}

/// What a contact released.
#[derive(Debug)]
pub(crate) struct Release {
    pub contact: UserId,
    pub sealed: Vec<u8>,
}

/// Remembers whom the person's recovery asks; false if a list is known already that was not made before this one.
pub(crate) async fn put_contacts(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    contacts: &Contacts,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let users: Vec<Uuid> = contacts.contacts.iter().map(|user| user.uuid()).collect();
    let written = sqlx::query!(
        "INSERT INTO recoveries AS r (tenant_id, user_id, contacts, threshold, wait_ms, made, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET contacts = $3, threshold = $4, wait_ms = $5, made = $6, updated_at = $7
         WHERE r.made < $6",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        &users,
        contacts.threshold,
        contacts.wait_ms,
        contacts.made,
        now
    );
    Ok(written.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Forgets whom the person's recovery asks.
pub(crate) async fn forget_contacts(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE recoveries SET contacts = '{}', threshold = 0, wait_ms = 0, made = 0, updated_at = $3 WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Whom the person's recovery asks.
pub(crate) async fn contacts(transaction: &mut TenantTransaction, person: &SignedIn) -> Result<Contacts, StorageError> {
    let row = sqlx::query!(
        "SELECT contacts, threshold, wait_ms, made FROM recoveries WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        person.session().user.uuid()
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map_or_else(Contacts::default, |row| Contacts {
        contacts: row.contacts.into_iter().map(UserId::from).collect(),
        threshold: row.threshold,
        wait_ms: row.wait_ms,
        made: row.made,
    }))
}

/// Ends the person's open request; false if there is none.
pub(crate) async fn end(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    end: End,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let ended = sqlx::query!(
        "UPDATE recovery_requests SET ended_at = $3, stopped = $4 WHERE tenant_id = $1 AND user_id = $2 AND ended_at IS NULL",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        now,
        end == End::Stopped
    );
    Ok(ended.execute(&mut **transaction).await?.rows_affected() > 0)
}

/// The person's requests that they have stopped, for as long as a request may be answered.
pub(crate) async fn stopped(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    since: OffsetDateTime,
) -> Result<Vec<Vec<u8>>, StorageError> {
    let stopped = sqlx::query_scalar!(
        "SELECT request FROM recovery_requests WHERE tenant_id = $1 AND user_id = $2 AND stopped AND ended_at > $3
         ORDER BY ended_at DESC LIMIT $4",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        since,
        limits::RECOVERY_STOPS
    );
    Ok(stopped.fetch_all(&mut **transaction).await?)
}

/// Opens a request of the person's, in place of one that is open.
pub(crate) async fn open(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    request: &[u8],
    now: OffsetDateTime,
) -> Result<RecoveryRequestId, StorageError> {
    end(transaction, person, End::Done, now).await?;
    let id = RecoveryRequestId::new();
    sqlx::query!(
        "INSERT INTO recovery_requests (tenant_id, id, user_id, request, created_at) VALUES ($1, $2, $3, $4, $5)",
        transaction.tenant().uuid(),
        id.uuid(),
        person.session().user.uuid(),
        request,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(id)
}

/// Open requests younger than `since`: the person's own, and those in which they are a contact.
pub(crate) async fn requests(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    since: OffsetDateTime,
) -> Result<Vec<Request>, StorageError> {
    let rows = sqlx::query!(
        r#"SELECT q.id, q.user_id, u.name, q.request, q.created_at,
            EXISTS (SELECT FROM recovery_releases l WHERE l.tenant_id = q.tenant_id AND l.request_id = q.id
                AND l.contact_id = $2) AS "released!"
         FROM recovery_requests q JOIN users u ON u.tenant_id = q.tenant_id AND u.id = q.user_id
         LEFT JOIN recoveries r ON r.tenant_id = q.tenant_id AND r.user_id = q.user_id
         WHERE q.tenant_id = $1 AND q.ended_at IS NULL AND q.created_at > $3
            AND (q.user_id = $2 OR $2 = ANY(r.contacts)) ORDER BY q.created_at LIMIT 100"#,
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        since
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| Request {
            id: row.id.into(),
            user: row.user_id.into(),
            user_name: row.name,
            request: row.request,
            created_at: row.created_at,
            released: row.released,
        })
        .collect())
}

/// What contacts released for the person's own request.
pub(crate) async fn releases(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    request: RecoveryRequestId,
) -> Result<Vec<Release>, StorageError> {
    let rows = sqlx::query!(
        "SELECT l.contact_id, l.sealed FROM recovery_releases l
         JOIN recovery_requests q ON q.tenant_id = l.tenant_id AND q.id = l.request_id
         WHERE l.tenant_id = $1 AND l.request_id = $2 AND q.user_id = $3 ORDER BY l.created_at LIMIT 15",
        transaction.tenant().uuid(),
        request.uuid(),
        person.session().user.uuid()
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| Release {
            contact: row.contact_id.into(),
            sealed: row.sealed,
        })
        .collect())
}

/// Keeps what a contact released. False when they see no such open request as a contact.
pub(crate) async fn release(
    transaction: &mut TenantTransaction,
    contact: &SignedIn,
    request: RecoveryRequestId,
    sealed: &[u8],
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let done = sqlx::query!(
        "INSERT INTO recovery_releases (tenant_id, request_id, contact_id, sealed, created_at)
         SELECT q.tenant_id, q.id, $3, $4, $5 FROM recovery_requests q
         JOIN recoveries r ON r.tenant_id = q.tenant_id AND r.user_id = q.user_id
         WHERE q.tenant_id = $1 AND q.id = $2 AND q.ended_at IS NULL AND $3 = ANY(r.contacts)
         ON CONFLICT (tenant_id, request_id, contact_id) DO UPDATE SET sealed = $4, created_at = $5",
        transaction.tenant().uuid(),
        request.uuid(),
        contact.session().user.uuid(),
        sealed,
        now
    );
    Ok(done.execute(&mut **transaction).await?.rows_affected() == 1)
}
