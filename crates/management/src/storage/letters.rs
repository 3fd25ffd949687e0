//! Letters between vaults: kept until whom they are for has taken them. This module goes when the relay carries them.

use protocol::UserId;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{StorageError, TenantTransaction};
use crate::access::SignedIn;
use crate::ids::LetterId;
use crate::limits;

/// A letter that waits.
#[derive(Debug)]
pub(crate) struct Letter {
    pub id: LetterId,
    pub from: UserId,
    pub from_name: String,
    pub body: Vec<u8>,
}

/// How many wait for somebody, of one sender and of all.
pub(crate) async fn waiting(
    transaction: &mut TenantTransaction,
    from: &SignedIn,
    to: UserId,
) -> Result<(i64, i64), StorageError> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE from_user = $2) AS "of_sender!", count(*) AS "all!" FROM letters
         WHERE tenant_id = $1 AND to_user = $3"#,
        transaction.tenant().uuid(),
        from.session().user.uuid(),
        to.uuid()
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok((row.of_sender, row.all))
}

/// Keeps a letter of the person's; the same id again is the same letter. False when there is nobody to send it to.
pub(crate) async fn send(
    transaction: &mut TenantTransaction,
    from: &SignedIn,
    id: LetterId,
    to: UserId,
    body: &[u8],
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let receiver = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE tenant_id = $1 AND id = $2 AND deactivated_at IS NULL AND kind = 'person') AS "found!""#,
        transaction.tenant().uuid(),
        to.uuid()
    );
    if !receiver.fetch_one(&mut **transaction).await? {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO letters (tenant_id, id, from_user, to_user, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, from_user, id) DO NOTHING",
        transaction.tenant().uuid(),
        id.uuid(),
        from.session().user.uuid(),
        to.uuid(),
        body,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(true)
}

/// The person's letters, oldest first.
pub(crate) async fn list(transaction: &mut TenantTransaction, to: &SignedIn) -> Result<Vec<Letter>, StorageError> {
    let rows = sqlx::query!(
        "SELECT l.id, l.from_user, u.name, l.body FROM letters l
         JOIN users u ON u.tenant_id = l.tenant_id AND u.id = l.from_user
         WHERE l.tenant_id = $1 AND l.to_user = $2 ORDER BY l.created_at, l.id LIMIT $3",
        transaction.tenant().uuid(),
        to.session().user.uuid(),
        limits::LETTERS_LISTED
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| Letter {
            id: row.id.into(),
            from: row.from_user.into(),
            from_name: row.name,
            body: row.body,
        })
        .collect())
}

/// The person has taken these.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    to: &SignedIn,
    ids: &[LetterId],
) -> Result<(), StorageError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "DELETE FROM letters WHERE tenant_id = $1 AND to_user = $2 AND id = ANY($3)",
        transaction.tenant().uuid(),
        to.session().user.uuid(),
        &ids
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
