//! The relay: keeps sealed envelopes between keepers until they are acknowledged, in order, and issuers' revocations for ever.
//!
//! It is not trusted: it sees who, when and how much, and nothing else, and what it leaves out, repeats or exchanges is found by
//! those at the ends. What it says is kept is durable in its own database, to which it has no other way than its own role.

mod connection;
pub mod database;
pub mod limits;
mod mailbox;
mod news;
mod revocations;
mod store;
mod sweep;
mod writer;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use protocol::limits::{ENVELOPE_CLASSES, ENVELOPE_OVERHEAD, RELAY_TEXT_BYTES};
use protocol::relay::frame::SEND_HEADER;
use protocol::relay::news::{CARRIER, OPENS, OPENS_NONE};
use protocol::{CarrierId, Millis};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use database::{Database, DatabaseError, Source};
pub use news::{Listening, NewsToken, NotAToken};
#[doc(hidden)]
pub use revocations::Filter;

use mailbox::Mailboxes;
use news::Hub;
use revocations::Revocations;
use writer::{Job, Writer};

/// Largest message that a keeper sends.
const MESSAGE_BYTES: usize = SEND_HEADER + ENVELOPE_CLASSES[ENVELOPE_CLASSES.len() - 1] + ENVELOPE_OVERHEAD;
const _: () = assert!(RELAY_TEXT_BYTES < MESSAGE_BYTES);

/// What the operator decides.
#[derive(Debug, Clone, Copy)]
pub struct RelayConfig {
    /// Envelopes that one sender may send in a second, on average, and at once.
    pub sent_per_second: NonZeroU32,
    pub sent_burst: NonZeroU32,
    /// How long an envelope waits before it goes back to its sender, in milliseconds.
    pub waiting_for_ms: i64,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            sent_per_second: NonZeroU32::new(limits::SENT_PER_SECOND).unwrap_or(NonZeroU32::MIN),
            sent_burst: NonZeroU32::new(limits::SENT_BURST).unwrap_or(NonZeroU32::MIN),
            waiting_for_ms: i64::try_from(limits::WAITING_FOR.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// What connections share.
struct Shared {
    relay: [u8; 32],
    config: RelayConfig,
    database: Database,
    mailboxes: Mailboxes,
    news: Arc<Hub>,
    revocations: Revocations,
    jobs: mpsc::Sender<Job>,
    /// Bytes of envelopes that are not committed.
    memory: Arc<Semaphore>,
    connections: Arc<Semaphore>,
    end: CancellationToken,
}

/// The relay, running. Dropping it ends it.
pub struct Relay {
    shared: Arc<Shared>,
    writer: JoinHandle<()>,
    sweeper: JoinHandle<()>,
}

impl Relay {
    /// Reads what waits and what is revoked, and starts.
    ///
    /// # Errors
    /// [`DatabaseError`], one sentence each.
    pub async fn start(config: RelayConfig, database: Database) -> Result<Self, DatabaseError> {
        let (jobs, to_write) = mpsc::channel(limits::WRITE_QUEUE);
        let news = Arc::new(Hub::default());
        let opened = Writer::open(database.clone(), to_write, Arc::clone(&news)).await?;
        let mailboxes = Mailboxes::new(&config);
        let pool = database.pool();
        // Before anybody is connected, or any is in memory: none is let go that somebody is about to use.
        if let Err(error) = store::let_go(pool).await {
            tracing::warn!(%error, "mailboxes that nobody uses could not be let go");
        }
        store::load(pool, &mailboxes)
            .await
            .map_err(DatabaseError::Unreachable)?;
        let revocations = Revocations::load(pool.clone())
            .await
            .map_err(DatabaseError::Unreachable)?;
        let shared = Arc::new(Shared {
            relay: opened.relay,
            config,
            database,
            mailboxes,
            news,
            revocations,
            jobs,
            memory: Arc::new(Semaphore::new(limits::UNCOMMITTED_BYTES)),
            connections: Arc::new(Semaphore::new(limits::CONNECTIONS)),
            end: CancellationToken::new(),
        });
        let sweeper = tokio::spawn(sweep::run(Arc::clone(&shared)));
        Ok(Self {
            shared,
            writer: tokio::spawn(opened.writer.run()),
            sweeper,
        })
    }

    /// Where keepers connect: `GET /relay`.
    pub fn router(&self) -> Router {
        Router::new()
            .route(protocol::relay::PATH, get(connect))
            .with_state(Arc::clone(&self.shared))
    }

    /// Where who presents the token hears the news: `GET /relay/news`.
    pub fn news_router(&self, token: NewsToken) -> Router {
        news::router(Arc::clone(&self.shared), token)
    }

    /// For hearing the news in this process, or asking after the relay itself, at any time.
    pub fn lookout(&self) -> Lookout {
        Lookout(Arc::clone(&self.shared))
    }

    /// Ends connections. What was said to be kept is kept.
    pub async fn stop(self) {
        self.shared.end.cancel();
        self.writer.abort();
        self.sweeper.abort();
        self.shared.database.close().await;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.end.cancel();
        self.writer.abort();
        self.sweeper.abort();
    }
}

/// A way to the relay that does not hold it.
#[derive(Clone)]
pub struct Lookout(Arc<Shared>);

impl Lookout {
    /// Hears the news, from how things are now. None where `NEWS_LISTENERS` do.
    pub fn listen(&self) -> Option<Listening> {
        Listening::begin(Arc::clone(&self.0))
    }

    /// Whether the database answers now.
    pub async fn ready(&self) -> bool {
        let pool = self.0.database.pool();
        let answer = tokio::time::timeout(limits::DATABASE_WAIT, sqlx::query("SELECT").execute(pool));
        matches!(answer.await, Ok(Ok(_)))
    }
}

async fn connect(State(shared): State<Arc<Shared>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() else {
        let words = format!("CONNECTIONS ({}) are open", limits::CONNECTIONS);
        return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
    };
    let carrier = carrier(&headers);
    let opens = headers.get(OPENS).is_none_or(|opens| opens != OPENS_NONE);
    upgrade
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .read_buffer_size(64 * 1024)
        .write_buffer_size(64 * 1024)
        .on_upgrade(async move |socket| {
            connection::serve(shared, socket, carrier, opens).await;
            drop(permit);
        })
}

/// By which id who carries this connection knows it, if anybody does.
fn carrier(headers: &HeaderMap) -> Option<CarrierId> {
    headers.get(CARRIER)?.to_str().ok()?.parse().ok()
}

fn now_ms() -> Millis {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}
