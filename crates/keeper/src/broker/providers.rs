//! The model providers in the order in which they are asked. One that failed just now rests: it is asked after the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::ProviderId;
use protocol::limits::MODEL_PROVIDERS;
use tokio::time::Instant;

use super::provider::{Provider, ProviderError};
use crate::egress::NamedAddresses;
use crate::limits;
use crate::vault_service::{ModelSettings, unpoisoned};

#[derive(Default)]
pub(super) struct Providers {
    clients: Mutex<HashMap<ProviderId, Arc<Provider>>>,
    resting: Mutex<HashMap<ProviderId, Instant>>,
}

impl Providers {
    /// Forgets the keys and closes idle connections.
    pub fn forget(&self) {
        unpoisoned(&self.clients).clear();
    }

    /// The client for these settings.
    pub fn client(&self, settings: ModelSettings, named: &NamedAddresses) -> Result<Arc<Provider>, ProviderError> {
        let mut clients = unpoisoned(&self.clients);
        if let Some(provider) = clients.get(&settings.id)
            && provider.is_for(&settings, named)
        {
            return Ok(provider.clone());
        }
        if clients.len() >= MODEL_PROVIDERS {
            clients.clear();
        }
        let id = settings.id;
        let provider = Arc::new(Provider::new(settings, named)?);
        clients.insert(id, provider.clone());
        Ok(provider)
    }

    /// Those of one step, whoever rests last.
    pub fn in_order(&self, settings: Vec<ModelSettings>) -> Vec<ModelSettings> {
        let mut resting = unpoisoned(&self.resting);
        let now = Instant::now();
        resting.retain(|_, until| *until > now);
        let (tired, mut fresh): (Vec<_>, Vec<_>) = settings
            .into_iter()
            .partition(|settings| resting.contains_key(&settings.id));
        fresh.extend(tired);
        fresh
    }

    /// It failed: the others are asked first for a while.
    pub fn rest(&self, provider: ProviderId, asked_for: Option<Duration>) {
        let longest = limits::PROVIDER_REST * 10;
        let rest = asked_for.unwrap_or(limits::PROVIDER_REST).min(longest);
        unpoisoned(&self.resting).insert(provider, Instant::now() + rest);
    }
}
