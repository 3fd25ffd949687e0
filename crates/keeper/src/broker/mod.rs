//! The broker: the agent's model provider is its keeper, which adds the key and speaks to the real one. The agent holds
//! none; the key goes to the configured provider, over TLS or to an address that the operator named, and nowhere else.

mod answer;
mod error;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod model_test;
mod paths;
mod provider;
mod providers;
mod redact;
mod routes;
mod steps;
mod told;
mod upstream;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;

use crate::egress::NamedAddresses;
use crate::limits;
use crate::mcp::ToolServer;
use crate::spending::Spending;
use crate::unlock_link::UnlockLink;
use crate::vault_service::{ModelKind, ModelSettings, VaultError, VaultService};
use providers::Providers;
pub(crate) use routes::changes;
pub use routes::{DESCRIBE, Fetch, Fetched, Inject, NotFetched, Route, RouteError, Routes, Stands};
pub use steps::path as step_path;

/// What may be known of the model outside the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPublic {
    pub kind: ModelKind,
    pub base_url: String,
    pub model: String,
}

/// Where the model's settings come from.
pub trait ModelSource: Send + Sync + 'static {
    /// The settings, in the order in which they are asked; none before the first were made.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    fn settings(&self) -> Result<Vec<ModelSettings>, VaultError>;
}

impl ModelSource for VaultService {
    fn settings(&self) -> Result<Vec<ModelSettings>, VaultError> {
        self.models()
    }
}

/// The broker for the model provider.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn ModelSource>,
    named: NamedAddresses,
    routes: Option<Routes>,
    tools: Option<ToolServer>,
    calls: Arc<Semaphore>,
    spending: Option<Spending>,
    /// Room for requests that are held until they are answered, in bytes.
    held: Arc<Semaphore>,
    /// The clients for the settings that were used last, and who rests.
    providers: Providers,
    unlock: UnlockLink,
}

/// What a broker is made of.
pub struct BrokerParts {
    pub source: Arc<dyn ModelSource>,
    /// The addresses that the operator allows although they are not public.
    pub named: NamedAddresses,
    pub routes: Option<Routes>,
    /// The tools that the agent finds on the same address.
    pub tools: Option<ToolServer>,
    pub spending: Option<Spending>,
    /// What the agent is told when the vault is locked.
    pub unlock: UnlockLink,
}

impl Broker {
    /// A broker for the models of this source.
    pub fn new(parts: BrokerParts) -> Self {
        Self {
            shared: Arc::new(Shared {
                source: parts.source,
                named: parts.named,
                routes: parts.routes,
                tools: parts.tools,
                calls: Arc::new(Semaphore::new(limits::BROKER_CALLS)),
                spending: parts.spending,
                held: Arc::new(Semaphore::new(limits::MODEL_HELD_BYTES)),
                providers: Providers::default(),
                unlock: parts.unlock,
            }),
        }
    }

    /// The first model of each step (see `steps`), in order; none where no model is configured.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn models(&self) -> Result<Vec<ModelPublic>, VaultError> {
        let steps = steps::of(self.shared.source.settings()?).into_iter();
        Ok(steps
            .filter_map(|step| step.into_iter().next())
            .map(|settings| ModelPublic {
                kind: settings.kind,
                base_url: settings.base_url,
                model: settings.model,
            })
            .collect())
    }

    /// Forgets the key and closes idle connections: the vault was locked.
    pub fn forget(&self) {
        if let Some(routes) = &self.shared.routes {
            routes.forget();
        }
        self.shared.providers.forget();
    }
}

/// Whether two settings lead to the same calls.
fn same(one: &ModelSettings, other: &ModelSettings) -> bool {
    one.kind == other.kind
        && one.base_url == other.base_url
        && one.model == other.model
        && one.price == other.price
        && one.key.expose_secret() == other.key.expose_secret()
}
