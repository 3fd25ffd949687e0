//! What people show besides their mailbox: authenticators, backup codes, and how often they were wrong.

use std::time::Duration;

use protocol::UserId;
use time::OffsetDateTime;

use super::interval::interval;
use super::{StorageError, TenantTransaction};
use crate::access::Enroller;
use crate::limits;

/// What somebody can show, and whether they must.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub authenticator: bool,
    pub passkeys: i64,
    pub backup_codes: i64,
    /// The organisation asks everybody for a second factor.
    pub required: bool,
}

impl Standing {
    /// Whether there is anything to ask for besides backup codes.
    pub(crate) fn has_factor(&self) -> bool {
        self.authenticator || self.passkeys > 0
    }
}

pub(crate) async fn standing(transaction: &mut TenantTransaction, user: UserId) -> Result<Standing, StorageError> {
    let row = sqlx::query!(
        r#"SELECT t.second_factor_required,
            EXISTS (SELECT FROM authenticators a
                WHERE a.tenant_id = $1 AND a.user_id = $2 AND a.confirmed_at IS NOT NULL) AS "authenticator!",
            (SELECT count(*) FROM passkeys p WHERE p.tenant_id = $1 AND p.user_id = $2) AS "passkeys!",
            (SELECT count(*) FROM backup_codes b WHERE b.tenant_id = $1 AND b.user_id = $2) AS "backup_codes!"
         FROM tenants t WHERE t.id = $1"#,
        transaction.tenant().uuid(),
        user.uuid()
    )
    .fetch_one(&mut **transaction)
    .await?;
    Ok(Standing {
        authenticator: row.authenticator,
        passkeys: row.passkeys,
        backup_codes: row.backup_codes,
        required: row.second_factor_required,
    })
}

/// What a person's factors decide, a new factor or a new session, is decided one after the other, and while their organisation asks for
/// what it asks for now: what is read after this stays true until the transaction ends. False: they were suspended meanwhile.
pub(crate) async fn one_at_a_time(transaction: &mut TenantTransaction, user: UserId) -> Result<bool, StorageError> {
    super::tenants::hold(transaction).await?;
    // A foreign key that points to the person is no reason to wait.
    let stands = sqlx::query!(
        "SELECT id FROM users WHERE tenant_id = $1 AND id = $2 AND deactivated_at IS NULL FOR NO KEY UPDATE",
        transaction.tenant().uuid(),
        user.uuid()
    );
    Ok(stands.fetch_optional(&mut **transaction).await?.is_some())
}

/// Somebody may set up a factor at this moment, and nobody else does for them until the transaction ends.
pub(crate) struct Enrolment {
    user: UserId,
    pub standing: Standing,
}

impl Enrolment {
    pub(super) fn user(&self) -> UserId {
        self.user
    }
}

/// Whether whoever asks may set up a factor: where there is one by now, it was shown in their session. `None` if it was not, or if the
/// session has ended meanwhile. Two who ask for the same person go one after the other, and the second one finds what the first has made.
pub(crate) async fn enrolment(
    transaction: &mut TenantTransaction,
    enroller: &Enroller,
) -> Result<Option<Enrolment>, StorageError> {
    let session = enroller.session();
    if !one_at_a_time(transaction, session.user).await? {
        return Ok(None);
    }
    let shown = sqlx::query_scalar!(
        "SELECT second_factor FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        transaction.tenant().uuid(),
        session.user.uuid(),
        session.id.uuid()
    );
    let Some(shown) = shown.fetch_optional(&mut **transaction).await? else {
        return Ok(None);
    };
    let standing = standing(transaction, session.user).await?;
    Ok((shown || !standing.has_factor()).then_some(Enrolment {
        user: session.user,
        standing,
    }))
}

/// Counts a try before it is looked at; how long to wait instead, if there were too many wrong ones.
pub(crate) async fn begin_try(
    transaction: &mut TenantTransaction,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Option<Duration>, StorageError> {
    let tenant = transaction.tenant().uuid();
    let counted = sqlx::query_scalar!(
        "INSERT INTO factor_attempts AS f (tenant_id, user_id, failures, next_at) VALUES ($1, $2, 1, $3)
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET failures = least(f.failures + 1, 1000), next_at = CASE
            WHEN f.failures + 1 <= $4 THEN $3
            ELSE $3 + least(interval '1 second' * power(2, least(f.failures - $4, 20)), $5) END
         WHERE f.next_at <= $3 RETURNING failures",
        tenant,
        user.uuid(),
        now,
        limits::FACTOR_TRIES_FREE,
        interval(limits::FACTOR_WAIT)
    )
    .fetch_optional(&mut **transaction)
    .await?;
    if counted.is_some() {
        return Ok(None);
    }
    let next_at = sqlx::query_scalar!(
        "SELECT next_at FROM factor_attempts WHERE tenant_id = $1 AND user_id = $2",
        tenant,
        user.uuid()
    )
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(next_at.map(|at| (at - now).try_into().unwrap_or(Duration::ZERO)))
}

/// The try was right: forgets those before.
pub(crate) async fn end_tries(transaction: &mut TenantTransaction, user: UserId) -> Result<(), StorageError> {
    sqlx::query!(
        "DELETE FROM factor_attempts WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The sealed secret of somebody's authenticator: the confirmed one, or the one that waits for its first code.
pub(crate) async fn sealed_secret(
    transaction: &mut TenantTransaction,
    user: UserId,
    confirmed: bool,
) -> Result<Option<Vec<u8>>, StorageError> {
    let secret = sqlx::query_scalar!(
        "SELECT sealed_secret FROM authenticators
         WHERE tenant_id = $1 AND user_id = $2 AND (confirmed_at IS NOT NULL) = $3",
        transaction.tenant().uuid(),
        user.uuid(),
        confirmed
    );
    Ok(secret.fetch_optional(&mut **transaction).await?)
}

/// Keeps a secret that waits for its first code; false if there is a confirmed one.
pub(crate) async fn begin_authenticator(
    transaction: &mut TenantTransaction,
    enrolment: &Enrolment,
    sealed: &[u8],
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let written = sqlx::query!(
        "INSERT INTO authenticators AS a (tenant_id, user_id, sealed_secret, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET sealed_secret = $3, created_at = $4, last_step = 0
         WHERE a.confirmed_at IS NULL",
        transaction.tenant().uuid(),
        enrolment.user.uuid(),
        sealed,
        now
    );
    Ok(written.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// The first code was right; false if another request was faster.
pub(crate) async fn confirm_authenticator(
    transaction: &mut TenantTransaction,
    enrolment: &Enrolment,
    step: i64,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let written = sqlx::query!(
        "UPDATE authenticators SET confirmed_at = $3, last_step = $4
         WHERE tenant_id = $1 AND user_id = $2 AND confirmed_at IS NULL",
        transaction.tenant().uuid(),
        enrolment.user.uuid(),
        now,
        step
    );
    Ok(written.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Takes the code of a time step; false if that one or a later one was taken before.
pub(crate) async fn use_step(
    transaction: &mut TenantTransaction,
    user: UserId,
    step: i64,
) -> Result<bool, StorageError> {
    let used = sqlx::query!(
        "UPDATE authenticators SET last_step = $3
         WHERE tenant_id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL AND last_step < $3",
        transaction.tenant().uuid(),
        user.uuid(),
        step
    );
    Ok(used.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Uses a backup code up; false if it is none.
pub(crate) async fn use_backup_code(
    transaction: &mut TenantTransaction,
    user: UserId,
    hash: &[u8; 32],
) -> Result<bool, StorageError> {
    let used = sqlx::query!(
        "DELETE FROM backup_codes WHERE tenant_id = $1 AND user_id = $2 AND code_hash = $3",
        transaction.tenant().uuid(),
        user.uuid(),
        hash.as_slice()
    );
    Ok(used.execute(&mut **transaction).await?.rows_affected() == 1)
}

/// Puts new backup codes in place of the old ones.
pub(crate) async fn replace_backup_codes(
    transaction: &mut TenantTransaction,
    user: UserId,
    hashes: &[[u8; 32]],
) -> Result<(), StorageError> {
    let tenant = transaction.tenant().uuid();
    sqlx::query!(
        "DELETE FROM backup_codes WHERE tenant_id = $1 AND user_id = $2",
        tenant,
        user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    sqlx::query!(
        "INSERT INTO backup_codes (tenant_id, user_id, code_hash) SELECT $1, $2, unnest($3::bytea[])",
        tenant,
        user.uuid(),
        &hashes
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Takes the authenticator away; false if there was none that counted.
pub(crate) async fn remove_authenticator(
    transaction: &mut TenantTransaction,
    user: UserId,
) -> Result<bool, StorageError> {
    let confirmed = sqlx::query_scalar!(
        r#"DELETE FROM authenticators WHERE tenant_id = $1 AND user_id = $2 RETURNING confirmed_at IS NOT NULL AS "confirmed!""#,
        transaction.tenant().uuid(),
        user.uuid()
    );
    Ok(confirmed.fetch_optional(&mut **transaction).await?.unwrap_or(false))
}

/// Takes every factor away: authenticator, passkeys, backup codes, and how often codes were wrong.
pub(crate) async fn remove_all(transaction: &mut TenantTransaction, user: UserId) -> Result<(), StorageError> {
    remove_authenticator(transaction, user).await?;
    replace_backup_codes(transaction, user, &[]).await?;
    end_tries(transaction, user).await?;
    sqlx::query!(
        "DELETE FROM passkeys WHERE tenant_id = $1 AND user_id = $2",
        transaction.tenant().uuid(),
        user.uuid()
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
