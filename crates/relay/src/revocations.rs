//! The blocklist: what issuers have revoked, in epochs that they signed. The database has it exactly; a filter in front says "not
//! revoked" in nanoseconds and is never wrong about what is. If the database cannot be asked, there is no answer.

mod filter;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::relay::epoch::{EpochError, EpochHead, FIRST, SignedEpoch};
use protocol::{CapabilityId, Millis};
use sqlx::{PgPool, Row as _};
use tokio::sync::watch;
use uuid::Uuid;

#[doc(hidden)]
pub use filter::Filter;

use crate::mailbox::Mailbox;
use crate::{database, limits, now_ms};

/// Why an epoch is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    #[error(transparent)]
    Epoch(#[from] EpochError),
    #[error("this mailbox publishes its own revocations only")]
    NotYours,
    #[error(
        "EPOCHS_A_DAY ({}) of this mailbox are kept, and EPOCHS_AT_ONCE ({}) that it had saved: bring it again later",
        limits::EPOCHS_A_DAY,
        limits::EPOCHS_AT_ONCE
    )]
    TooMany,
    #[error(
        "the epochs of this mailbox would have more than EPOCH_BYTES ({}): nothing more that it revokes is kept here, and its own keeper alone refuses it",
        limits::EPOCH_BYTES
    )]
    TooMuch,
    #[error("the relay's database does not answer: nothing was kept, try again")]
    Database(#[from] sqlx::Error),
}

/// The time after which a mailbox may publish one more.
const EPOCH_EVERY_MS: Millis = 24 * 60 * 60 * 1000 / limits::EPOCHS_A_DAY;

/// Keeps an epoch and counts it for its mailbox, or does neither: no epoch is written but by this. `epochs_until` is when the mailbox may
/// publish as many again as it may at once; a time that counting does not come to is of a clock that was ahead.
const KEEP: &str = "WITH mailbox AS (
       SELECT id, $7 + CASE WHEN epochs_until BETWEEN $6 AND $6 + $8 THEN epochs_until ELSE $6 END AS until
       FROM mailboxes WHERE id = $1 FOR UPDATE),
     counted AS (
       UPDATE mailboxes m SET epochs_until = mailbox.until, epoch_bytes = m.epoch_bytes + octet_length($5)
       FROM mailbox WHERE m.id = mailbox.id AND mailbox.until <= $6 + $8 AND m.epoch_bytes + octet_length($5) <= $9
       RETURNING m.id)
     INSERT INTO epochs (issuer, number, at, hash, epoch) SELECT id, $2, $3, $4, $5 FROM counted";

/// How a capability stands.
pub(crate) struct Checked {
    pub revoked: bool,
    pub epoch: u64,
    pub at: Millis,
}

/// The number of the last epoch of an issuer, and when it was signed.
type Newest = (u64, Millis);

pub(crate) struct Revocations {
    pool: PgPool,
    filter: Filter,
    /// By the row of the issuer's mailbox.
    newest: Mutex<HashMap<i64, watch::Sender<Newest>>>,
}

impl Revocations {
    /// Reads what is revoked.
    pub async fn load(pool: PgPool) -> Result<Self, sqlx::Error> {
        let filter = Filter::load(&pool, limits::FILTER_AT_FIRST).await?;
        let rows =
            sqlx::query("SELECT DISTINCT ON (issuer) issuer, number, at FROM epochs ORDER BY issuer, number DESC")
                .fetch_all(&pool)
                .await?;
        let newest = rows
            .into_iter()
            .map(|row| {
                let number: i64 = row.get("number");
                (
                    row.get("issuer"),
                    watch::Sender::new((number.cast_unsigned(), row.get("at"))),
                )
            })
            .collect();
        Ok(Self {
            pool,
            filter,
            newest: Mutex::new(newest),
        })
    }

    fn with_newest<T>(&self, issuer: i64, f: impl FnOnce(&watch::Sender<Newest>) -> T) -> T {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        f(newest.entry(issuer).or_insert_with(|| watch::Sender::new((0, 0))))
    }

    /// Tells those who follow it, unless they know.
    fn is_newest(&self, issuer: i64, epoch: Newest) {
        self.with_newest(issuer, |newest| {
            newest.send_if_modified(|known| {
                let is_newer = known.0 < epoch.0;
                if is_newer {
                    *known = epoch;
                }
                is_newer
            })
        });
    }

    /// The number of an issuer's last epoch; 0 for none.
    pub fn newest(&self, issuer: i64) -> u64 {
        self.with_newest(issuer, |newest| newest.borrow().0)
    }

    /// Follows it.
    pub fn watch(&self, issuer: i64) -> watch::Receiver<Newest> {
        self.with_newest(issuer, watch::Sender::subscribe)
    }

    /// Keeps an epoch, durably. One that is kept already is kept.
    pub async fn publish(&self, issuer: &Arc<Mailbox>, bytes: &[u8]) -> Result<u64, PublishError> {
        let signed = SignedEpoch::decode(bytes)?;
        let epoch = signed.epoch();
        if epoch.issuer != issuer.key {
            return Err(PublishError::NotYours);
        }
        let inserting = self.filter.inserting().await;
        let mut transaction = database::begin(&self.pool).await?;
        // One at a time of each issuer.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('holdfast/relay/epochs'), $1::int)")
            .bind(i32::try_from(issuer.id % i64::from(i32::MAX)).unwrap_or(0))
            .execute(&mut *transaction)
            .await?;
        let last = sqlx::query("SELECT number, hash FROM epochs WHERE issuer = $1 ORDER BY number DESC LIMIT 1")
            .bind(issuer.id)
            .fetch_optional(&mut *transaction)
            .await?;
        let mut head = last.map_or_else(EpochHead::default, |row| EpochHead {
            number: row.get::<i64, _>("number").cast_unsigned(),
            hash: row.get::<Vec<u8>, _>("hash").try_into().unwrap_or(FIRST),
        });
        if epoch.number == head.number && signed.hash() == head.hash {
            // Whoever published it may have gone between the commit and the word of it.
            self.is_newest(issuer.id, (epoch.number, epoch.at));
            return Ok(epoch.number);
        }
        signed.follow(&mut head)?;
        let number = epoch.number.cast_signed();
        let kept = sqlx::query(KEEP)
            .bind(issuer.id)
            .bind(number)
            .bind(epoch.at)
            .bind(&signed.hash()[..])
            .bind(bytes)
            .bind(now_ms())
            .bind(EPOCH_EVERY_MS)
            .bind(EPOCH_EVERY_MS * limits::EPOCHS_AT_ONCE)
            .bind(limits::EPOCH_BYTES)
            .execute(&mut *transaction)
            .await?;
        if kept.rows_affected() == 0 {
            let bytes_kept: i64 = sqlx::query_scalar("SELECT epoch_bytes FROM mailboxes WHERE id = $1")
                .bind(issuer.id)
                .fetch_one(&mut *transaction)
                .await?;
            return Err(
                match bytes_kept + i64::try_from(bytes.len()).unwrap_or(i64::MAX) > limits::EPOCH_BYTES {
                    true => PublishError::TooMuch,
                    false => PublishError::TooMany,
                },
            );
        }
        let revoked: Vec<Uuid> = epoch.revoked.iter().map(|capability| capability.uuid()).collect();
        sqlx::query(
            "INSERT INTO revoked (issuer, capability, number) SELECT $1, capability, $3 FROM unnest($2::uuid[]) AS u (capability)
             ON CONFLICT DO NOTHING",
        )
        .bind(issuer.id)
        .bind(&revoked)
        .bind(number)
        .execute(&mut *transaction)
        .await?;
        // Before the commit: afterwards the filter must not say that it is not revoked. The other way round costs a look-up.
        for capability in &epoch.revoked {
            inserting.insert(issuer.id, *capability);
        }
        transaction.commit().await?;
        drop(inserting);
        self.is_newest(issuer.id, (epoch.number, epoch.at));
        self.filter.grow(&self.pool).await;
        Ok(epoch.number)
    }

    /// How a capability stands.
    ///
    /// # Errors
    /// The filter cannot say, and the database does not.
    pub async fn check(&self, issuer: i64, capability: CapabilityId) -> Result<Checked, sqlx::Error> {
        // First: what is said to be up to date is not older than what is then looked up.
        let (epoch, at) = self.with_newest(issuer, |newest| *newest.borrow());
        let revoked = self.filter.may_contain(issuer, capability) && self.is_revoked(issuer, capability).await?;
        Ok(Checked { revoked, epoch, at })
    }

    async fn is_revoked(&self, issuer: i64, capability: CapabilityId) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM revoked WHERE issuer = $1 AND capability = $2)")
            .bind(issuer)
            .bind(capability.uuid())
            .fetch_one(&self.pool)
            .await
    }

    /// An issuer's epochs after a number, in order, some at a time.
    pub async fn epochs(&self, issuer: i64, after: u64) -> Result<Vec<(u64, Vec<u8>)>, sqlx::Error> {
        let rows =
            sqlx::query("SELECT number, epoch FROM epochs WHERE issuer = $1 AND number > $2 ORDER BY number LIMIT $3")
                .bind(issuer)
                .bind(i64::try_from(after).unwrap_or(i64::MAX))
                .bind(limits::FETCH_EPOCHS)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.get::<i64, _>("number").cast_unsigned(), row.get("epoch")))
            .collect())
    }
}
