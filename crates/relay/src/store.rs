//! What the relay reads from its database, and the mailboxes that it makes there. Envelopes are written by the writer alone.

use protocol::EnvelopeId;
use protocol::relay::MailboxKey;
use sqlx::{PgPool, Row as _};

use crate::limits;
use crate::mailbox::{Content, Mailboxes, Stored, ToFeed, Waiting};

/// Reads all mailboxes and what waits in them.
pub(crate) async fn load(pool: &PgPool, mailboxes: &Mailboxes) -> Result<(), sqlx::Error> {
    let rows = sqlx::query("SELECT id, key FROM mailboxes").fetch_all(pool).await?;
    for row in rows {
        if let Ok(key) = row.get::<Vec<u8>, _>("key").try_into() {
            mailboxes.add(MailboxKey(key), row.get("id"));
        }
    }
    let rows = sqlx::query(
        "SELECT mailbox, sender, coalesce(sum(octet_length(sealed)), 0)::bigint AS bytes, array_agg(number) AS numbers,
            array_agg(id) FILTER (WHERE sealed IS NOT NULL) AS ids
         FROM envelopes GROUP BY mailbox, sender",
    )
    .fetch_all(pool)
    .await?;
    for row in rows {
        if let Some(mailbox) = mailboxes.by_id(row.get("mailbox")) {
            let numbers: Vec<i64> = row.get("numbers");
            let bytes = u64::try_from(row.get::<i64, _>("bytes")).unwrap_or(0);
            let ids: Option<Vec<uuid::Uuid>> = row.get("ids");
            let ids = ids.into_iter().flatten().map(EnvelopeId::from);
            mailbox.found(row.get("sender"), &numbers, ids, bytes);
        }
    }
    Ok(())
}

/// The row of a mailbox, made if it is missing.
pub(crate) async fn mailbox(pool: &PgPool, key: &MailboxKey) -> Result<i64, sqlx::Error> {
    sqlx::query("INSERT INTO mailboxes (key) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(&key.0[..])
        .execute(pool)
        .await?;
    sqlx::query_scalar("SELECT id FROM mailboxes WHERE key = $1")
        .bind(&key.0[..])
        .fetch_one(pool)
        .await
}

/// Somebody is connected to it.
pub(crate) async fn seen(pool: &PgPool, mailbox: i64) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE mailboxes SET seen = current_date WHERE id = $1 AND seen < current_date")
        .bind(mailbox)
        .execute(pool)
        .await?;
    Ok(())
}

/// Lets the mailboxes go that nobody has used for long: nothing was revoked by them, and nothing waits that they sent or are to fetch.
pub(crate) async fn let_go(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM mailboxes m WHERE seen < current_date - $1
            AND NOT EXISTS (SELECT FROM epochs WHERE issuer = m.id)
            AND NOT EXISTS (SELECT FROM envelopes WHERE mailbox = m.id)
            AND NOT EXISTS (SELECT FROM envelopes WHERE sender = m.id)",
    )
    .bind(limits::UNUSED_DAYS)
    .execute(pool)
    .await?;
    Ok(())
}

/// The next of what waits in a mailbox, in order.
pub(crate) async fn waiting(pool: &PgPool, mailbox: i64, asked: ToFeed) -> Result<Vec<Stored>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT number, sender, id, at, sealed, returned FROM envelopes
         WHERE mailbox = $1 AND number > $2 ORDER BY number LIMIT $3",
    )
    .bind(mailbox)
    .bind(asked.after)
    .bind(i64::try_from(asked.at_most).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let sealed: Option<Vec<u8>> = row.get("sealed");
            let returned: Option<Vec<u8>> = row.get("returned");
            let content = match (sealed, returned.and_then(|key| key.try_into().ok())) {
                (Some(sealed), _) => Content::Sealed(sealed.into()),
                (None, Some(key)) => Content::Returned(MailboxKey(key)),
                (None, None) => return Err(sqlx::Error::RowNotFound),
            };
            Ok(Stored {
                waiting: Waiting {
                    number: row.get("number"),
                    sender: row.get("sender"),
                    id: EnvelopeId::from(row.get::<uuid::Uuid, _>("id")),
                    bytes: match &content {
                        Content::Sealed(sealed) => sealed.len(),
                        Content::Returned(_) => 0,
                    },
                },
                at: row.get("at"),
                content,
            })
        })
        .collect()
}

/// An envelope that has waited too long.
pub(crate) struct Expired {
    pub mailbox: i64,
    pub waiting: Waiting,
    /// It came back once already: nobody is told again.
    pub was_returned: bool,
}

/// The next of those that were taken before `before`, behind this mailbox and number: fewer than `SWEEP_ROWS` are the last.
pub(crate) async fn expired(pool: &PgPool, before: i64, after: (i64, i64)) -> Result<Vec<Expired>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT mailbox, number, sender, id, coalesce(octet_length(sealed), 0) AS bytes, returned IS NOT NULL AS was_returned
         FROM envelopes WHERE at < $1 AND (mailbox, number) > ($2, $3) ORDER BY mailbox, number LIMIT $4",
    )
    .bind(before)
    .bind(after.0)
    .bind(after.1)
    .bind(i64::try_from(limits::SWEEP_ROWS).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Expired {
            mailbox: row.get("mailbox"),
            waiting: Waiting {
                number: row.get("number"),
                sender: row.get("sender"),
                id: EnvelopeId::from(row.get::<uuid::Uuid, _>("id")),
                bytes: usize::try_from(row.get::<i32, _>("bytes")).unwrap_or(0),
            },
            was_returned: row.get("was_returned"),
        })
        .collect())
}
