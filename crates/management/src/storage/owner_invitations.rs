//! Invitations of the operator: to own an organisation in which nobody is yet. Once somebody is in it, who comes in is theirs to say.

use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::ids::InvitationId;
use crate::operator::{FreshOperator, Operator};
use crate::person::{Email, Role};
use crate::secret_token::TokenHash;

/// Who is to own an organisation, and until when their link works.
#[derive(Debug)]
pub(crate) struct OwnerInvitation {
    pub id: InvitationId,
    pub email: String,
    pub expires_at: OffsetDateTime,
}

/// What became of inviting an owner.
pub(crate) enum Invited {
    Done(OwnerInvitation),
    /// Somebody is in the organisation, or was.
    Inhabited,
    Suspended,
}

/// Invites somebody to own the organisation; a link that was sent before stops working.
pub(crate) async fn invite(
    transaction: &mut TenantTransaction,
    _operator: &FreshOperator,
    email: &Email,
    hash: TokenHash,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<Invited, StorageError> {
    let tenant = transaction.tenant().uuid();
    // The lock that whoever joins waits for: nobody comes in between this look and the commit.
    let suspended = sqlx::query_scalar!(
        r#"SELECT suspended_at IS NOT NULL AS "suspended!" FROM tenants WHERE id = $1 FOR UPDATE"#,
        tenant
    );
    if suspended.fetch_one(&mut **transaction).await? {
        return Ok(Invited::Suspended);
    }
    let inhabited = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE tenant_id = $1) AS "inhabited!""#,
        tenant
    );
    if inhabited.fetch_one(&mut **transaction).await? {
        return Ok(Invited::Inhabited);
    }
    sqlx::query!(
        "UPDATE invitations SET revoked_at = $2 WHERE tenant_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL",
        tenant,
        now
    )
    .execute(&mut **transaction)
    .await?;
    let id = InvitationId::new();
    sqlx::query!(
        "INSERT INTO invitations (id, tenant_id, email, role, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        tenant,
        email.as_str(),
        Role::Owner.as_str(),
        hash.bytes(),
        now,
        expires_at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(Invited::Done(OwnerInvitation {
        id,
        email: email.as_str().into(),
        expires_at,
    }))
}

/// The one that was neither used nor replaced, whether its link still works or not.
pub(crate) async fn open(
    transaction: &mut TenantTransaction,
    _operator: &Operator,
) -> Result<Option<OwnerInvitation>, StorageError> {
    Ok(sqlx::query_as!(
        OwnerInvitation,
        "SELECT id, email, expires_at FROM invitations
         WHERE tenant_id = $1 AND invited_by IS NULL AND accepted_at IS NULL AND revoked_at IS NULL",
        transaction.tenant().uuid()
    )
    .fetch_optional(&mut **transaction)
    .await?)
}
