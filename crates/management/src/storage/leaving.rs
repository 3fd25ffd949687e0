//! Suspending and removing people: what they lose, counted before and after, by whoever may do it.

use protocol::{CellId, UserId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::roles::lock_owners;
use super::{StorageError, TenantTransaction, tenants};
use crate::access::FreshManager;
use crate::limits;
use crate::operator::FreshOperator;
use crate::person::Role;

/// Somebody whom the manager may suspend, let back in or remove.
#[derive(Debug)]
pub(crate) struct Leaver {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub cell: CellId,
    pub suspended: Option<Suspended>,
}

/// How somebody came to be suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspended {
    /// Themselves: they stay so when their organisation is let back in.
    Alone,
    WithOrganisation,
}

impl Suspended {
    fn stored(deactivated_at: Option<OffsetDateTime>, with_tenant: bool) -> Option<Self> {
        deactivated_at.map(|_| match with_tenant {
            true => Self::WithOrganisation,
            false => Self::Alone,
        })
    }
}

/// What somebody has that ends with them, and what they leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Cascade {
    pub sessions: i64,
    pub sign_in_links: i64,
    /// Open ones that they sent.
    pub invitations: i64,
    /// They end where somebody is removed, and stay for who is let back in: none where somebody was suspended.
    pub second_factors: i64,
    /// Of theirs at other services, that they sign in with: as the second factors.
    pub linked_accounts: i64,
    /// That are told by Web Push what waits for them.
    pub push_devices: i64,
    pub api_keys: i64,
    /// That they are in.
    pub groups: i64,
    /// That are mailed to them.
    pub alerts: i64,
    /// Keys of service accounts that they made, as the audit log has it, and so may know. They stay with the organisation: replace them.
    pub service_keys_left: i64,
    /// Destinations of alerts and audit events that they added, as the audit log has it. They stay: see where they go.
    pub destinations_left: i64,
}

impl Cascade {
    /// What of it ends where they are suspended, and not removed.
    pub(crate) fn suspended(self) -> Self {
        Self {
            second_factors: 0,
            linked_accounts: 0,
            ..self
        }
    }
}

/// What they lose by name, the first of each: the counts say how many there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NamedLosses)]
pub(crate) struct Named {
    /// The devices of their sessions, the last used first.
    pub sessions: Vec<String>,
    /// The newest first.
    pub api_keys: Vec<NamedKey>,
    /// By their names.
    pub groups: Vec<String>,
}

/// An API key, as its owner told it from others.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NamedKey {
    pub name: String,
    /// How it begins.
    pub hint: String,
}

/// Looks a person up, locked, as somebody whom this manager may send away. `None` if there is no such person in the
/// organisation, or they are removed, or an owner and the manager is none, or the manager; or if the manager is sent away this moment:
/// two owners who send each other away at once would leave nobody.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    manager: &FreshManager,
    user: UserId,
) -> Result<Option<Leaver>, StorageError> {
    lock_owners(transaction).await?;
    look_up(transaction, user, Some(manager)).await
}

/// As [`find`], for the operator, who may send anybody away.
pub(crate) async fn find_as_operator(
    transaction: &mut TenantTransaction,
    _operator: &FreshOperator,
    user: UserId,
) -> Result<Option<Leaver>, StorageError> {
    tenants::hold(transaction).await?;
    look_up(transaction, user, None).await
}

/// As [`find`], for whoever has the database: the last owner who could sign in, and nobody else.
pub(crate) async fn find_sole_owner(
    transaction: &mut TenantTransaction,
    user: UserId,
) -> Result<Option<Leaver>, StorageError> {
    match lock_owners(transaction).await? == [user.uuid()] {
        true => look_up(transaction, user, None).await,
        false => Ok(None),
    }
}

async fn look_up(
    transaction: &mut TenantTransaction,
    user: UserId,
    manager: Option<&FreshManager>,
) -> Result<Option<Leaver>, StorageError> {
    let row = sqlx::query!(
        "SELECT u.name, u.email, u.deactivated_at, u.suspended_with_tenant, c.id AS cell FROM users u
         JOIN cells c ON c.tenant_id = u.tenant_id AND c.user_id = u.id
         WHERE u.tenant_id = $1 AND u.id = $2 AND u.removed_at IS NULL AND u.kind = 'person'
            AND ($3::uuid IS NULL OR u.id <> $3 AND (u.role <> 'owner' OR $4)
                AND EXISTS (SELECT FROM users m WHERE m.tenant_id = $1 AND m.id = $3 AND m.deactivated_at IS NULL))
         FOR UPDATE OF u",
        transaction.tenant().uuid(),
        user.uuid(),
        manager.map(|manager| manager.user().uuid()),
        manager.is_none_or(|manager| manager.may_manage(Role::Owner))
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| Leaver {
        id: user,
        name: row.name,
        email: row.email,
        cell: row.cell.into(),
        suspended: Suspended::stored(row.deactivated_at, row.suspended_with_tenant),
    }))
}

/// What they would lose, and what of it has a name.
pub(crate) async fn losses(
    transaction: &mut TenantTransaction,
    leaver: &Leaver,
) -> Result<(Cascade, Named), StorageError> {
    Ok((cascade(transaction, leaver).await?, named(transaction, leaver).await?))
}

async fn cascade(transaction: &mut TenantTransaction, leaver: &Leaver) -> Result<Cascade, StorageError> {
    let row = sqlx::query!(
        r#"SELECT
            (SELECT count(*) FROM sessions WHERE tenant_id = $1 AND user_id = $2) AS "sessions!",
            (SELECT count(*) FROM sign_in_links WHERE tenant_id = $1 AND user_id = $2 AND used_at IS NULL) AS "links!",
            (SELECT count(*) FROM invitations WHERE tenant_id = $1 AND invited_by = $2 AND accepted_at IS NULL
                AND revoked_at IS NULL)
            + (SELECT count(*) FROM group_invitations WHERE tenant_id = $1 AND invited_by = $2 AND accepted_at IS NULL
                AND withdrawn_at IS NULL) AS "invitations!",
            (SELECT count(*) FROM group_members WHERE tenant_id = $1 AND user_id = $2) AS "groups!",
            (SELECT count(*) FROM authenticators WHERE tenant_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL)
                + (SELECT count(*) FROM passkeys WHERE tenant_id = $1 AND user_id = $2) AS "factors!",
            (SELECT count(*) FROM linked_accounts WHERE tenant_id = $1 AND user_id = $2) AS "linked_accounts!",
            (SELECT count(*) FROM push_devices WHERE tenant_id = $1 AND user_id = $2) AS "push_devices!",
            (SELECT count(*) FROM api_keys WHERE tenant_id = $1 AND user_id = $2) AS "api_keys!",
            (SELECT count(*) FROM alert_rules WHERE tenant_id = $1 AND email = $3) AS "alerts!",
            (SELECT count(*) FROM api_keys k JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id AND u.kind = 'service'
                WHERE k.tenant_id = $1 AND EXISTS (SELECT FROM audit_events e WHERE e.tenant_id = $1 AND e.target = k.id::text
                    AND e.actor = $2::text AND e.action IN ('key.made', 'key.rotated'))) AS "service_keys!",
            (SELECT count(*) FROM destinations d
                WHERE d.tenant_id = $1 AND EXISTS (SELECT FROM audit_events e WHERE e.tenant_id = $1 AND e.target = d.id::text
                    AND e.actor = $2::text AND e.action = 'destination.added')) AS "destinations!""#,
        transaction.tenant().uuid(),
        leaver.id.uuid(),
        leaver.email
    );
    let row = row.fetch_one(&mut **transaction).await?;
    Ok(Cascade {
        sessions: row.sessions,
        sign_in_links: row.links,
        invitations: row.invitations,
        second_factors: row.factors,
        linked_accounts: row.linked_accounts,
        push_devices: row.push_devices,
        api_keys: row.api_keys,
        groups: row.groups,
        alerts: row.alerts,
        service_keys_left: row.service_keys,
        destinations_left: row.destinations,
    })
}

async fn named(transaction: &mut TenantTransaction, leaver: &Leaver) -> Result<Named, StorageError> {
    let (tenant, user) = (transaction.tenant().uuid(), leaver.id.uuid());
    let sessions = sqlx::query_scalar!(
        "SELECT device FROM sessions WHERE tenant_id = $1 AND user_id = $2 ORDER BY last_seen_at DESC, id DESC LIMIT $3",
        tenant,
        user,
        limits::LOSSES_NAMED
    );
    let sessions = sessions.fetch_all(&mut **transaction).await?;
    let api_keys = sqlx::query_as!(
        NamedKey,
        "SELECT name, hint FROM api_keys WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC LIMIT $3",
        tenant,
        user,
        limits::LOSSES_NAMED
    );
    let api_keys = api_keys.fetch_all(&mut **transaction).await?;
    let groups = sqlx::query_scalar!(
        "SELECT g.name FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND g.id = m.group_id
         WHERE m.tenant_id = $1 AND m.user_id = $2 ORDER BY g.name, g.id LIMIT $3",
        tenant,
        user,
        limits::LOSSES_NAMED
    );
    let groups = groups.fetch_all(&mut **transaction).await?;
    Ok(Named {
        sessions,
        api_keys,
        groups,
    })
}

/// Takes away whatever lets them in, what they sent out, and what is told to their mailbox. Second factors stay for who is let back in.
pub(crate) async fn suspend(
    transaction: &mut TenantTransaction,
    leaver: &Leaver,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    let (tenant, user) = (transaction.tenant().uuid(), leaver.id.uuid());
    sqlx::query!(
        "UPDATE users SET deactivated_at = coalesce(deactivated_at, $3), suspended_with_tenant = false WHERE tenant_id = $1 AND id = $2",
        tenant,
        user,
        now
    )
    .execute(&mut **transaction)
    .await?;
    super::sessions::end_all(transaction, leaver.id, None).await?;
    super::api_keys::remove_all(transaction, leaver.id).await?;
    super::group_invitations::leave_all(transaction, leaver.id, now).await?;
    super::alerts::remove_mailbox(transaction, &leaver.email).await?;
    sqlx::query!(
        "DELETE FROM sign_in_links WHERE tenant_id = $1 AND user_id = $2",
        tenant,
        user
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "UPDATE invitations SET revoked_at = $3
         WHERE tenant_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
        tenant,
        user,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Lets somebody back in who was suspended.
pub(crate) async fn restore(transaction: &mut TenantTransaction, leaver: &Leaver) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE users SET deactivated_at = NULL WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        leaver.id.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Ends for ever what [`suspend`] takes away, and frees the address.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    leaver: &Leaver,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    suspend(transaction, leaver, now).await?;
    super::factors::remove_all(transaction, leaver.id).await?;
    super::linked_accounts::remove_all(transaction, leaver.id).await?;
    super::mailboxes::remove(transaction, leaver.id).await?;
    super::approval_notices::remove(transaction, leaver.id).await?;
    sqlx::query!(
        "UPDATE users SET removed_at = $3, email = $4 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        leaver.id.uuid(),
        now,
        format!("removed-{}@removed.invalid", leaver.id)
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
