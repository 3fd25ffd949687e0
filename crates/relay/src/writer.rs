//! The one writer of envelopes: whatever came while a commit was under way goes into the next one, in one statement. Each has its
//! number before it is first tried, so that a commit of which nobody knows whether it happened is simply made again. One that came before is
//! not written again while it waits, and is told to be kept when it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::relay::frame::RelayFrame;
use protocol::{EnvelopeId, Millis};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tracing::warn;
use uuid::Uuid;

use crate::connection::Outgoing;
use crate::database::{Database, DatabaseError};
use crate::limits;
use crate::mailbox::{Content, Mailbox, Stored, Waiting};
use crate::news::Hub;

/// What is to be written.
pub(crate) enum Job {
    Take(Take),
    Gone(Gone),
    /// It has waited too long: gone there, and back to its sender, in one commit; neither, where it was fetched before.
    Return(Gone, Option<Take>),
}

/// An envelope that is to be kept.
pub(crate) struct Take {
    pub to: Arc<Mailbox>,
    pub sender: i64,
    pub id: EnvelopeId,
    pub at: Millis,
    pub content: Content,
    pub reply: Option<Reply>,
}

/// Who is told that it is kept, and what it holds until then.
pub(crate) struct Reply {
    pub connection: u64,
    pub outgoing: Outgoing,
    pub window: OwnedSemaphorePermit,
    pub memory: OwnedSemaphorePermit,
}

/// What was acknowledged.
pub(crate) struct Gone {
    pub mailbox: Arc<Mailbox>,
    pub waiting: Vec<Waiting>,
}

pub(crate) struct Writer {
    database: Database,
    connection: PgConnection,
    jobs: mpsc::Receiver<Job>,
    news: Arc<Hub>,
    next: i64,
    reserved: i64,
}

/// Who the relay is, from its database.
pub(crate) struct Opened {
    pub writer: Writer,
    pub relay: [u8; 32],
}

impl Writer {
    /// Takes the database for this process alone.
    pub async fn open(database: Database, jobs: mpsc::Receiver<Job>, news: Arc<Hub>) -> Result<Opened, DatabaseError> {
        let until = Instant::now() + limits::DATABASE_WAIT;
        let mut connection = loop {
            match connect(&database).await {
                Ok(Some(connection)) => break connection,
                // A process that was killed a moment ago: its connection is still closing.
                Ok(None) if Instant::now() < until => tokio::time::sleep(limits::DATABASE_RETRY).await,
                Ok(None) => return Err(DatabaseError::InUse),
                Err(error) => return Err(DatabaseError::Unreachable(error)),
            }
        };
        let mut relay = [0_u8; 32];
        getrandom::fill(&mut relay).map_err(|error| DatabaseError::Unreachable(sqlx::Error::Io(error.into())))?;
        sqlx::query("INSERT INTO relay (id) VALUES ($1) ON CONFLICT DO NOTHING")
            .bind(&relay[..])
            .execute(&mut connection)
            .await
            .map_err(DatabaseError::Unreachable)?;
        let id: Vec<u8> = sqlx::query_scalar("SELECT id FROM relay")
            .fetch_one(&mut connection)
            .await
            .map_err(DatabaseError::Unreachable)?;
        relay.copy_from_slice(&id);
        let reserved = reserve(&mut connection).await.map_err(DatabaseError::Unreachable)?;
        let writer = Self {
            database,
            connection,
            jobs,
            news,
            next: reserved - limits::RESERVE + 1,
            reserved,
        };
        Ok(Opened { writer, relay })
    }

    /// Writes until nobody can send jobs any more.
    pub async fn run(mut self) {
        let mut jobs = Vec::with_capacity(limits::COMMIT_ROWS);
        while self.jobs.recv_many(&mut jobs, limits::COMMIT_ROWS).await > 0 {
            let batch = self.number(&mut jobs).await;
            self.commit(&batch).await;
            self.tell(batch);
        }
        let _closing = self.connection.close().await;
    }

    /// Gives each envelope its number.
    async fn number(&mut self, jobs: &mut Vec<Job>) -> Batch {
        let mut batch = Batch::default();
        for job in jobs.drain(..) {
            if let Some(take) = batch.put(job) {
                while self.next > self.reserved {
                    match reserve(&mut self.connection).await {
                        Ok(reserved) => (self.next, self.reserved) = (reserved - limits::RESERVE + 1, reserved),
                        Err(error) => self.reconnect(&error).await,
                    }
                }
                batch.taken.push(take.numbered(self.next));
                self.next += 1;
            }
        }
        batch
    }

    /// Commits, and again until it has happened.
    async fn commit(&mut self, batch: &Batch) {
        while let Err(error) = batch.write(&mut self.connection).await {
            self.reconnect(&error).await;
        }
    }

    async fn reconnect(&mut self, error: &sqlx::Error) {
        warn!(%error, "the relay's database does not answer; what came is written when it does");
        loop {
            tokio::time::sleep(limits::DATABASE_RETRY).await;
            if let Ok(Some(connection)) = connect(&self.database).await {
                self.connection = connection;
                return;
            }
        }
    }

    fn tell(&self, batch: Batch) {
        for gone in &batch.gone {
            gone.mailbox.gone(&gone.waiting);
        }
        let mut accepted: HashMap<u64, (Outgoing, Vec<EnvelopeId>)> = HashMap::new();
        let mut permits = Vec::with_capacity(batch.replies.len());
        for taken in batch.taken {
            if taken.to.committed(&taken.stored) {
                self.news.waits(taken.to.key);
            }
        }
        for (reply, id) in batch.replies {
            let (_, ids) = accepted
                .entry(reply.connection)
                .or_insert_with(|| (reply.outgoing, Vec::new()));
            ids.push(id);
            permits.push((reply.window, reply.memory));
        }
        for (outgoing, ids) in accepted.into_values() {
            outgoing.binary(RelayFrame::Accepted(ids).encode().into());
        }
    }
}

struct Taken {
    to: Arc<Mailbox>,
    stored: Stored,
}

impl Take {
    fn numbered(self, number: i64) -> Taken {
        let bytes = match &self.content {
            Content::Sealed(sealed) => sealed.len(),
            Content::Returned(_) => 0,
        };
        Taken {
            to: self.to,
            stored: Stored {
                waiting: Waiting {
                    number,
                    sender: self.sender,
                    id: self.id,
                    bytes,
                },
                at: self.at,
                content: self.content,
            },
        }
    }
}

#[derive(Default)]
struct Batch {
    taken: Vec<Taken>,
    gone: Vec<Gone>,
    /// Mailbox, sender and id of each envelope in `taken`.
    ids: HashSet<(i64, i64, EnvelopeId)>,
    /// Who is told once this is committed: of what is in `taken`, and of what was there already, in the order in which it came.
    replies: Vec<(Reply, EnvelopeId)>,
}

/// One statement is one transaction and one way there and back. Numbers that are there already were committed by a try before.
const WRITE: &str = "WITH gone AS (
       DELETE FROM envelopes e USING unnest($1::bigint[], $2::bigint[]) AS g (mailbox, number)
       WHERE e.mailbox = g.mailbox AND e.number = g.number)
     INSERT INTO envelopes (mailbox, number, sender, id, at, sealed, returned)
     SELECT * FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], $7::bigint[], $8::bytea[], $9::bytea[])
     ON CONFLICT (mailbox, number) DO NOTHING";

impl Batch {
    /// Puts in what needs no number, and gives back what does: an envelope that is not there yet.
    fn put(&mut self, job: Job) -> Option<Take> {
        let mut take = match job {
            Job::Take(take) => take,
            Job::Gone(gone) => {
                self.gone.push(gone);
                return None;
            }
            Job::Return(gone, _) if !self.keeps(&gone) => return None,
            Job::Return(gone, take) => {
                self.gone.push(gone);
                take?
            }
        };
        self.replies.extend(take.reply.take().map(|reply| (reply, take.id)));
        (!self.comes_again(&take)).then_some(take)
    }

    /// Whether it waits still, behind what is in this batch: nobody but the writer takes anything away.
    fn keeps(&self, one: &Gone) -> bool {
        let goes = |number| {
            let mut here = self.gone.iter().filter(|gone| gone.mailbox.id == one.mailbox.id);
            here.any(|gone| gone.waiting.iter().any(|gone| gone.number == number))
        };
        let keeps = |waiting: &Waiting| one.mailbox.keeps(waiting.number) && !goes(waiting.number);
        one.waiting.iter().all(keeps)
    }

    /// Whether an envelope is there already, or in this batch; if not, it is now. What comes back to its sender is no envelope of theirs.
    fn comes_again(&mut self, take: &Take) -> bool {
        matches!(take.content, Content::Sealed(_))
            && (take.to.has(take.sender, take.id) || !self.ids.insert((take.to.id, take.sender, take.id)))
    }

    async fn write(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let gone = || {
            self.gone
                .iter()
                .flat_map(|gone| gone.waiting.iter().map(|one| (gone.mailbox.id, one.number)))
        };
        let (gone_from, gone_numbers): (Vec<i64>, Vec<i64>) = gone().unzip();
        let column = |read: fn(&Taken) -> i64| self.taken.iter().map(read).collect::<Vec<i64>>();
        let ids: Vec<Uuid> = self.taken.iter().map(|taken| taken.stored.waiting.id.uuid()).collect();
        let content = |taken: &Taken| match &taken.stored.content {
            Content::Sealed(sealed) => (Some(sealed.clone()), None),
            Content::Returned(key) => (None, Some(key.0)),
        };
        let (sealed, returned): (Vec<_>, Vec<_>) = self.taken.iter().map(content).unzip();
        let sealed: Vec<Option<&[u8]>> = sealed.iter().map(Option::as_deref).collect();
        let returned: Vec<Option<&[u8]>> = returned.iter().map(|key| key.as_ref().map(|key| &key[..])).collect();
        sqlx::query(WRITE)
            .bind(gone_from)
            .bind(gone_numbers)
            .bind(column(|taken| taken.to.id))
            .bind(column(|taken| taken.stored.waiting.number))
            .bind(column(|taken| taken.stored.waiting.sender))
            .bind(ids)
            .bind(column(|taken| taken.stored.at))
            .bind(sealed)
            .bind(returned)
            .execute(connection)
            .await?;
        Ok(())
    }
}

async fn reserve(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("UPDATE relay SET reserved = reserved + $1 RETURNING reserved")
        .bind(limits::RESERVE)
        .fetch_one(connection)
        .await
}

/// A connection that holds the lock of the one relay of this database; none while another has it.
async fn connect(database: &Database) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = database.connect().await?;
    let ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext('holdfast/relay/writer'))")
        .fetch_one(&mut connection)
        .await?;
    if !ours {
        return Ok(None);
    }
    // Rows go by their key: how many there are changes faster than the planner's statistics.
    sqlx::raw_sql("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
        .execute(&mut connection)
        .await?;
    Ok(Some(connection))
}

#[cfg(test)]
mod tests {
    use protocol::relay::MailboxKey;

    use super::*;
    use crate::RelayConfig;
    use crate::mailbox::Mailboxes;

    /// A mailbox of somebody who has sent, and one in which what they sent waits under this number.
    fn two(number: i64) -> (Arc<Mailbox>, Arc<Mailbox>, Waiting) {
        let mailboxes = Mailboxes::new(&RelayConfig::default());
        let (sender, receiver) = (
            mailboxes.add(MailboxKey([1; 32]), 1),
            mailboxes.add(MailboxKey([2; 32]), 2),
        );
        let waiting = Waiting {
            number,
            sender: sender.id,
            id: EnvelopeId::new(),
            bytes: 564,
        };
        receiver.found(sender.id, &[number], std::iter::once(waiting.id), 564);
        (sender, receiver, waiting)
    }

    fn fetched(mailbox: &Arc<Mailbox>, waiting: Waiting) -> Gone {
        Gone {
            mailbox: Arc::clone(mailbox),
            waiting: vec![waiting],
        }
    }

    fn back(sender: &Arc<Mailbox>, receiver: &Arc<Mailbox>, waiting: Waiting) -> Job {
        let take = Take {
            to: Arc::clone(sender),
            sender: sender.id,
            id: waiting.id,
            at: 0,
            content: Content::Returned(receiver.key),
            reply: None,
        };
        Job::Return(fetched(receiver, waiting), Some(take))
    }

    #[test]
    fn promise_05_what_was_fetched_before_it_was_to_go_back_does_not_go_back() {
        let (sender, receiver, waiting) = two(5);
        let mut batch = Batch::default();
        assert!(batch.put(back(&sender, &receiver, waiting)).is_some());
        assert_eq!(batch.gone.len(), 1);

        // In the same commit, and in one before.
        let mut batch = Batch::default();
        assert!(batch.put(Job::Gone(fetched(&receiver, waiting))).is_none());
        assert!(batch.put(back(&sender, &receiver, waiting)).is_none());
        assert_eq!(batch.gone.len(), 1);
        receiver.gone(&[waiting]);
        let mut batch = Batch::default();
        assert!(batch.put(back(&sender, &receiver, waiting)).is_none());
        assert!(batch.gone.is_empty());
    }
}
