//! Changing what somebody may do in the organisation.

use protocol::UserId;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{StorageError, TenantTransaction, alerts, group_invitations, tenants};
use crate::access::FreshManager;
use crate::person::Role;

/// Somebody whose role this manager may change.
#[derive(Debug)]
pub(crate) struct Holder {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    /// Nobody else who could sign in owns the organisation.
    pub last_owner: bool,
}

/// Looks a person up, locked together with the owners, so that two changes at once cannot take the last one. `None` if there is
/// no such person in the organisation, or they are removed, or an owner and the manager is none.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    manager: &FreshManager,
    user: UserId,
) -> Result<Option<Holder>, StorageError> {
    let owners = lock_owners(transaction).await?;
    let row = sqlx::query!(
        "SELECT name, email, role FROM users
         WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL AND kind = 'person' AND (role <> 'owner' OR $3)
         FOR UPDATE",
        transaction.tenant().uuid(),
        user.uuid(),
        manager.may_manage(Role::Owner)
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(|row| {
        Ok(Holder {
            id: user,
            name: row.name,
            email: row.email,
            role: Role::stored(&row.role)?,
            last_owner: owners == [user.uuid()],
        })
    })
    .transpose()
}

/// Who owns the organisation and could sign in: it stays so until the transaction ends.
pub(super) async fn lock_owners(transaction: &mut TenantTransaction) -> Result<Vec<Uuid>, StorageError> {
    tenants::hold(transaction).await?;
    let owners = sqlx::query_scalar!(
        "SELECT id FROM users WHERE tenant_id = $1 AND role = 'owner' AND deactivated_at IS NULL ORDER BY id FOR UPDATE",
        transaction.tenant().uuid()
    );
    Ok(owners.fetch_all(&mut **transaction).await?)
}

/// What somebody lost with their role.
pub(crate) struct Lost {
    /// Open ones that they sent.
    pub invitations: u64,
    /// That were mailed to them.
    pub alerts: u64,
}

/// Gives the role, and takes back what goes with another: open invitations, to the organisation and to groups, that they sent and could not
/// send with it, and alerts to their mailbox, which tell of what everybody does.
pub(crate) async fn change(
    transaction: &mut TenantTransaction,
    holder: &Holder,
    role: Role,
    now: OffsetDateTime,
) -> Result<Lost, StorageError> {
    let (tenant, user) = (transaction.tenant().uuid(), holder.id.uuid());
    sqlx::query!(
        "UPDATE users SET role = $3 WHERE tenant_id = $1 AND id = $2",
        tenant,
        user,
        role.as_str()
    )
    .execute(&mut **transaction)
    .await?;
    let revoked = sqlx::query!(
        "UPDATE invitations SET revoked_at = $3
         WHERE tenant_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL
            AND ($4::text NOT IN ('owner', 'admin') OR (role = 'owner' AND $4 <> 'owner'))",
        tenant,
        user,
        now,
        role.as_str()
    );
    let revoked = revoked.execute(&mut **transaction).await?.rows_affected();
    let withdrawn = group_invitations::withdraw_unmanaged(transaction, holder.id, now).await?;
    let alerts = match role {
        Role::Owner | Role::Admin => 0,
        Role::Member | Role::Observer => alerts::remove_mailbox(transaction, &holder.email).await?,
    };
    Ok(Lost {
        invitations: revoked + withdrawn,
        alerts,
    })
}
