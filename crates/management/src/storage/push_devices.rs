//! Devices that are told by Web Push that something waits for their person.

use std::time::Duration;

use protocol::{SessionId, UserId};
use time::OffsetDateTime;

use super::interval::interval;
use super::{StorageError, TenantTransaction};
use crate::access::SignedIn;
use crate::clock::{after, before};
use crate::ids::PushDeviceId;
use crate::limits;

/// A device as its person sees it.
pub(crate) struct PushDevice {
    pub id: PushDeviceId,
    pub name: String,
    pub created_at: OffsetDateTime,
    pub last_told_at: Option<OffsetDateTime>,
}

/// One's own devices, the newest first.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
) -> Result<Vec<PushDevice>, StorageError> {
    let rows = sqlx::query_as!(
        PushDevice,
        "SELECT id, name, created_at, last_told_at FROM push_devices WHERE tenant_id = $1 AND user_id = $2
         ORDER BY created_at DESC, id DESC",
        transaction.tenant().uuid(),
        person.session().user.uuid()
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// Adds a device in the person's session; false if they have as many as there may be.
pub(crate) async fn add(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: PushDeviceId,
    sealed: &[u8],
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let (tenant, session) = (transaction.tenant().uuid(), person.session());
    // Two at the same time count one after the other.
    sqlx::query!(
        "SELECT FROM users WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        session.user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    let added = sqlx::query!(
        "INSERT INTO push_devices (id, tenant_id, user_id, session_id, name, sealed, created_at)
         SELECT $1, $2, $3, $4, $5, $6, $7
         WHERE (SELECT count(*) FROM push_devices WHERE tenant_id = $2 AND user_id = $3) < $8",
        id.uuid(),
        tenant,
        session.user.uuid(),
        session.id.uuid(),
        person.client().device,
        sealed,
        now,
        limits::PUSH_DEVICES
    );
    Ok(added.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// One's own device is in use in this session, and is reached there from now on; false if there is none.
pub(crate) async fn renew(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: PushDeviceId,
    sealed: &[u8],
) -> Result<bool, StorageError> {
    let renewed = sqlx::query!(
        "UPDATE push_devices SET session_id = $4, sealed = $5 WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        id.uuid(),
        person.session().id.uuid(),
        sealed
    );
    Ok(renewed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Takes one's own device away: its name, or `None` if there is none.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: PushDeviceId,
) -> Result<Option<String>, StorageError> {
    let name = sqlx::query_scalar!(
        "DELETE FROM push_devices WHERE tenant_id = $1 AND user_id = $2 AND id = $3 RETURNING name",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        id.uuid()
    );
    Ok(name.fetch_optional(&mut **transaction).await?)
}

/// Somebody ended this session.
pub(super) async fn remove_of_session(
    transaction: &mut TenantTransaction,
    session: SessionId,
) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM push_devices WHERE tenant_id = $1 AND session_id = $2",
        transaction.tenant().uuid(),
        session.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Somebody ended every session of a person but, perhaps, one.
pub(super) async fn remove_all(
    transaction: &mut TenantTransaction,
    user: UserId,
    but: Option<SessionId>,
) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM push_devices WHERE tenant_id = $1 AND user_id = $2 AND ($3::uuid IS NULL OR session_id <> $3)",
        transaction.tenant().uuid(),
        user.uuid(),
        but.map(SessionId::uuid)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Has the person's devices woken in a moment: all of them where something begins to wait, else those that were told of nothing for so
/// long. One that is about to be woken is not woken twice.
pub(super) async fn wake(
    transaction: &mut TenantTransaction,
    user: UserId,
    begins: bool,
    again: Duration,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    // Locked, so that one that is removed at this moment is passed over, and what waits is kept all the same.
    sqlx::query!(
        "INSERT INTO deliveries (id, tenant_id, push_device_id, created_at, due_at)
         SELECT gen_random_uuid(), tenant_id, id, $3, greatest($4, last_told_at + $5::interval) FROM push_devices
         WHERE tenant_id = $1 AND user_id = $2 AND ($6 OR last_told_at IS NULL OR last_told_at <= $7)
         FOR KEY SHARE
         ON CONFLICT (tenant_id, push_device_id) WHERE push_device_id IS NOT NULL DO NOTHING",
        transaction.tenant().uuid(),
        user.uuid(),
        now,
        after(now, limits::PUSH_PATIENCE),
        interval(limits::PUSH_BETWEEN),
        begins,
        before(now, again)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Whether anything waits for the person of this device now.
pub(crate) async fn something_waits(
    transaction: &mut TenantTransaction,
    id: PushDeviceId,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let waits = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM push_devices p WHERE p.tenant_id = $1 AND p.id = $2 AND (
            EXISTS (SELECT FROM approval_notices n WHERE n.tenant_id = $1 AND n.user_id = p.user_id AND n.waiting_since IS NOT NULL
                AND n.ends_at > $3)
            OR EXISTS (SELECT FROM mailboxes m WHERE m.tenant_id = $1 AND m.user_id = p.user_id AND m.waiting_seen_at > $4))) AS "waits!""#,
        transaction.tenant().uuid(),
        id.uuid(),
        now,
        before(now, limits::REQUEST_NOTICE_LIFE)
    );
    Ok(waits.fetch_one(&mut **transaction).await?)
}

/// It was told.
pub(super) async fn told(
    transaction: &mut TenantTransaction,
    id: PushDeviceId,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE push_devices SET last_told_at = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Its push service knows it no more.
pub(crate) async fn gone(transaction: &mut TenantTransaction, id: PushDeviceId) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM push_devices WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
