//! The broker: the agent's model provider is its keeper, which adds the key and speaks to the real one. The agent holds
//! a dummy; the key goes to the configured provider, over TLS or to an address that the operator named, and nowhere else.

mod answer;
mod error;
mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod model_test;
mod paths;
mod provider;
mod redact;
mod routes;
mod upstream;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;

use crate::egress::NamedAddresses;
use crate::limits;
use crate::vault_service::{ModelKind, ModelSettings, VaultError, VaultService};
use provider::{Provider, ProviderError};
pub use routes::{Inject, Route, Routes};

/// What may be known of the model outside the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPublic {
    pub kind: ModelKind,
    pub base_url: String,
    pub model: String,
}

/// Where the model's settings come from.
pub trait ModelSource: Send + Sync + 'static {
    /// The settings; none before the first were made.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    fn settings(&self) -> Result<Option<ModelSettings>, VaultError>;
}

impl ModelSource for VaultService {
    fn settings(&self) -> Result<Option<ModelSettings>, VaultError> {
        self.model()
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
    calls: Arc<Semaphore>,
    /// The client for the settings that were used last.
    provider: Mutex<Option<Arc<Provider>>>,
}

impl Broker {
    /// A broker for the model of this source; `named` are the addresses that the operator allows although they are not public.
    pub fn new(source: Arc<dyn ModelSource>, named: NamedAddresses) -> Self {
        Self::with_routes(source, named, None)
    }

    /// As [`Self::new`], and the agent may call these services.
    pub fn with_routes(source: Arc<dyn ModelSource>, named: NamedAddresses, routes: Option<Routes>) -> Self {
        Self {
            shared: Arc::new(Shared {
                source,
                named,
                routes,
                calls: Arc::new(Semaphore::new(limits::BROKER_CALLS)),
                provider: Mutex::default(),
            }),
        }
    }

    /// The model that is configured.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn model(&self) -> Result<Option<ModelPublic>, VaultError> {
        Ok(self.shared.source.settings()?.map(|settings| ModelPublic {
            kind: settings.kind,
            base_url: settings.base_url,
            model: settings.model,
        }))
    }

    /// Forgets the key and closes idle connections: the vault was locked.
    pub fn forget(&self) {
        if let Some(routes) = &self.shared.routes {
            routes.forget();
        }
        *self.shared.provider.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The provider of the present settings.
    fn provider(&self) -> Result<Arc<Provider>, ProviderError> {
        let settings = self.shared.source.settings()?.ok_or(ProviderError::NoModel)?;
        let mut cached = self.shared.provider.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(provider) = cached.as_ref()
            && provider.is_for(&settings, &self.shared.named)
        {
            return Ok(provider.clone());
        }
        let provider = Arc::new(Provider::new(settings, &self.shared.named)?);
        *cached = Some(provider.clone());
        Ok(provider)
    }
}

/// Whether two settings lead to the same calls.
fn same(one: &ModelSettings, other: &ModelSettings) -> bool {
    one.kind == other.kind
        && one.base_url == other.base_url
        && one.model == other.model
        && one.key.expose_secret() == other.key.expose_secret()
}
