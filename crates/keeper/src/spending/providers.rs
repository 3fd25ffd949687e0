//! `provider.*`: the model providers and their order. `model.get` and `model.set` speak of the first.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use protocol::ProviderId;
use protocol::channel::ChannelError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::book::Spending;
use super::price::Price;
use crate::activity::{Deed, What};
use crate::channel::{SecretJson, SecretMethods, Subscriber, read_params, unknown_method, write_result};
use crate::vault_service::{ModelKind, ModelParams, ModelSettings, VaultService};

/// The methods of one vault.
pub struct ProviderMethods {
    vault: VaultService,
    spending: Spending,
}

/// A provider as it is told: everything but the key.
#[derive(Serialize)]
struct Listed {
    id: ProviderId,
    kind: ModelKind,
    base_url: String,
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
}

#[derive(Serialize)]
struct List {
    providers: Vec<Listed>,
}

#[derive(Serialize, Deserialize)]
struct One {
    id: ProviderId,
}

#[derive(Deserialize)]
struct Order {
    ids: Vec<ProviderId>,
}

#[derive(Deserialize)]
struct All {
    providers: Vec<ModelParams>,
}

#[derive(Serialize)]
struct Done {}

fn unknown() -> ChannelError {
    ChannelError::new(
        "unknown_provider",
        "There is no such provider; it may have been removed on another device.",
    )
}

impl ProviderMethods {
    /// The methods of this vault's models; what is changed is noted where the spending is.
    pub fn new(vault: VaultService, spending: Spending) -> Self {
        Self { vault, spending }
    }

    fn list(&self) -> Result<List, ChannelError> {
        let models = self.vault.models()?;
        let providers = models
            .into_iter()
            .map(|model| Listed {
                id: model.id,
                kind: model.kind,
                base_url: model.base_url,
                model: model.model,
                price: model.price,
            })
            .collect();
        Ok(List { providers })
    }

    async fn noted(&self, what: String) -> Result<(), ChannelError> {
        Ok(self
            .spending
            .activity
            .note_first(Deed::new(What::ModelsChanged, what))
            .await?)
    }

    async fn set(&self, params: ModelParams) -> Result<One, ChannelError> {
        let mut models = self.vault.models()?;
        let at = match params.id {
            Some(id) => Some(models.iter().position(|model| model.id == id).ok_or_else(unknown)?),
            None => None,
        };
        let settings = params.complete(at.map(|at| models[at].clone()))?;
        let (id, model) = (settings.id, settings.model.clone());
        match at {
            Some(at) => models[at] = settings,
            None => models.push(settings),
        }
        self.vault.set_models(&models).await?;
        self.noted(model).await?;
        Ok(One { id })
    }

    /// From now on there are these, in this order. A key that is not said is that of the same address, stored or said just before.
    async fn replace(&self, All { providers }: All) -> Result<List, ChannelError> {
        let stored = self.vault.models()?;
        let mut models: Vec<ModelSettings> = Vec::with_capacity(providers.len());
        for params in providers {
            let mut settings = params.find_by_address(stored.iter().chain(&models))?;
            // The one that is there has the same model; who only has the key of its address is another.
            let is_there = stored
                .iter()
                .any(|one| one.id == settings.id && one.model == settings.model);
            if !is_there || models.iter().any(|model| model.id == settings.id) {
                settings.id = ProviderId::new();
            }
            models.push(settings);
        }
        self.vault.set_models(&models).await?;
        let names: Vec<&str> = models.iter().map(|model| model.model.as_str()).collect();
        self.noted(names.join(", ")).await?;
        self.list()
    }

    async fn delete(&self, One { id }: One) -> Result<Done, ChannelError> {
        let mut models = self.vault.models()?;
        let at = models.iter().position(|model| model.id == id).ok_or_else(unknown)?;
        let removed = models.remove(at);
        self.vault.set_models(&models).await?;
        self.noted(format!("without {}", removed.model)).await?;
        Ok(Done {})
    }

    async fn order(&self, Order { ids }: Order) -> Result<Done, ChannelError> {
        let mut models = self.vault.models()?;
        let mut ordered = Vec::with_capacity(models.len());
        for id in ids {
            let at = models.iter().position(|model| model.id == id).ok_or_else(unknown)?;
            ordered.push(models.remove(at));
        }
        // Added on another device meanwhile: they stay, at the end.
        ordered.append(&mut models);
        self.vault.set_models(&ordered).await?;
        self.noted("another order".to_owned()).await?;
        Ok(Done {})
    }
}

impl SecretMethods for ProviderMethods {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: &'a RawValue,
        _subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<SecretJson, ChannelError>> {
        async move {
            match method {
                "provider.list" => write_result(&self.list()?),
                "provider.set" => write_result(&self.set(read_params(params)?).await?),
                "provider.replace" => write_result(&self.replace(read_params(params)?).await?),
                "provider.delete" => write_result(&self.delete(read_params(params)?).await?),
                "provider.order" => write_result(&self.order(read_params(params)?).await?),
                _ => Err(unknown_method(method)),
            }
        }
        .boxed()
    }
}
