//! Whose mailbox at the relay is whose, and that something waits in one for a vault that is locked.

use protocol::relay::MailboxKey;
use protocol::{CellId, TenantId, UserId};
use time::OffsetDateTime;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction, push_devices};
use crate::access::SignedIn;
use crate::clock::before;
use crate::database::Database;
use crate::limits;
use crate::person::Email;

/// The setting under which mailboxes of every tenant are seen.
const EVERY_TENANT: &str = "holdfast.mailboxes";

/// This cell's keeper has shown that the mailbox is its own, and fetches: nothing waits any more. A cell that is nobody's is not kept.
pub(crate) async fn opened(
    transaction: &mut TenantTransaction,
    cell: CellId,
    mailbox: &MailboxKey,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "INSERT INTO mailboxes (tenant_id, user_id, mailbox, opened_at)
         SELECT tenant_id, user_id, $3, $4 FROM cells WHERE tenant_id = $1 AND id = $2
         ON CONFLICT (tenant_id, user_id) DO UPDATE
         SET mailbox = EXCLUDED.mailbox, opened_at = EXCLUDED.opened_at, waiting_since = NULL, waiting_seen_at = NULL",
        transaction.tenant().uuid(),
        cell.uuid(),
        mailbox.0.as_slice(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO mailboxes_shown (tenant_id, user_id, mailbox, shown_at)
         SELECT tenant_id, user_id, $3, $4 FROM cells WHERE tenant_id = $1 AND id = $2
         ON CONFLICT (tenant_id, mailbox, user_id) DO UPDATE SET shown_at = EXCLUDED.shown_at",
        transaction.tenant().uuid(),
        cell.uuid(),
        mailbox.0.as_slice(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Whether whoever of the tenant last showed that it is theirs is let in; nobody who has is nobody who is not.
pub(crate) async fn stands(transaction: &mut TenantTransaction, mailbox: &MailboxKey) -> Result<bool, StorageError> {
    let stands = sqlx::query_scalar!(
        r#"SELECT u.deactivated_at IS NULL AS "stands!" FROM mailboxes_shown s
         JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
         WHERE s.tenant_id = $1 AND s.mailbox = $2 ORDER BY s.shown_at DESC LIMIT 1"#,
        transaction.tenant().uuid(),
        mailbox.0.as_slice()
    );
    Ok(stands.fetch_optional(&mut **transaction).await?.unwrap_or(true))
}

/// Whose it is: of whoever last showed that it is theirs.
pub(crate) async fn owner(
    database: &Database,
    mailbox: &MailboxKey,
) -> Result<Option<(TenantId, UserId)>, StorageError> {
    let mut transaction = looking_for_due(database, EVERY_TENANT).await?;
    let row = sqlx::query!(
        "SELECT tenant_id, user_id FROM mailboxes WHERE mailbox = $1 ORDER BY opened_at DESC LIMIT 1",
        mailbox.0.as_slice()
    )
    .fetch_optional(&mut *transaction)
    .await?;
    Ok(row.map(|row| (row.tenant_id.into(), row.user_id.into())))
}

/// Something waits in it: its owner's devices are told in a moment. Nothing is kept of people who are suspended, or whose organisation
/// does not want it.
pub(crate) async fn something_waits(
    transaction: &mut TenantTransaction,
    owner: UserId,
    mailbox: &MailboxKey,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let noted = sqlx::query_scalar!(
        r#"UPDATE mailboxes m SET waiting_since = coalesce(m.waiting_since, $4), waiting_seen_at = $4
         FROM users u, tenants t
         WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.mailbox = $3
            AND u.tenant_id = m.tenant_id AND u.id = m.user_id AND u.deactivated_at IS NULL AND u.kind = 'person'
            AND t.id = m.tenant_id AND t.told_of_requests
         RETURNING m.waiting_since = $4 AS "begins!""#,
        transaction.tenant().uuid(),
        owner.uuid(),
        mailbox.0.as_slice(),
        now
    );
    if let Some(begins) = noted.fetch_optional(&mut **transaction).await? {
        push_devices::wake(transaction, owner, begins, limits::REQUEST_MAIL_EVERY, now).await?;
    }
    Ok(())
}

/// Whether something waits for the person's vault, as far as is known here.
pub(crate) async fn waits(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let waits = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM mailboxes WHERE tenant_id = $1 AND user_id = $2 AND waiting_seen_at > $3) AS "waits!""#,
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        before(now, limits::REQUEST_NOTICE_LIFE)
    );
    Ok(waits.fetch_one(&mut **transaction).await?)
}

/// The organisation wants nobody to be told: what is known is forgotten.
pub(crate) async fn forget(transaction: &mut TenantTransaction) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE mailboxes SET waiting_since = NULL, waiting_seen_at = NULL WHERE tenant_id = $1 AND waiting_since IS NOT NULL",
        transaction.tenant().uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Somebody is removed, and their mailbox is nobody's; that it was theirs stays known.
pub(super) async fn remove(transaction: &mut TenantTransaction, user: UserId) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM mailboxes WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Owners, of every organisation, who are to be told by mail now: something has waited for a while, they were told of nothing for a
/// day, and of this not at all.
pub(crate) async fn to_tell(database: &Database, now: OffsetDateTime) -> Result<Vec<(TenantId, UserId)>, StorageError> {
    let mut transaction = looking_for_due(database, EVERY_TENANT).await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, user_id FROM mailboxes
         WHERE waiting_since <= $1 AND waiting_seen_at > $2 AND (told_at IS NULL OR told_at <= $3 AND waiting_seen_at > told_at)
            AND (try_at IS NULL OR try_at <= $4)
         ORDER BY waiting_since LIMIT $5",
        before(now, limits::REQUEST_PATIENCE),
        before(now, limits::REQUEST_NOTICE_LIFE),
        before(now, limits::REQUEST_MAIL_EVERY),
        now,
        limits::REQUEST_MAILS_AT_ONCE
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.tenant_id.into(), row.user_id.into()))
        .collect())
}

/// Takes one of them in hand until `again`, and says where they get mail. None: another server has them in hand, or they have come
/// meanwhile, or are not told.
pub(crate) async fn take(
    transaction: &mut TenantTransaction,
    owner: UserId,
    now: OffsetDateTime,
    again: OffsetDateTime,
) -> Result<Option<Email>, StorageError> {
    let (tenant, user) = (transaction.tenant().uuid(), owner.uuid());
    let taken = sqlx::query!(
        "UPDATE mailboxes SET try_at = $4
         WHERE tenant_id = $1 AND user_id = $2 AND waiting_since IS NOT NULL AND (try_at IS NULL OR try_at <= $3)",
        tenant,
        user,
        now,
        again
    );
    if taken.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let email = sqlx::query_scalar!(
        "SELECT u.email FROM users u JOIN tenants t ON t.id = u.tenant_id
         WHERE u.tenant_id = $1 AND u.id = $2 AND u.deactivated_at IS NULL AND u.kind = 'person' AND t.told_of_requests",
        tenant,
        user
    );
    let email = email.fetch_optional(&mut **transaction).await?;
    Ok(email.and_then(|email| Email::parse(&email).ok()))
}

/// They were told.
pub(crate) async fn told(
    transaction: &mut TenantTransaction,
    owner: UserId,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE mailboxes SET told_at = $3, try_at = NULL WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        owner.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
