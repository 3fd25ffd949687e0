//! Other sites that the people of an organisation sign in with.

use protocol::TenantId;
use time::OffsetDateTime;

use super::{StorageError, TenantTransaction};
use crate::access::{FreshManager, Manager};
use crate::database::Database;
use crate::ids::IdentityProviderId;
use crate::limits;
use crate::providers::Kind;

/// A provider, with its secret as it is kept.
pub(crate) struct Provider {
    pub id: IdentityProviderId,
    pub tenant: TenantId,
    pub kind: Kind,
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub sealed_secret: Option<Vec<u8>>,
    pub on: bool,
}

struct Row {
    id: IdentityProviderId,
    tenant_id: TenantId,
    kind: String,
    name: String,
    issuer: String,
    client_id: String,
    sealed_secret: Option<Vec<u8>>,
    enabled: bool,
}

impl TryFrom<Row> for Provider {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            id: row.id,
            tenant: row.tenant_id,
            kind: Kind::stored(&row.kind)?,
            name: row.name,
            issuer: row.issuer,
            client_id: row.client_id,
            sealed_secret: row.sealed_secret,
            on: row.enabled,
        })
    }
}

/// All of the organisation's, the oldest first, for whoever shows only what may be shown.
pub(crate) async fn list(transaction: &mut TenantTransaction) -> Result<Vec<Provider>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, tenant_id, kind, name, issuer, client_id, sealed_secret, enabled FROM sign_in_providers
         WHERE tenant_id = $1 ORDER BY created_at, id",
        transaction.tenant().uuid()
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    rows.into_iter().map(Provider::try_from).collect()
}

/// One of the organisation's, locked, for those who manage it.
pub(crate) async fn find(
    transaction: &mut TenantTransaction,
    _manager: &Manager,
    id: IdentityProviderId,
) -> Result<Option<Provider>, StorageError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, tenant_id, kind, name, issuer, client_id, sealed_secret, enabled FROM sign_in_providers
         WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        transaction.tenant().uuid(),
        id.uuid()
    );
    row.fetch_optional(&mut **transaction)
        .await?
        .map(Provider::try_from)
        .transpose()
}

/// One of the organisation's that is turned on.
pub(crate) async fn find_on(
    transaction: &mut TenantTransaction,
    id: IdentityProviderId,
) -> Result<Option<Provider>, StorageError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, tenant_id, kind, name, issuer, client_id, sealed_secret, enabled FROM sign_in_providers
         WHERE tenant_id = $1 AND id = $2 AND enabled",
        transaction.tenant().uuid(),
        id.uuid()
    );
    row.fetch_optional(&mut **transaction)
        .await?
        .map(Provider::try_from)
        .transpose()
}

/// The provider whose button was pressed by somebody who is nobody yet, if it is turned on.
pub(crate) async fn find_pressed(
    database: &Database,
    id: IdentityProviderId,
) -> Result<Option<Provider>, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!(
        "SELECT set_config('holdfast.provider', $1, true) AS provider",
        id.to_string()
    )
    .fetch_one(&mut *transaction)
    .await?;
    let row = sqlx::query_as!(
        Row,
        "SELECT id, tenant_id, kind, name, issuer, client_id, sealed_secret, enabled FROM sign_in_providers
         WHERE id = $1 AND enabled",
        id.uuid()
    );
    row.fetch_optional(&mut *transaction)
        .await?
        .map(Provider::try_from)
        .transpose()
}

/// Adds one that is turned off and lacks what the provider is still to give; false if there are too many.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    provider: &Provider,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let created = sqlx::query!(
        "INSERT INTO sign_in_providers (id, tenant_id, kind, name, issuer, created_at)
         SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT count(*) FROM sign_in_providers WHERE tenant_id = $2) < $7",
        provider.id.uuid(),
        transaction.tenant().uuid(),
        provider.kind.as_str(),
        provider.name,
        provider.issuer,
        now,
        limits::PROVIDERS
    );
    Ok(created.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Keeps what may change of one.
pub(crate) async fn change(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    provider: &Provider,
) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE sign_in_providers SET name = $3, client_id = $4, sealed_secret = $5, enabled = $6
         WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        provider.id.uuid(),
        provider.name,
        provider.client_id,
        provider.sealed_secret,
        provider.on
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Removes one, with the sign-ins under way; its name. Accounts stay whose they are, and sign in again if it is added again.
pub(crate) async fn remove(
    transaction: &mut TenantTransaction,
    _manager: &FreshManager,
    id: IdentityProviderId,
) -> Result<Option<String>, StorageError> {
    let removed = sqlx::query_scalar!(
        "DELETE FROM sign_in_providers WHERE tenant_id = $1 AND id = $2 RETURNING name",
        transaction.tenant().uuid(),
        id.uuid()
    );
    Ok(removed.fetch_optional(&mut **transaction).await?)
}
