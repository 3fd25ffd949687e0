//! Keys of the tenant API's tenants, found by their hash.

use protocol::ApiKeyId;
use time::OffsetDateTime;

use super::api_tenants::{ApiTenant, Held, Limits, model};
use super::gathered::{LookedUp, Placed, column};
use super::{StorageError, TenantTransaction};
use crate::api_key::TenantKey;
use crate::database::Database;
use crate::secret_token::TokenHash;

/// A key, as a request showed it.
pub(crate) struct Presented {
    hash: TokenHash,
    now: OffsetDateTime,
}

/// A key that works, and whose it is.
pub(crate) struct Found {
    pub key: ApiKeyId,
    pub tenant: ApiTenant,
}

/// The key with this hash, if it works.
pub(crate) async fn authenticate(
    database: &Database,
    hash: TokenHash,
    now: OffsetDateTime,
) -> Result<Option<Found>, StorageError> {
    let presented = Presented { hash, now };
    database.look_ups().tenant_keys.ask(database, presented).await
}

impl LookedUp for Presented {
    type Found = Found;

    async fn look_up(database: &Database, asked: &[Self]) -> Result<Placed<Found>, StorageError> {
        let rows = sqlx::query!(
            r#"SELECT asked.place AS "place!", key_id AS "key_id!", tenant_id AS "tenant_id!", cell_id AS "cell_id!", name AS "name!",
                model_kind, model_base_url, model_name, requests_per_minute, held_on, created_at AS "created_at!"
            FROM unnest($1::bytea[], $2::timestamptz[]) WITH ORDINALITY AS asked (hash, at, place)
            CROSS JOIN LATERAL authenticate_tenant_key(asked.hash, asked.at)"#,
            &column(asked, |each| each.hash.bytes().to_vec()),
            &column(asked, |each| each.now),
        )
        .fetch_all(database.pool())
        .await?;
        let found = rows.into_iter().map(|row| {
            let tenant = ApiTenant {
                id: row.tenant_id.into(),
                cell: row.cell_id.into(),
                name: row.name,
                // Like the limits of spending, it is the operator's to see.
                template: None,
                model: model(row.model_kind, row.model_base_url, row.model_name),
                // Known to the keeper, whoever asks.
                fallbacks: Vec::new(),
                limits: Limits {
                    requests_per_minute: row.requests_per_minute,
                    ..Limits::default()
                },
                held: Held {
                    on: row.held_on,
                    ..Held::default()
                },
                created_at: row.created_at,
                updated_at: row.created_at,
            };
            let found = Found {
                key: row.key_id.into(),
                tenant,
            };
            (row.place, Ok(found))
        });
        Ok(found.collect())
    }
}

/// A key as the operator sees it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub id: ApiKeyId,
    pub hint: String,
    pub created_at: OffsetDateTime,
    pub expires_at: Option<OffsetDateTime>,
}

/// Adds a key.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    key: &TenantKey,
    now: OffsetDateTime,
) -> Result<Listed, StorageError> {
    let id = ApiKeyId::new();
    let (hint, hash) = (key.hint(), key.hash());
    sqlx::query!(
        "INSERT INTO api_tenant_keys (id, tenant_id, key_hash, hint, created_at) VALUES ($1, $2, $3, $4, $5)",
        id.uuid(),
        transaction.tenant().uuid(),
        hash.bytes(),
        hint,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(Listed {
        id,
        hint,
        created_at: now,
        expires_at: None,
    })
}

/// The keys of the tenant that work, the newest first.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    now: OffsetDateTime,
) -> Result<Vec<Listed>, StorageError> {
    let rows = sqlx::query_as!(
        Listed,
        "SELECT id, hint, created_at, expires_at FROM api_tenant_keys
         WHERE tenant_id = $1 AND (expires_at IS NULL OR expires_at > $2) ORDER BY created_at DESC, id DESC",
        transaction.tenant().uuid(),
        now
    );
    Ok(rows.fetch_all(&mut **transaction).await?)
}

/// Lets every key that has no end work until `until` at most. Those that are over go.
pub(crate) async fn replace_all(
    transaction: &mut TenantTransaction,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "UPDATE api_tenant_keys SET expires_at = least(coalesce(expires_at, $2), $2) WHERE tenant_id = $1",
        tenant,
        until
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "DELETE FROM api_tenant_keys WHERE tenant_id = $1 AND expires_at <= $2",
        tenant,
        now
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Ends a key at once; `false` if the tenant has no such key.
pub(crate) async fn revoke(transaction: &mut TenantTransaction, id: ApiKeyId) -> Result<bool, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_tenant_keys WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        id.uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Ends every key, on the clock of whichever server. They stay, to be counted by [`remove_all`].
pub(crate) async fn end_all(transaction: &mut TenantTransaction) -> Result<(), StorageError> {
    sqlx::query!(
        "UPDATE api_tenant_keys SET expires_at = $2 WHERE tenant_id = $1",
        transaction.tenant().uuid(),
        OffsetDateTime::UNIX_EPOCH
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Removes every key: how many those were.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_tenant_keys WHERE tenant_id = $1",
        transaction.tenant().uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}
