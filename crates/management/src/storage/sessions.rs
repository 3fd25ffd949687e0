//! Sessions, found by the hash of the cookie's token.

use std::time::Duration;

use protocol::{CellId, SessionId, TenantId, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::gathered::{LookedUp, Placed, column};
use super::interval::interval;
use super::{StorageError, TenantTransaction, push_devices};
use crate::access::SignedIn;
use crate::chosen::SessionTimes;
use crate::database::Database;
use crate::limits;
use crate::person::Role;
use crate::secret_token::TokenHash;
use crate::session::Way;

/// How far signing in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// A second factor is still to be shown.
    Factor,
    /// A second factor is still to be set up.
    Enrol,
    Full,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Factor => "factor",
            Self::Enrol => "enrol",
            Self::Full => "full",
        }
    }

    pub(super) fn stored(text: &str) -> Result<Self, StorageError> {
        Ok(match text {
            "factor" => Self::Factor,
            "enrol" => Self::Enrol,
            "full" => Self::Full,
            _ => return Err(StorageError::Unreadable("state of a session")),
        })
    }
}

/// A session that is not over, and the person whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub id: SessionId,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub user: UserId,
    pub user_name: String,
    pub email: String,
    pub role: Role,
    pub cell: CellId,
    pub state: State,
    pub proved_at: OffsetDateTime,
    /// A program with an API key, and no browser.
    pub by_key: bool,
}

impl Session {
    /// Who makes its requests: the person in all their browsers, or the key, whose id stands in for a session's.
    pub(crate) fn asker(&self) -> Uuid {
        match self.by_key {
            true => self.id.uuid(),
            false => self.user.uuid(),
        }
    }
}

/// A session's token, as a request showed it.
pub(crate) struct Presented {
    hash: TokenHash,
    now: OffsetDateTime,
    idle: Duration,
    used_from: String,
}

/// The session with this token, if it is not over. Notes that it was used, and from where.
pub(crate) async fn authenticate(
    database: &Database,
    hash: TokenHash,
    (now, idle): (OffsetDateTime, Duration),
    used_from: &str,
) -> Result<Option<Session>, StorageError> {
    let presented = Presented {
        hash,
        now,
        idle,
        used_from: used_from.to_owned(),
    };
    database.look_ups().sessions.ask(database, presented).await
}

impl LookedUp for Presented {
    type Found = Session;

    async fn look_up(database: &Database, asked: &[Self]) -> Result<Placed<Session>, StorageError> {
        let rows = sqlx::query!(
            r#"SELECT asked.place AS "place!", session_id AS "session_id!", tenant_id AS "tenant_id!", tenant_name AS "tenant_name!",
                user_id AS "user_id!", user_name AS "user_name!", email AS "email!", role AS "role!", cell_id AS "cell_id!",
                state AS "state!", proved_at AS "proved_at!"
            FROM unnest($1::bytea[], $2::timestamptz[], $3::interval[], $4::text[]) WITH ORDINALITY AS asked (hash, at, idle, used_from, place)
            CROSS JOIN LATERAL authenticate(asked.hash, asked.at, asked.idle, $5, asked.used_from)"#,
            &column(asked, |each| each.hash.bytes().to_vec()),
            &column(asked, |each| each.now),
            &column(asked, |each| interval(each.idle)),
            &column(asked, |each| each.used_from.clone()),
            interval(limits::SESSION_TOUCH)
        )
        .fetch_all(database.pool())
        .await?;
        let found = rows.into_iter().map(|row| {
            let read = || {
                Ok(Session {
                    id: row.session_id.into(),
                    tenant: row.tenant_id.into(),
                    tenant_name: row.tenant_name,
                    user: row.user_id.into(),
                    user_name: row.user_name,
                    email: row.email,
                    role: Role::stored(&row.role)?,
                    cell: row.cell_id.into(),
                    state: State::stored(&row.state)?,
                    proved_at: row.proved_at,
                    by_key: false,
                })
            };
            (row.place, read())
        });
        Ok(found.collect())
    }
}

/// A session to be made.
pub(crate) struct NewSession<'a> {
    pub id: SessionId,
    pub user: UserId,
    pub hash: TokenHash,
    pub state: State,
    pub method: &'static str,
    pub second_factor: bool,
    pub proved_at: OffsetDateTime,
    pub device: &'a str,
    pub address: &'a str,
    pub now: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub times: SessionTimes,
}

/// Adds a session; clears away those of the same person that are over, and the least used ones beyond the limit: whole ones for a whole one,
/// and for a half one half ones, which whoever reads their mail can begin.
pub(crate) async fn create(transaction: &mut TenantTransaction, new: NewSession<'_>) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND (expires_at <= $3 OR last_seen_at <= $3 - $4::interval)",
        tenant,
        new.user.uuid(),
        new.now,
        interval(new.times.idle)
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "DELETE FROM sessions WHERE tenant_id = $1 AND id IN (
            SELECT id FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND (state = 'full') = $4
            ORDER BY last_seen_at DESC, id DESC OFFSET $3)",
        tenant,
        new.user.uuid(),
        new.times.per_person - 1,
        new.state == State::Full
    )
    .execute(&mut **transaction)
    .await?;
    sqlx::query!(
        "INSERT INTO sessions (id, tenant_id, user_id, token_hash, created_at, last_seen_at, expires_at, state, method,
            second_factor, proved_at, device, address)
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.id.uuid(),
        tenant,
        new.user.uuid(),
        new.hash.bytes(),
        new.now,
        new.expires_at,
        new.state.as_str(),
        new.method,
        new.second_factor,
        new.proved_at,
        new.device,
        new.address
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// How a session was begun; none if it has ended meanwhile.
pub(crate) async fn way(transaction: &mut TenantTransaction, session: SessionId) -> Result<Option<Way>, StorageError> {
    let method = sqlx::query_scalar!(
        "SELECT method FROM sessions WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        session.uuid()
    );
    let method = method.fetch_optional(&mut **transaction).await?;
    method.as_deref().map(Way::stored).transpose()
}

/// A session as its person sees it.
pub(crate) struct Listed {
    pub id: SessionId,
    pub device: String,
    pub address: String,
    pub method: String,
    pub created_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
}

/// Where somebody is signed in, the last used first.
pub(crate) async fn list(
    transaction: &mut TenantTransaction,
    user: UserId,
    (now, idle): (OffsetDateTime, Duration),
) -> Result<Vec<Listed>, StorageError> {
    let rows = sqlx::query!(
        "SELECT id, device, address, method, created_at, last_seen_at FROM sessions
         WHERE tenant_id = $1 AND user_id = $2 AND state = 'full' AND expires_at > $3 AND last_seen_at > $3 - $4::interval
         ORDER BY last_seen_at DESC, id DESC",
        transaction.tenant().uuid(),
        user.uuid(),
        now,
        interval(idle)
    );
    let rows = rows.fetch_all(&mut **transaction).await?;
    Ok(rows
        .into_iter()
        .map(|row| Listed {
            id: row.id.into(),
            device: row.device,
            address: row.address,
            method: row.method,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        })
        .collect())
}

/// Ends one session of a person, and with it what is told to the device: which device, or `None` if they have no such session.
pub(crate) async fn end(
    transaction: &mut TenantTransaction,
    user: UserId,
    session: SessionId,
) -> Result<Option<String>, StorageError> {
    let ended = sqlx::query_scalar!(
        "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND id = $3 RETURNING device",
        transaction.tenant().uuid(),
        user.uuid(),
        session.uuid()
    );
    let ended = ended.fetch_optional(&mut **transaction).await?;
    if ended.is_some() {
        push_devices::remove_of_session(transaction, session).await?;
    }
    Ok(ended)
}

/// Ends every session of a person but, perhaps, one, and what is told to the other devices; how many.
pub(crate) async fn end_all(
    transaction: &mut TenantTransaction,
    user: UserId,
    but: Option<SessionId>,
) -> Result<u64, StorageError> {
    let ended = sqlx::query!(
        "DELETE FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND ($3::uuid IS NULL OR id <> $3)",
        transaction.tenant().uuid(),
        user.uuid(),
        but.map(SessionId::uuid)
    );
    let ended = ended.execute(&mut **transaction).await?.rows_affected();
    push_devices::remove_all(transaction, user, but).await?;
    Ok(ended)
}

/// Ends the session that this token is of, in whichever tenant that is.
pub(crate) async fn end_presented(transaction: &mut TenantTransaction, hash: TokenHash) -> Result<(), StorageError> {
    // A token is looked for where no tenant is set; what follows sets it again.
    sqlx::query!(
        "SELECT set_config('holdfast.tenant', '', true) AS tenant, set_config('holdfast.token', $1, true) AS token",
        hash.hex()
    )
    .fetch_one(&mut **transaction)
    .await?;
    let tenant = sqlx::query_scalar!("SELECT tenant_id FROM sessions WHERE token_hash = $1", hash.bytes())
        .fetch_optional(&mut **transaction)
        .await?;
    let tenant = tenant.map_or(transaction.tenant(), TenantId::from);
    let end = async |of_it: &mut TenantTransaction| {
        let ended = sqlx::query!(
            "DELETE FROM sessions WHERE tenant_id = $1 AND token_hash = $2",
            of_it.tenant().uuid(),
            hash.bytes()
        );
        ended.execute(&mut **of_it).await?;
        Ok(())
    };
    transaction.for_another(tenant, end).await
}

/// Notes that a second factor was just shown in a session, by who presented the token of the first hash, and gives it the token of the second
/// in its place: until when the session lasts at most. `None` if it has ended meanwhile, or has another token by now.
pub(crate) async fn renew(
    transaction: &mut TenantTransaction,
    session: SessionId,
    (presented, new): (TokenHash, TokenHash),
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, StorageError> {
    let expires_at = sqlx::query_scalar!(
        "UPDATE sessions SET token_hash = $4, proved_at = $5, second_factor = true
         WHERE tenant_id = $1 AND id = $2 AND token_hash = $3 RETURNING expires_at",
        transaction.tenant().uuid(),
        session.uuid(),
        presented.bytes(),
        new.bytes(),
        now
    );
    Ok(expires_at.fetch_optional(&mut **transaction).await?)
}

/// How a session was begun.
pub(crate) struct Begun {
    pub created_at: OffsetDateTime,
    /// Shown then or since.
    pub second_factor: bool,
}

/// How the person's session was begun; none if it has ended meanwhile.
pub(crate) async fn begun(
    transaction: &mut TenantTransaction,
    person: &SignedIn,
) -> Result<Option<Begun>, StorageError> {
    Ok(sqlx::query_as!(
        Begun,
        "SELECT created_at, second_factor FROM sessions WHERE tenant_id = $1 AND id = $2",
        transaction.tenant().uuid(),
        person.session().id.uuid()
    )
    .fetch_optional(&mut **transaction)
    .await?)
}

/// Ends every session of the tenant in which no second factor was shown, or of whose person there is none any more, but for one; how
/// many. Devices are told on: nobody suspects those whose they are.
pub(crate) async fn end_without_factor(
    transaction: &mut TenantTransaction,
    but: SessionId,
) -> Result<u64, StorageError> {
    let ended = sqlx::query!(
        "DELETE FROM sessions s WHERE s.tenant_id = $1 AND s.state = 'full' AND s.id <> $2 AND NOT (s.second_factor AND (
            EXISTS (SELECT FROM authenticators a
                WHERE a.tenant_id = s.tenant_id AND a.user_id = s.user_id AND a.confirmed_at IS NOT NULL)
            OR EXISTS (SELECT FROM passkeys p WHERE p.tenant_id = s.tenant_id AND p.user_id = s.user_id)))",
        transaction.tenant().uuid(),
        but.uuid()
    );
    Ok(ended.execute(&mut **transaction).await?.rows_affected())
}

/// A session that lets its person in.
pub(crate) struct Stands {
    /// For how many hours at most their organisation lets agents work while nobody is there.
    pub time_alone_hours: i16,
    /// It wants a second person for what agents change.
    pub second_person: bool,
}

/// Whether a session still lets its person in now, if it ends when it was not used for so long; notes that it was used if it was.
pub(crate) async fn stands(
    database: &Database,
    tenant: TenantId,
    user: UserId,
    session: SessionId,
    (now, idle): (OffsetDateTime, Duration),
    used: bool,
) -> Result<Option<Stands>, StorageError> {
    let mut transaction = TenantTransaction::begin(database, tenant).await?;
    let stands = sqlx::query_as!(
        Stands,
        "SELECT t.time_alone_hours, t.second_person FROM sessions s JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
            JOIN tenants t ON t.id = s.tenant_id
         WHERE s.tenant_id = $1 AND s.user_id = $2 AND s.id = $3 AND s.state = 'full' AND s.expires_at > $4
            AND s.last_seen_at > $4 - $5::interval AND u.deactivated_at IS NULL",
        tenant.uuid(),
        user.uuid(),
        session.uuid(),
        now,
        interval(idle)
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if stands.is_some() && used {
        sqlx::query!(
            "UPDATE sessions SET last_seen_at = greatest(last_seen_at, $3) WHERE tenant_id = $1 AND id = $2",
            tenant.uuid(),
            session.uuid(),
            now
        )
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(stands)
}
