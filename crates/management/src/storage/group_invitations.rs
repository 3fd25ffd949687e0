//! Invitations to groups, by address. Who sends one is not told whether anybody has the address, nor that it was declined.

use protocol::{GroupId, UserId};
use time::OffsetDateTime;

use super::groups::{self, GroupRole, ManagedGroup};
use super::{StorageError, TenantTransaction};
use crate::access::SignedIn;
use crate::ids::GroupInvitationId;
use crate::limits;
use crate::person::Email;

/// An open invitation, as managers of its group see it.
#[derive(Debug)]
pub(crate) struct Open {
    pub id: GroupInvitationId,
    pub email: String,
    pub role: GroupRole,
    pub expires_at: OffsetDateTime,
}

/// Invites an address. [`StorageError::Conflict`] when it has an open invitation.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    group: &ManagedGroup,
    person: &SignedIn,
    email: &Email,
    role: GroupRole,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<Open, StorageError> {
    let tenant = transaction.tenant().uuid();
    // One that is over makes room.
    sqlx::query!(
        "UPDATE group_invitations SET withdrawn_at = $4
         WHERE tenant_id = $1 AND group_id = $2 AND email = $3 AND accepted_at IS NULL AND withdrawn_at IS NULL
            AND expires_at <= $4",
        tenant,
        group.id.uuid(),
        email.as_str(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    let id = GroupInvitationId::new();
    sqlx::query!(
        "INSERT INTO group_invitations (id, tenant_id, group_id, email, role, invited_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.uuid(),
        tenant,
        group.id.uuid(),
        email.as_str(),
        role.as_str(),
        person.session().user.uuid(),
        now,
        expires_at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(Open {
        id,
        email: email.as_str().to_owned(),
        role,
        expires_at,
    })
}

/// Whether this address is in the group.
pub(crate) async fn is_member(
    transaction: &mut TenantTransaction,
    group: &ManagedGroup,
    email: &Email,
) -> Result<bool, StorageError> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id
            WHERE m.tenant_id = $1 AND m.group_id = $2 AND u.email = $3) AS "found!""#,
        transaction.tenant().uuid(),
        group.id.uuid(),
        email.as_str()
    );
    Ok(found.fetch_one(&mut **transaction).await?)
}

/// A group's open invitations, and those that were declined, which look the same.
pub(crate) async fn of_group(
    transaction: &mut TenantTransaction,
    group: &ManagedGroup,
    now: OffsetDateTime,
) -> Result<Vec<Open>, StorageError> {
    let rows = sqlx::query!(
        "SELECT id, email, role, expires_at FROM group_invitations
         WHERE tenant_id = $1 AND group_id = $2 AND accepted_at IS NULL AND withdrawn_at IS NULL AND expires_at > $3
         ORDER BY created_at DESC, id DESC LIMIT $4",
        transaction.tenant().uuid(),
        group.id.uuid(),
        now,
        limits::INVITATIONS_LISTED
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Open {
                id: row.id.into(),
                email: row.email,
                role: GroupRole::stored(&row.role)?,
                expires_at: row.expires_at,
            })
        })
        .collect()
}

/// Takes an invitation back: to whom it was, or `None` if the group has no such open one.
pub(crate) async fn withdraw(
    transaction: &mut TenantTransaction,
    group: &ManagedGroup,
    id: GroupInvitationId,
    now: OffsetDateTime,
) -> Result<Option<String>, StorageError> {
    let email = sqlx::query_scalar!(
        "UPDATE group_invitations SET withdrawn_at = $4
         WHERE tenant_id = $1 AND group_id = $2 AND id = $3 AND accepted_at IS NULL AND withdrawn_at IS NULL
         RETURNING email",
        transaction.tenant().uuid(),
        group.id.uuid(),
        id.uuid(),
        now
    );
    Ok(email.fetch_optional(&mut **transaction).await?)
}

/// Ends every open invitation of a group.
pub(super) async fn withdraw_all(
    transaction: &mut TenantTransaction,
    group: &ManagedGroup,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE group_invitations SET withdrawn_at = $3
         WHERE tenant_id = $1 AND group_id = $2 AND accepted_at IS NULL AND withdrawn_at IS NULL",
        transaction.tenant().uuid(),
        group.id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Takes back the open invitations of somebody to groups that they do not manage any more; how many.
pub(super) async fn withdraw_unmanaged(
    transaction: &mut TenantTransaction,
    user: UserId,
    now: OffsetDateTime,
) -> Result<u64, StorageError> {
    let withdrawn = sqlx::query!(
        "UPDATE group_invitations i SET withdrawn_at = $3
         WHERE i.tenant_id = $1 AND i.invited_by = $2 AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL AND NOT EXISTS (
            SELECT FROM users u LEFT JOIN group_members m ON m.tenant_id = u.tenant_id AND m.group_id = i.group_id AND m.user_id = u.id
            WHERE u.tenant_id = $1 AND u.id = $2 AND (u.role IN ('owner', 'admin') OR (u.role <> 'observer' AND m.role = 'admin')))",
        transaction.tenant().uuid(),
        user.uuid(),
        now
    );
    Ok(withdrawn.execute(&mut **transaction).await?.rows_affected())
}

/// An invitation, as whom it is for sees it.
#[derive(Debug)]
pub(crate) struct Received {
    pub id: GroupInvitationId,
    pub group: GroupId,
    pub group_name: String,
    pub invited_by: String,
    pub role: GroupRole,
    pub expires_at: OffsetDateTime,
}

/// The open invitations to a person's address; with an id, that one alone, locked.
pub(crate) async fn received(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: Option<GroupInvitationId>,
    now: OffsetDateTime,
) -> Result<Vec<Received>, StorageError> {
    let rows = sqlx::query!(
        "SELECT i.id, i.group_id, g.name AS group_name, i.role, i.expires_at, by_whom.name AS invited_by
         FROM group_invitations i
         JOIN users me ON me.tenant_id = i.tenant_id AND me.email = i.email
         JOIN groups g ON g.tenant_id = i.tenant_id AND g.id = i.group_id
         JOIN users by_whom ON by_whom.tenant_id = i.tenant_id AND by_whom.id = i.invited_by
         WHERE i.tenant_id = $1 AND me.id = $2 AND ($3::uuid IS NULL OR i.id = $3) AND i.expires_at > $4
            AND i.accepted_at IS NULL AND i.declined_at IS NULL AND i.withdrawn_at IS NULL AND g.archived_at IS NULL
         ORDER BY i.created_at, i.id LIMIT $5
         FOR UPDATE OF i",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        id.map(GroupInvitationId::uuid),
        now,
        limits::INVITATIONS_LISTED
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Received {
                id: row.id.into(),
                group: row.group_id.into(),
                group_name: row.group_name,
                invited_by: row.invited_by,
                role: GroupRole::stored(&row.role)?,
                expires_at: row.expires_at,
            })
        })
        .collect()
}

/// Locks the group of an invitation, as [`groups::find`] does: of two who come in at once, the second one counts the first. Before the
/// invitation is looked up, since who manages the group locks them in this order.
pub(crate) async fn lock_group(transaction: &mut TenantTransaction, id: GroupInvitationId) -> Result<(), StorageError> {
    sqlx::query!(
        "SELECT g.id FROM groups g JOIN group_invitations i ON i.tenant_id = g.tenant_id AND i.group_id = g.id
         WHERE i.tenant_id = $1 AND i.id = $2 FOR UPDATE OF g",
        transaction.tenant().uuid(),
        id.uuid()
    )
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(())
}

/// The person comes in with an invitation of theirs; false if the group, which is locked, is full.
pub(crate) async fn accept(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    invitation: &Received,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    sqlx::query!(
        "UPDATE group_invitations SET accepted_at = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        invitation.id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    groups::join(
        transaction,
        invitation.group,
        person.session().user,
        invitation.role,
        now,
    )
    .await
}

/// The person does not want to.
pub(crate) async fn decline(
    transaction: &mut TenantTransaction,
    invitation: &Received,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE group_invitations SET declined_at = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        invitation.id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Takes somebody who leaves out of every group, and takes back what they sent.
pub(super) async fn leave_all(
    transaction: &mut TenantTransaction,
    user: UserId,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM group_members WHERE tenant_id = $1 AND user_id = $2",
        tenant,
        user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "UPDATE group_invitations SET withdrawn_at = $3
         WHERE tenant_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND withdrawn_at IS NULL",
        tenant,
        user.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
