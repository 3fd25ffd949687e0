//! Ends what is open for a session when the session ends. PostgreSQL tells who listens of each session that is deleted or
//! lowered, in the same commit, whichever server did it; and each open channel looks its session up now and then, which also
//! finds those that are over by time and those that were ended while nobody listened.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::{SessionId, TenantId, UserId};
use sqlx::postgres::PgListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock::Clock;
use crate::database::Database;
use crate::limits;
use crate::storage::{StorageError, sessions};

/// Told of by the trigger on `sessions`.
const CHANNEL: &str = "holdfast_session_ended";
/// News that wait for one channel; who is further behind looks its session up.
const WAITING: usize = 1024;

/// Hears of sessions that end. Dropping it ends the listening.
pub(crate) struct SessionWatch {
    database: Database,
    clock: Arc<dyn Clock>,
    /// A session ends when it was not used for so long.
    idle: Duration,
    /// The id of a session that ended; `None`: some may have ended unheard.
    news: broadcast::Sender<Option<SessionId>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl SessionWatch {
    pub(crate) fn start(database: Database, clock: Arc<dyn Clock>, idle: Duration) -> Self {
        let (news, _) = broadcast::channel(WAITING);
        let task = tokio::spawn(listen(database.clone(), news.clone()));
        Self {
            database,
            clock,
            idle,
            news,
            task: Mutex::new(Some(task)),
        }
    }

    /// Gives the listening connection back, so that the pool can be closed.
    pub(crate) async fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            let _aborted = task.await;
        }
    }

    pub(crate) async fn admit(
        &self,
        tenant: TenantId,
        user: UserId,
        session: SessionId,
    ) -> Result<Option<ChannelSession>, StorageError> {
        // First listen, then look: an end between the two is heard.
        let news = self.news.subscribe();
        let now = self.clock.now();
        let Some(stands) = sessions::stands(&self.database, tenant, user, session, (now, self.idle), true).await?
        else {
            return Ok(None);
        };
        let (over, ended) = watch::channel(false);
        let used = Arc::new(AtomicBool::new(false));
        let watched = Watched {
            database: self.database.clone(),
            clock: self.clock.clone(),
            idle: self.idle,
            tenant,
            user,
            session,
            used: used.clone(),
        };
        let task = tokio::spawn(async move {
            watched.until_over(news).await;
            over.send_replace(true);
        });
        Ok(Some(ChannelSession {
            used,
            ended,
            task,
            time_alone_hours: stands.time_alone_hours,
            second_person: stands.second_person,
        }))
    }
}

impl Drop for SessionWatch {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

async fn listen(database: Database, news: broadcast::Sender<Option<SessionId>>) {
    loop {
        if let Err(error) = hear(&database, &news).await {
            tracing::warn!(%error, "not told of sessions that end; they are looked up meanwhile");
        }
        sleep(limits::DATABASE_WAIT).await;
    }
}

async fn hear(database: &Database, news: &broadcast::Sender<Option<SessionId>>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(database.pool()).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // What ended before this connection listened was not told.
        let _nobody = news.send(None);
        while let Some(told) = listener.try_recv().await? {
            let _nobody = news.send(told.payload().parse().ok());
        }
    }
}

/// A session that stood when a channel was opened.
pub struct ChannelSession {
    used: Arc<AtomicBool>,
    ended: watch::Receiver<bool>,
    task: JoinHandle<()>,
    time_alone_hours: i16,
    second_person: bool,
}

impl ChannelSession {
    /// For how many minutes at most the person's organisation lets agents work while nobody is there.
    pub fn time_alone_minutes(&self) -> u32 {
        u32::try_from(self.time_alone_hours).unwrap_or(0) * 60
    }

    /// Whether the person's organisation wants a second person for what agents change.
    pub fn second_person(&self) -> bool {
        self.second_person
    }

    /// The channel was used, so its session is.
    pub fn used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Returns once the session is over.
    pub fn ended(&self) -> BoxFuture<'_, ()> {
        let mut ended = self.ended.clone();
        Box::pin(async move {
            let _dropped = ended.wait_for(|over| *over).await;
        })
    }
}

impl Drop for ChannelSession {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Watched {
    database: Database,
    clock: Arc<dyn Clock>,
    idle: Duration,
    tenant: TenantId,
    user: UserId,
    session: SessionId,
    used: Arc<AtomicBool>,
}

impl Watched {
    async fn until_over(&self, mut news: broadcast::Receiver<Option<SessionId>>) {
        let mut next = Instant::now() + limits::SESSION_CHECK;
        loop {
            tokio::select! {
                told = news.recv() => match told {
                    Ok(Some(other)) if other != self.session => continue,
                    Ok(Some(_)) => return,
                    Ok(None) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                    // The server stops.
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                () = sleep_until(next) => {}
            }
            next = Instant::now() + limits::SESSION_CHECK;
            let used = self.used.swap(false, Ordering::Relaxed);
            let now = self.clock.now();
            let at = (now, self.idle);
            match sessions::stands(&self.database, self.tenant, self.user, self.session, at, used).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                // What was let in is not thrown out because the database rests for a moment; it is asked again.
                Err(error) => {
                    self.used.fetch_or(used, Ordering::Relaxed);
                    tracing::warn!(%error, "a channel's session could not be looked up");
                }
            }
        }
    }
}
