//! API keys, found by their hash.

use protocol::{ApiKeyId, SessionId, TenantId, UserId};
use time::OffsetDateTime;

use super::gathered::{LookedUp, Placed, column};
use super::interval::interval;
use super::sessions::{Session, State};
use super::{StorageError, TenantTransaction};
use crate::access::SignedIn;
use crate::api_key::ApiKey;
use crate::database::Database;
use crate::limits;
use crate::person::{Name, Role};
use crate::scope::Scope;
use crate::secret_token::TokenHash;

/// A key that works, and whose it is, as if they were signed in.
pub(crate) struct Found {
    pub session: Session,
    pub name: String,
    pub scopes: Vec<Scope>,
}

/// A key, as a request showed it.
pub(crate) struct Presented {
    hash: TokenHash,
    now: OffsetDateTime,
    used_from: String,
}

/// The key with this hash, if it works. Notes that it was used, and from where.
pub(crate) async fn authenticate(
    database: &Database,
    hash: TokenHash,
    now: OffsetDateTime,
    used_from: &str,
) -> Result<Option<Found>, StorageError> {
    let used_from = used_from.to_owned();
    let presented = Presented { hash, now, used_from };
    database.look_ups().api_keys.ask(database, presented).await
}

impl LookedUp for Presented {
    type Found = Found;

    async fn look_up(database: &Database, asked: &[Self]) -> Result<Placed<Found>, StorageError> {
        let rows = sqlx::query!(
            r#"SELECT asked.place AS "place!", key_id AS "key_id!", key_name AS "key_name!", scopes AS "scopes!",
                tenant_id AS "tenant_id!", tenant_name AS "tenant_name!", user_id AS "user_id!", user_name AS "user_name!",
                email AS "email!", role AS "role!", cell_id AS "cell_id!", state AS "state!"
            FROM unnest($1::bytea[], $2::timestamptz[], $3::text[]) WITH ORDINALITY AS asked (hash, at, used_from, place)
            CROSS JOIN LATERAL authenticate_key(asked.hash, asked.at, $4, asked.used_from)"#,
            &column(asked, |each| each.hash.bytes().to_vec()),
            &column(asked, |each| each.now),
            &column(asked, |each| each.used_from.clone()),
            interval(limits::SESSION_TOUCH)
        )
        .fetch_all(database.pool())
        .await?;
        let found = rows.into_iter().map(|row| {
            let read = || {
                let session = Session {
                    // A key has no session; what ends or opens one by its id takes no keys.
                    id: SessionId::from(row.key_id),
                    tenant: row.tenant_id.into(),
                    tenant_name: row.tenant_name,
                    user: row.user_id.into(),
                    user_name: row.user_name,
                    email: row.email,
                    role: Role::stored(&row.role)?,
                    cell: row.cell_id.into(),
                    state: State::stored(&row.state)?,
                    proved_at: OffsetDateTime::UNIX_EPOCH,
                    by_key: true,
                };
                let scopes = row.scopes.iter().filter_map(|scope| Scope::stored(scope)).collect();
                Ok(Found {
                    session,
                    name: row.key_name,
                    scopes,
                })
            };
            (row.place, read())
        });
        Ok(found.collect())
    }
}

/// A key that works no more.
pub(crate) struct Ended {
    pub tenant: TenantId,
    pub name: String,
}

/// Whose a key is that does not work, if it ever did and is still known.
pub(crate) async fn ended(database: &Database, hash: TokenHash) -> Result<Option<Ended>, StorageError> {
    let mut transaction = database.begin().await?;
    sqlx::query!("SELECT set_config('holdfast.token', $1, true) AS token", hash.hex())
        .fetch_one(&mut *transaction)
        .await?;
    let found = sqlx::query_as!(
        Ended,
        r#"SELECT tenant_id AS "tenant!", name AS "name!" FROM ended_api_keys WHERE key_hash = $1
         UNION ALL SELECT tenant_id, name FROM api_keys WHERE key_hash = $1"#,
        hash.bytes()
    );
    Ok(found.fetch_optional(&mut *transaction).await?)
}

/// A key as its holder sees it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: ApiKeyId,
    pub name: String,
    pub hint: String,
    pub scopes: Vec<Scope>,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub replaced_at: Option<OffsetDateTime>,
    pub last_used_at: Option<OffsetDateTime>,
    pub last_used_from: String,
}

/// The keys of a person or of a service account that was looked up, the newest first.
pub(crate) async fn list(transaction: &mut TenantTransaction, holder: UserId) -> Result<Vec<Listed>, StorageError> {
    let rows = sqlx::query!(
        "SELECT id, name, hint, scopes, created_at, expires_at, replaced_at, last_used_at, last_used_from FROM api_keys
         WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC",
        transaction.tenant().uuid(),
        holder.uuid()
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| Listed {
            id: row.id.into(),
            name: row.name,
            hint: row.hint,
            scopes: row.scopes.iter().filter_map(|scope| Scope::stored(scope)).collect(),
            created_at: row.created_at,
            expires_at: row.expires_at,
            replaced_at: row.replaced_at,
            last_used_at: row.last_used_at,
            last_used_from: row.last_used_from,
        })
        .collect())
}

/// What a new key is made from.
pub(crate) struct NewKey<'a> {
    /// The person who asks, or a service account that was looked up.
    pub holder: UserId,
    pub name: &'a Name,
    pub scopes: &'a [Scope],
    pub key: &'a ApiKey,
    pub now: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Adds a key; `None` when its holder has as many as one may have. Keys that were replaced do not count, and those that are over go, as do
/// those that ended longest ago.
pub(crate) async fn create(
    transaction: &mut TenantTransaction,
    new: NewKey<'_>,
) -> Result<Option<Listed>, StorageError> {
    let tenant = transaction.tenant().uuid();
    // Two at the same time count one after the other.
    sqlx::query!(
        "SELECT FROM users WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
        tenant,
        new.holder.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "DELETE FROM api_keys WHERE tenant_id = $1 AND user_id = $2 AND expires_at <= $3",
        tenant,
        new.holder.uuid(),
        new.now
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "DELETE FROM ended_api_keys WHERE tenant_id = $1 AND number IN (
            SELECT number FROM ended_api_keys WHERE tenant_id = $1 ORDER BY number DESC OFFSET $2)",
        tenant,
        limits::ENDED_KEYS_KNOWN
    )
    .execute(&mut **transaction)
    .await?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_keys
           WHERE tenant_id = $1 AND user_id = $2 AND replaced_at IS NULL"#,
        tenant,
        new.holder.uuid()
    );
    if count.fetch_one(&mut **transaction).await? >= limits::KEYS_PER_ACCOUNT {
        return Ok(None);
    }
    let id = ApiKeyId::new();
    let scopes: Vec<String> = new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let (hint, hash) = (new.key.hint(), new.key.hash());
    sqlx::query!(
        "INSERT INTO api_keys (id, tenant_id, user_id, name, key_hash, hint, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.uuid(),
        tenant,
        new.holder.uuid(),
        new.name.as_str(),
        hash.bytes(),
        hint,
        &scopes,
        new.now,
        new.expires_at
    )
    .execute(&mut **transaction)
    .await?;
    Ok(Some(Listed {
        id,
        name: new.name.as_str().to_owned(),
        hint,
        scopes: new.scopes.to_vec(),
        created_at: new.now,
        expires_at: new.expires_at,
        replaced_at: None,
        last_used_at: None,
        last_used_from: String::new(),
    }))
}

/// A key that is to be replaced.
pub(crate) struct Replaceable {
    pub holder: UserId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Lets a key work until `until` at most, since another takes its place. `None` if the person has no such key that works and was
/// not replaced: one's own, or, for who manages the organisation, a service account's.
pub(crate) async fn replace(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: ApiKeyId,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Option<Replaceable>, StorageError> {
    let row = sqlx::query!(
        r#"WITH old AS (
            SELECT k.id, k.expires_at FROM api_keys k JOIN users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id
            WHERE k.tenant_id = $1 AND k.id = $2 AND (k.user_id = $3 OR (u.kind = 'service' AND $4))
                AND k.expires_at > $5 AND k.replaced_at IS NULL
            FOR UPDATE OF k)
         UPDATE api_keys k SET replaced_at = $5, expires_at = least(k.expires_at, $6) FROM old
         WHERE k.tenant_id = $1 AND k.id = old.id
         RETURNING k.user_id, k.name, k.scopes, k.created_at, old.expires_at"#,
        transaction.tenant().uuid(),
        id.uuid(),
        person.session().user.uuid(),
        person.manages(),
        now,
        until
    );
    let row = row.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|row| Replaceable {
        holder: row.user_id.into(),
        name: row.name,
        scopes: row.scopes.iter().filter_map(|scope| Scope::stored(scope)).collect(),
        created_at: row.created_at,
        expires_at: row.expires_at,
    }))
}

/// Ends a key at once: its name, or `None` if the person has no such key: one's own, or, for who manages the organisation, a
/// service account's.
pub(crate) async fn revoke(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
    id: ApiKeyId,
) -> Result<Option<String>, StorageError> {
    let name = sqlx::query_scalar!(
        "DELETE FROM api_keys k USING users u
         WHERE k.tenant_id = $1 AND k.id = $2 AND u.tenant_id = k.tenant_id AND u.id = k.user_id
            AND (k.user_id = $3 OR (u.kind = 'service' AND $4))
         RETURNING k.name",
        transaction.tenant().uuid(),
        id.uuid(),
        person.session().user.uuid(),
        person.manages()
    );
    Ok(name.fetch_optional(&mut **transaction).await?)
}

/// Ends every key of a person or a service account.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction, holder: UserId) -> Result<u64, StorageError> {
    let removed = sqlx::query!(
        "DELETE FROM api_keys WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        holder.uuid()
    );
    Ok(removed.execute(&mut **transaction).await?.rows_affected())
}
