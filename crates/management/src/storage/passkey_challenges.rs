//! What passkeys are to sign: 32 random bytes, kept as their hash until they come back signed, once.

use time::OffsetDateTime;

use super::StorageError;
use crate::database::Database;
use crate::secret_token::TokenHash;

/// What the signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Showing a passkey that is there.
    Show,
    /// Making a new one.
    Enrol,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Show => "show",
            Self::Enrol => "enrol",
        }
    }
}

/// Keeps a challenge for a browser, and clears away those that are over.
pub(crate) async fn keep(
    database: &Database,
    challenge: TokenHash,
    browser: TokenHash,
    purpose: Purpose,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), StorageError> {
    sqlx::query!("DELETE FROM passkey_challenges WHERE expires_at <= $1", now)
        .execute(database.pool())
        .await?;
    sqlx::query!(
        "INSERT INTO passkey_challenges (challenge_hash, browser_hash, purpose, expires_at) VALUES ($1, $2, $3, $4)",
        challenge.bytes(),
        browser.bytes(),
        purpose.as_str(),
        expires_at
    )
    .execute(database.pool())
    .await?;
    Ok(())
}

/// Uses a challenge up, whatever comes of it; false if it is none of this browser's for this purpose, or over.
pub(crate) async fn take(
    database: &Database,
    challenge: TokenHash,
    browser: TokenHash,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, StorageError> {
    let taken = sqlx::query!(
        "DELETE FROM passkey_challenges
         WHERE challenge_hash = $1 AND browser_hash = $2 AND purpose = $3 AND expires_at > $4",
        challenge.bytes(),
        browser.bytes(),
        purpose.as_str(),
        now
    );
    Ok(taken.execute(database.pool()).await?.rows_affected() == 1)
}
