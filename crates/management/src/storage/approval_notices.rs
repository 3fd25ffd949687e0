//! That something waits for somebody while they are not there, of which kinds, and whether they were told: that alone.

use protocol::control::NoticeKind;
use protocol::{CellId, TenantId, UserId};
use time::OffsetDateTime;

use super::transaction::looking_for_due;
use super::{StorageError, TenantTransaction, push_devices};
use crate::clock::before;
use crate::database::Database;
use crate::limits;
use crate::person::Email;

/// The setting under which those of every tenant are seen.
const EVERY_TENANT: &str = "holdfast.approval_notices";

/// Whose a cell is.
pub(crate) struct Owner {
    pub user: UserId,
    pub name: String,
    pub suspended: bool,
    /// Until when what they were last alarmed by is told of.
    pub alarmed_until: Option<OffsetDateTime>,
    /// When the last week ends of which they had a mail.
    pub week_told: Option<OffsetDateTime>,
}

/// The owner of this cell: none where it is nobody's.
pub(crate) async fn owner_of(transaction: &mut TenantTransaction, cell: CellId) -> Result<Option<Owner>, StorageError> {
    let row = sqlx::query!(
        r#"SELECT u.id, u.name, u.deactivated_at IS NOT NULL AS "suspended!", n.alarmed_until AS "alarmed_until?",
            n.week_told AS "week_told?" FROM cells c
         JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.user_id
         LEFT JOIN approval_notices n ON n.tenant_id = c.tenant_id AND n.user_id = c.user_id
         WHERE c.tenant_id = $1 AND c.id = $2 AND u.kind = 'person'"#,
        transaction.tenant().uuid(),
        cell.uuid()
    )
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(row.map(|row| Owner {
        user: row.id.into(),
        name: row.name,
        suspended: row.suspended,
        alarmed_until: row.alarmed_until,
        week_told: row.week_told,
    }))
}

/// What waits for somebody.
pub(crate) struct Waiting {
    /// Of these kinds, the most pressing one first.
    pub kinds: Vec<NoticeKind>,
    /// When the last of it ends.
    pub ends_at: OffsetDateTime,
    /// Until when a new alarm among it is told of: it is not kept back because they were told of something else lately.
    pub alarmed_until: Option<OffsetDateTime>,
    /// When the week ends in which they can read of the one before.
    pub week_until: Option<OffsetDateTime>,
}

/// Something waits for this person: their devices are told in a moment, also where it is an alarm among what waits already. A week that can be
/// read waits for nothing: of it alone there is a mail, and whatever comes to it begins then.
pub(crate) async fn waits(
    transaction: &mut TenantTransaction,
    owner: UserId,
    waiting: &Waiting,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let kinds: Vec<_> = waiting.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    // What waited before and has ended is not what waits now.
    let begins = sqlx::query_scalar!(
        r#"INSERT INTO approval_notices AS n (tenant_id, user_id, waiting_since, ends_at, kinds, alarmed_until, week_until)
         VALUES ($1, $2, $4::timestamptz, $3::timestamptz, $5, $6::timestamptz, $7)
         ON CONFLICT (tenant_id, user_id) DO UPDATE
         SET waiting_since = CASE WHEN n.ends_at > $4 AND n.kinds <> '{week}' THEN n.waiting_since ELSE EXCLUDED.waiting_since END, ends_at = EXCLUDED.ends_at,
            kinds = EXCLUDED.kinds, week_until = EXCLUDED.week_until, alarmed_until = coalesce(EXCLUDED.alarmed_until, n.alarmed_until),
            told_at = CASE WHEN EXCLUDED.alarmed_until IS NULL THEN n.told_at END
         RETURNING n.waiting_since = $4 OR $6::timestamptz IS NOT NULL AS "begins!""#,
        transaction.tenant().uuid(),
        owner.uuid(),
        waiting.ends_at,
        now,
        &kinds,
        waiting.alarmed_until,
        waiting.week_until
    )
    .fetch_one(&mut **transaction)
    .await?;
    if waiting.kinds == [NoticeKind::Week] {
        return Ok(());
    }
    push_devices::wake(transaction, owner, begins, limits::APPROVAL_MAIL_EVERY, now).await
}

/// Nothing waits for the owner of this cell any more, or they are there.
pub(crate) async fn over(transaction: &mut TenantTransaction, cell: CellId) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE approval_notices n SET waiting_since = NULL, ends_at = NULL FROM cells c
         WHERE n.tenant_id = $1 AND c.tenant_id = $1 AND c.id = $2 AND n.user_id = c.user_id AND n.waiting_since IS NOT NULL",
        transaction.tenant().uuid(),
        cell.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Somebody is removed.
pub(super) async fn remove(transaction: &mut TenantTransaction, user: UserId) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM approval_notices WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// People, of every organisation, who are to be told by mail now: their agent has waited for a while, can still be answered, and they
/// were told of nothing lately.
pub(crate) async fn to_tell(database: &Database, now: OffsetDateTime) -> Result<Vec<(TenantId, UserId)>, StorageError> {
    let mut transaction = looking_for_due(database, EVERY_TENANT).await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, user_id FROM approval_notices
         WHERE waiting_since <= $1 AND ends_at > $2 AND (told_at IS NULL OR told_at <= $3) AND (try_at IS NULL OR try_at <= $2)
         ORDER BY waiting_since LIMIT $4",
        before(now, limits::APPROVAL_PATIENCE),
        now,
        before(now, limits::APPROVAL_MAIL_EVERY),
        limits::REQUEST_MAILS_AT_ONCE
    )
    .fetch_all(&mut *transaction)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.tenant_id.into(), row.user_id.into()))
        .collect())
}

/// Takes one of them in hand until `again`, and says where they get mail and of which kinds it is what waits. None: another server has them in
/// hand, or they have come meanwhile, or are suspended.
pub(crate) async fn take(
    transaction: &mut TenantTransaction,
    owner: UserId,
    now: OffsetDateTime,
    again: OffsetDateTime,
) -> Result<Option<(Email, Vec<NoticeKind>)>, StorageError> {
    let (tenant, user) = (transaction.tenant().uuid(), owner.uuid());
    let taken = sqlx::query!(
        "UPDATE approval_notices SET try_at = $4
         WHERE tenant_id = $1 AND user_id = $2 AND waiting_since IS NOT NULL AND (try_at IS NULL OR try_at <= $3)",
        tenant,
        user,
        now,
        again
    );
    if taken.execute(&mut **transaction).await?.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query!(
        "SELECT u.email, n.kinds FROM users u JOIN approval_notices n ON n.tenant_id = u.tenant_id AND n.user_id = u.id
         WHERE u.tenant_id = $1 AND u.id = $2 AND u.deactivated_at IS NULL AND u.kind = 'person'",
        tenant,
        user
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.and_then(|row| {
        let kinds = row.kinds.iter().filter_map(|kind| NoticeKind::read(kind)).collect();
        Some((Email::parse(&row.email).ok()?, kinds))
    }))
}

/// They were told of these kinds. A mail of a week alone keeps no other back, and what it told of is over with it.
pub(crate) async fn told(
    transaction: &mut TenantTransaction,
    owner: UserId,
    kinds: &[NoticeKind],
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE approval_notices SET try_at = NULL, told_at = CASE WHEN $4 THEN told_at ELSE $3 END,
            week_told = CASE WHEN $5 THEN coalesce(week_until, week_told) ELSE week_told END,
            waiting_since = CASE WHEN $4 AND kinds = '{week}' THEN NULL ELSE waiting_since END,
            ends_at = CASE WHEN $4 AND kinds = '{week}' THEN NULL ELSE ends_at END
         WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        owner.uuid(),
        now,
        kinds == [NoticeKind::Week],
        kinds.contains(&NoticeKind::Week)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
