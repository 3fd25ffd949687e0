//! Ends what is open for a session when the session ends, and what is read with a tenant's key when the key does. PostgreSQL tells who
//! listens of each session that is deleted or lowered, and of each key that is deleted or is to end at another time, in the same commit,
//! whichever server did it; and whatever is open looks its session, or its key, up now and then, which also finds those that are over by
//! time and those that were ended while nobody listened.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use protocol::{ApiKeyId, SessionId, TenantId, UserId};
use sqlx::postgres::PgListener;
use time::OffsetDateTime;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use crate::clock::Clock;
use crate::database::Database;
use crate::limits;
use crate::storage::{StorageError, TenantTransaction, api_tenant_keys, sessions};

/// Told of by the triggers on `sessions` and on `api_tenant_keys`.
const CHANNELS: [&str; 2] = ["holdfast_session_ended", "holdfast_tenant_key_changed"];
/// News that wait for one who watches; who is further behind looks up what it watches.
const WAITING: usize = 1024;

/// The id of a session that ended, or of a key that was changed; `None`: some may have been unheard.
type Told = Option<Uuid>;

/// Hears of sessions and keys that end. Dropping it ends the listening.
pub(crate) struct SessionWatch {
    database: Database,
    clock: Arc<dyn Clock>,
    /// A session ends when it was not used for so long.
    idle: Duration,
    news: broadcast::Sender<Told>,
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
        Ok(Some(ChannelSession {
            used,
            end: End::after(async move { watched.until_over(news).await }),
            time_alone_hours: stands.time_alone_hours,
            second_person: stands.second_person,
        }))
    }

    /// What tells of the ends of tenants' keys, as long as this listens.
    pub(crate) fn keys(&self) -> KeyWatch {
        KeyWatch {
            database: self.database.clone(),
            clock: self.clock.clone(),
            news: self.news.downgrade(),
        }
    }
}

impl Drop for SessionWatch {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

async fn listen(database: Database, news: broadcast::Sender<Told>) {
    loop {
        if let Err(error) = hear(&database, &news).await {
            tracing::warn!(%error, "not told of sessions and keys that end; they are looked up meanwhile");
        }
        sleep(limits::DATABASE_WAIT).await;
    }
}

async fn hear(database: &Database, news: &broadcast::Sender<Told>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(database.pool()).await?;
    listener.listen_all(CHANNELS).await?;
    loop {
        // What ended before this connection listened was not told.
        let _nobody = news.send(None);
        while let Some(told) = listener.try_recv().await? {
            let _nobody = news.send(told.payload().parse().ok());
        }
    }
}

/// Why whoever watches something looks it up.
enum Look {
    /// It was told of.
    Told,
    /// It may have been, or it is time.
    Now,
    /// The server stops.
    Never,
}

/// Until there is something to look up of what has this id, at that time at the latest.
async fn next_look(news: &mut broadcast::Receiver<Told>, id: Uuid, at: Instant) -> Look {
    loop {
        tokio::select! {
            told = news.recv() => match told {
                Ok(Some(other)) if other != id => {}
                Ok(Some(_)) => return Look::Told,
                Ok(None) | Err(broadcast::error::RecvError::Lagged(_)) => return Look::Now,
                Err(broadcast::error::RecvError::Closed) => return Look::Never,
            },
            () = sleep_until(at) => return Look::Now,
        }
    }
}

/// The end of something that somebody waits for. Dropping it ends the waiting.
pub(crate) struct End {
    come: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl End {
    fn after(over: impl Future<Output = ()> + Send + 'static) -> Self {
        let (end, come) = watch::channel(false);
        let task = tokio::spawn(async move {
            over.await;
            end.send_replace(true);
        });
        Self { come, task }
    }

    pub(crate) fn has_come(&self) -> bool {
        *self.come.borrow()
    }

    /// Returns once it has come.
    pub(crate) async fn comes(&self) {
        let mut come = self.come.clone();
        let _dropped = come.wait_for(|come| *come).await;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Tells of the ends of tenants' keys.
pub(crate) struct KeyWatch {
    database: Database,
    clock: Arc<dyn Clock>,
    news: broadcast::WeakSender<Told>,
}

impl KeyWatch {
    /// The end of a key: it is revoked, or its time is over.
    pub(crate) fn end(&self, tenant: TenantId, key: ApiKeyId) -> End {
        let news = self.news.upgrade().map(|news| news.subscribe());
        let (database, clock) = (self.database.clone(), self.clock.clone());
        End::after(async move {
            match news {
                Some(news) => key_ends(&database, &*clock, tenant, key, news).await,
                None => std::future::pending().await,
            }
        })
    }
}

async fn key_ends(
    database: &Database,
    clock: &dyn Clock,
    tenant: TenantId,
    key: ApiKeyId,
    mut news: broadcast::Receiver<Told>,
) {
    // At once first: it may have ended since it was let in.
    let mut next = Instant::now();
    loop {
        if let Look::Never = next_look(&mut news, key.uuid(), next).await {
            return std::future::pending().await;
        }
        let now = clock.now();
        let left = match time_left(database, tenant, key, now).await {
            Ok(Some(left)) => left.min(limits::SESSION_CHECK),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "a tenant's key could not be looked up");
                limits::DATABASE_WAIT
            }
        };
        next = Instant::now() + left;
    }
}

/// For how long a key works still; `None` if it does not.
async fn time_left(
    database: &Database,
    tenant: TenantId,
    key: ApiKeyId,
    now: OffsetDateTime,
) -> Result<Option<Duration>, StorageError> {
    let mut transaction = TenantTransaction::begin(database, tenant).await?;
    let working = api_tenant_keys::list(&mut transaction, now).await?;
    transaction.commit().await?;
    let found = working.into_iter().find(|listed| listed.id == key);
    let left = |at: OffsetDateTime| (at - now).try_into().unwrap_or(Duration::ZERO);
    Ok(found.map(|listed| listed.expires_at.map_or(Duration::MAX, left)))
}

/// A session that stood when a channel was opened.
pub struct ChannelSession {
    used: Arc<AtomicBool>,
    end: End,
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
        Box::pin(self.end.comes())
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
    async fn until_over(&self, mut news: broadcast::Receiver<Told>) {
        let mut next = Instant::now() + limits::SESSION_CHECK;
        loop {
            if let Look::Told | Look::Never = next_look(&mut news, self.session.uuid(), next).await {
                return;
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
