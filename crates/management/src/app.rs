//! What every handler shares.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use time::OffsetDateTime;

use crate::audit::AuditLog;
use crate::cell_control::CellControl;
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::database::Database;
use crate::delivery::Delivery;
use crate::factors::FactorKey;
use crate::machine::Machine;
use crate::mail::Mailer;
use crate::operator::TokenFile;
use crate::providers::{ProviderKey, Providers};
use crate::rate_limit::RateLimits;
use crate::refusals::Refusals;
use crate::sign_in::SignInQueue;
use crate::tenant_api::TenantApi;

/// A handle on the shared parts; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub config: Config,
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub mailer: Arc<dyn Mailer>,
    pub cells: Arc<dyn CellControl>,
    pub gateway_key: SigningKey,
    pub factor_key: FactorKey,
    pub provider_key: ProviderKey,
    pub providers: Providers,
    pub delivery: Arc<Delivery>,
    pub audit: Arc<AuditLog>,
    pub limits: RateLimits,
    pub refusals: Arc<Refusals>,
    pub sign_ins: SignInQueue,
    /// Where the operator has turned it on.
    pub tenant_api: Option<TenantApi>,
    pub operator_token: TokenFile,
    pub machine: Arc<dyn Machine>,
}

impl App {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// The time, and how long a session lasts without use: what tells whether one is over.
    pub(crate) fn session_clock(&self) -> (OffsetDateTime, Duration) {
        (self.clock.now(), self.config.sessions.idle)
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
