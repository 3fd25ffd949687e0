//! Management: who people are and what they may do. Tenants, users, sign-in, sessions, invitations, whose cell is whose, the
//! HTTP API for them, and the database they are kept in. It never holds a person's secret, password, phrase or key.

mod access;
mod app;
mod cell_control;
mod clock;
mod config;
mod cross_site;
pub mod database;
pub mod gateway_key;
mod handlers;
pub mod limits;
pub mod mail;
mod outer;
mod person;
pub mod postgres;
mod private_file;
mod problem;
mod rate_limit;
mod routes;
mod secret_token;
mod session;
mod setup_link;
mod sign_in;
mod storage;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use ed25519_dalek::SigningKey;

pub use cell_control::{CellControl, CellRef, CellState, CellUnavailable};
pub use clock::{Clock, Entropy, NoEntropy, OsEntropy, SystemClock};
pub use config::{Config, PublicUrl, PublicUrlError};
pub use database::Database;
pub use person::Role;
pub use setup_link::SetupLinkError;
pub use storage::StorageError;

use app::{App, Shared};
use mail::Mailer;
use rate_limit::RateLimits;

/// What management works with.
pub struct Parts {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub mailer: Arc<dyn Mailer>,
    pub cells: Arc<dyn CellControl>,
    /// Signs gateway tokens.
    pub gateway_key: SigningKey,
}

/// The part, running. Dropping it ends its background work.
pub struct Management {
    app: App,
    sending: sign_in::Sending,
}

impl Management {
    /// Starts the part. Needs a Tokio runtime.
    pub fn new(config: Config, parts: Parts) -> Self {
        let Parts {
            database,
            clock,
            entropy,
            mailer,
            cells,
            gateway_key,
        } = parts;
        let sender = sign_in::Sender {
            database: database.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            mailer: mailer.clone(),
            public_url: config.public_url.clone(),
        };
        let (sign_ins, sending) = sender.start();
        let limits = RateLimits::new(&clock);
        let app = App::new(Shared {
            config,
            database,
            clock,
            entropy,
            mailer,
            cells,
            gateway_key,
            limits,
            sign_ins,
        });
        Self { app, sending }
    }

    /// While nobody owns the installation: writes the one-time link to `<data-dir>/setup-url` and returns that file.
    ///
    /// # Errors
    /// [`SetupLinkError`] says what to do.
    pub async fn publish_setup_link(&self) -> Result<Option<PathBuf>, SetupLinkError> {
        setup_link::publish(&self.app).await
    }

    /// Whether PostgreSQL answers now, for `/readyz`.
    pub async fn database_ready(&self) -> bool {
        self.app.database.ready().await
    }

    /// Sends the sign-in links that were asked for, and closes the database's connections after what runs on them.
    pub async fn shutdown(&self) {
        self.sending.finish(&self.app.sign_ins).await;
        self.app.database.close().await;
    }
}

/// `/api/v1/*` of `docs/protocol.md`, section 5, but for the channel.
pub fn router(management: &Management) -> Router {
    routes::router(management.app.clone())
}

/// Every route that [`router`] answers: what a test of all routes must know.
pub fn routes() -> Vec<(Method, &'static str)> {
    routes::all()
        .into_iter()
        .map(|route| (route.method, route.path))
        .collect()
}
