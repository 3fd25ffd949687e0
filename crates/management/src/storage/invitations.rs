//! Invitations. Those who list, send again or revoke them are managers ([`Manager`]); those who were invited hold a token.

use protocol::TenantId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction, tenants};
use crate::access::{Given, Manager};
use crate::database::Database;
use crate::ids::InvitationId;
use crate::limits;
use crate::person::{Email, Role};
use crate::secret_token::TokenHash;

/// An invitation as its managers see it.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub id: InvitationId,
    pub email: String,
    pub role: Role,
    pub expires_at: OffsetDateTime,
    pub accepted_at: Option<OffsetDateTime>,
    pub revoked_at: Option<OffsetDateTime>,
}

/// Who invites the owner of a new organisation.
const OPERATOR: &str = "The operator";

/// An open invitation as the invited sees it.
#[derive(Debug)]
pub(crate) struct Offer {
    pub id: InvitationId,
    pub email: String,
    pub role: Role,
    pub invited_by: String,
}

/// Adds an invitation. An open one for the same address that has expired gives way; one that has not is a
/// [`StorageError::Conflict`].
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    manager: &Manager,
    email: &Email,
    role: Given,
    hash: TokenHash,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<Invitation, StorageError> {
    let (tenant, role) = (transaction.tenant().uuid(), role.role());
    sqlx::query!(
        "UPDATE invitations SET revoked_at = $3 WHERE tenant_id = $1 AND email = $2
         AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at <= $3",
        tenant,
        email.as_str(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    let id = InvitationId::new();
    sqlx::query!(
        "INSERT INTO invitations (id, tenant_id, email, role, invited_by, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.uuid(),
        tenant,
        email.as_str(),
        role.as_str(),
        manager.user().uuid(),
        hash.bytes(),
        now,
        expires_at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(Invitation {
        id,
        email: email.as_str().into(),
        role,
        expires_at,
        accepted_at: None,
        revoked_at: None,
    })
}

/// The tenant's invitations that the manager may see, newest first.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    manager: &Manager,
) -> Result<Vec<Invitation>, StorageError> {
    let rows = sqlx::query!(
        "SELECT id, email, role, expires_at, accepted_at, revoked_at FROM invitations
         WHERE tenant_id = $1 AND (role <> 'owner' OR $3) ORDER BY created_at DESC, id DESC LIMIT $2",
        transaction.tenant().uuid(),
        limits::INVITATIONS_LISTED,
        manager.may_give(Role::Owner)
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter()
        .map(|row| {
            Ok(Invitation {
                id: row.id.into(),
                email: row.email,
                role: Role::stored(&row.role)?,
                expires_at: row.expires_at,
                accepted_at: row.accepted_at,
                revoked_at: row.revoked_at,
            })
        })
        .collect()
}

/// Gives an open invitation a new token and a new end; the old link no longer works. `None` if the manager may see no such
/// open invitation, or may not give its role.
pub(crate) async fn renew(
    transaction: &mut TenantTransaction,
    manager: &Manager,
    id: InvitationId,
    hash: TokenHash,
    expires_at: OffsetDateTime,
) -> Result<Option<Invitation>, StorageError> {
    let row = sqlx::query!(
        "UPDATE invitations SET token_hash = $3, expires_at = $4
         WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL AND (role <> 'owner' OR $5)
         RETURNING email, role",
        transaction.tenant().uuid(),
        id.uuid(),
        hash.bytes(),
        expires_at,
        manager.may_give(Role::Owner)
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    row.map(|row| {
        let role = Role::stored(&row.role)?;
        Ok(Invitation {
            id,
            email: row.email,
            role,
            expires_at,
            accepted_at: None,
            revoked_at: None,
        })
    })
    .transpose()
}

/// Takes an invitation back: whose it was, or `None` if the manager may see no such open invitation, or may not give its role.
pub(crate) async fn revoke(
    transaction: &mut TenantTransaction,
    manager: &Manager,
    id: InvitationId,
    now: OffsetDateTime,
) -> Result<Option<String>, StorageError> {
    let update = sqlx::query_scalar!(
        "UPDATE invitations SET revoked_at = $3
         WHERE tenant_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL AND (role <> 'owner' OR $4)
         RETURNING email",
        transaction.tenant().uuid(),
        id.uuid(),
        now,
        manager.may_give(Role::Owner)
    );
    Ok(update.fetch_optional(&mut **transaction).await?)
}

/// The open invitation with this token, locked, and a transaction in its tenant.
pub(crate) async fn find_open(
    database: &Database,
    hash: TokenHash,
    now: OffsetDateTime,
) -> Result<Option<(TenantTransaction, Offer)>, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT set_config('holdfast.token', $1, true) AS token", hash.hex())
        .fetch_one(&mut *transaction)
        .await?;
    let tenant = sqlx::query_scalar!("SELECT tenant_id FROM invitations WHERE token_hash = $1", hash.bytes())
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(tenant) = tenant.map(TenantId::from) else {
        return Ok(None);
    };
    let mut transaction = TenantTransaction::enter(database, transaction, tenant).await?;
    tenants::hold(&mut transaction).await?;
    let row = sqlx::query!(
        r#"SELECT i.id, i.email, i.role, u.name AS "invited_by?" FROM invitations i
         LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.invited_by
         WHERE i.tenant_id = $1 AND i.token_hash = $2
            AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $3
         FOR UPDATE OF i"#,
        tenant.uuid(),
        hash.bytes(),
        now
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let offer = Offer {
        id: row.id.into(),
        email: row.email,
        role: Role::stored(&row.role)?,
        invited_by: row.invited_by.unwrap_or_else(|| OPERATOR.into()),
    };
    Ok(Some((transaction, offer)))
}

/// Marks an invitation as used by somebody who is now in the tenant.
pub(crate) async fn accept(
    transaction: &mut TenantTransaction,
    offer: &Offer,
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE invitations SET accepted_at = $3 WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        offer.id.uuid(),
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
