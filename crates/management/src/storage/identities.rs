//! The public keys of people's vaults: opaque here, but for the key that signs.

use protocol::UserId;
use protocol::relay::MailboxKey;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::access::SignedIn;
use crate::limits;

/// Of the bundles whose keys are known here (`docs/protocol.md`, section 1.5).
const BUNDLE_VERSION: u8 = 1;

/// Somebody's bundle.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub user: UserId,
    pub bundle: Vec<u8>,
}

/// Whether this is the bundle of the person's own vault: also where none was known, and this one is kept now. Holds the row until
/// the transaction ends.
pub(crate) async fn is_kept(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    bundle: &[u8],
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let (tenant, user) = (transaction.tenant().uuid(), person.session().user.uuid());
    let first = sqlx::query!(
        "INSERT INTO identities (tenant_id, user_id, bundle, updated_at) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, user_id) DO NOTHING",
        tenant,
        user,
        bundle,
        now
    );
    if first.execute(&mut **transaction).await?.rows_affected() == 1 {
        return Ok(true);
    }
    let known = sqlx::query_scalar!(
        "SELECT bundle FROM identities WHERE tenant_id = $1 AND user_id = $2 FOR UPDATE",
        tenant,
        user
    );
    Ok(known.fetch_one(&mut **transaction).await? == bundle)
}

/// Keeps another bundle in the place of the one that is known.
pub(crate) async fn replace(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    bundle: &[u8],
    now: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE identities SET bundle = $3, updated_at = $4 WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        person.session().user.uuid(),
        bundle,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The key that the person's own vault signs with, if it is known: in a bundle it stands behind the version.
pub(crate) async fn signing_key(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
) -> Result<Option<MailboxKey>, StorageError> {
    let known = sqlx::query_scalar!(
        "SELECT bundle FROM identities WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        person.session().user.uuid()
    );
    let known = known.fetch_optional(&mut **transaction).await?;
    Ok(known.and_then(|bundle| {
        let (&BUNDLE_VERSION, rest) = bundle.split_first()? else {
            return None;
        };
        rest.first_chunk().copied().map(MailboxKey)
    }))
}

/// The bundles of everybody who is active in the tenant.
pub(crate) async fn list(transaction: &mut TenantTransaction) -> Result<Vec<Bundle>, StorageError> {
    let rows = sqlx::query!(
        "SELECT i.user_id, i.bundle FROM identities i JOIN users u ON u.tenant_id = i.tenant_id AND u.id = i.user_id
         WHERE i.tenant_id = $1 AND u.deactivated_at IS NULL ORDER BY i.user_id LIMIT $2",
        transaction.tenant().uuid(),
        limits::PEOPLE_LISTED
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| Bundle {
            user: row.user_id.into(),
            bundle: row.bundle,
        })
        .collect())
}
