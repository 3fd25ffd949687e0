use protocol::ProviderId;
use protocol::channel::ChannelError;
use protocol::limits::MODEL_PROVIDERS;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::service::VaultService;
use super::writer::Change;
use crate::spending::Price;

/// The one model of the first version, in JSON alone.
const FIRST_ENTRY: &str = "vault/model";
const ENTRY: &str = "vault/models";
/// First byte of the entry.
const VERSION: u8 = 1;
/// Longest base URL, model name and key, in bytes.
const FIELD_BYTES: usize = 8192;

/// Which protocol the model's server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    OpenAi,
    Anthropic,
}

/// The model that the agent uses, and the key that only its keeper has.
#[derive(Clone)]
pub struct ModelSettings {
    pub id: ProviderId,
    pub kind: ModelKind,
    pub base_url: String,
    pub key: SecretString,
    pub model: String,
    /// What it costs, if its owner said so.
    pub price: Option<Price>,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(default = "ProviderId::new")]
    id: ProviderId,
    kind: ModelKind,
    base_url: String,
    model: String,
    #[serde(borrow)]
    key: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
}

impl<'a> Stored<'a> {
    fn of(settings: &'a ModelSettings) -> Self {
        Self {
            id: settings.id,
            kind: settings.kind,
            base_url: settings.base_url.clone(),
            model: settings.model.clone(),
            key: settings.key.expose_secret().into(),
            price: settings.price,
        }
    }

    fn read(self) -> ModelSettings {
        ModelSettings {
            id: self.id,
            kind: self.kind,
            base_url: self.base_url,
            model: self.model,
            key: SecretString::from(self.key.into_owned()),
            price: self.price,
        }
    }
}

impl ModelSettings {
    /// Whether they can be used at all; whether they work is what `model.test` finds out.
    fn check(&self) -> Result<(), VaultError> {
        let scheme = ["https://", "http://"].iter().any(|scheme| {
            self.base_url
                .strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !scheme || !printable(&self.base_url) || self.base_url.contains('@') {
            return Err(VaultError::Model(
                "the base URL must start with https:// or http:// and carry no password",
            ));
        }
        if self.model.trim().is_empty() || self.model.chars().any(char::is_control) {
            return Err(VaultError::Model(
                "the model's name is empty or has control characters in it",
            ));
        }
        if !printable(self.key.expose_secret()) {
            return Err(VaultError::Model(
                "the key has spaces or characters in it that no key has",
            ));
        }
        let longest = [self.base_url.len(), self.model.len(), self.key.expose_secret().len()];
        if longest.iter().any(|length| *length > FIELD_BYTES) {
            return Err(VaultError::Model("one of the fields is longer than 8192 bytes"));
        }
        Ok(())
    }
}

impl VaultService {
    /// The model that is asked first, if there is one.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn model(&self) -> Result<Option<ModelSettings>, VaultError> {
        Ok(self.models()?.into_iter().next())
    }

    /// The models, in the order in which they are asked.
    ///
    /// # Errors
    /// [`VaultError::Locked`], [`VaultError::Newer`].
    pub fn models(&self) -> Result<Vec<ModelSettings>, VaultError> {
        if let Some(bytes) = self.entry(ENTRY)? {
            let Some((&VERSION, json)) = bytes.split_first() else {
                return Err(VaultError::Newer);
            };
            let stored: Vec<Stored<'_>> = serde_json::from_slice(json).map_err(|_| VaultError::Newer)?;
            return Ok(stored.into_iter().map(Stored::read).collect());
        }
        let Some(json) = self.entry(FIRST_ENTRY)? else {
            return Ok(Vec::new());
        };
        let mut first: Stored<'_> = serde_json::from_slice(&json).map_err(|_| VaultError::Newer)?;
        // The same id each time, until it is written anew.
        first.id = ProviderId::from(uuid::Uuid::nil());
        Ok(vec![first.read()])
    }

    /// Stores the models, durably.
    ///
    /// # Errors
    /// [`VaultError::Model`] names what is not usable; [`VaultError::Locked`]; the disk's errors.
    pub async fn set_models(&self, models: &[ModelSettings]) -> Result<(), VaultError> {
        if models.len() > MODEL_PROVIDERS {
            return Err(VaultError::Model("there are more than 10 providers (MODEL_PROVIDERS)"));
        }
        for settings in models {
            settings.check()?;
        }
        let stored: Vec<_> = models.iter().map(Stored::of).collect();
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 * FIELD_BYTES * models.len().max(1)));
        bytes.push(VERSION);
        serde_json::to_writer(&mut *bytes, &stored).expect("a list of text and numbers serialises");
        self.change(Change::Entries(vec![
            (ENTRY.to_owned(), Some(bytes)),
            (FIRST_ENTRY.to_owned(), None),
        ]))
        .await?;
        self.model_changed();
        Ok(())
    }

    /// Stores the settings of the model that is asked first, durably; the others stay.
    ///
    /// # Errors
    /// As [`Self::set_models`].
    pub async fn set_model(&self, settings: &ModelSettings) -> Result<(), VaultError> {
        let mut models = self.models()?;
        match models.first_mut() {
            Some(first) => *first = settings.clone(),
            None => models.push(settings.clone()),
        }
        self.set_models(&models).await
    }
}

/// `model.set` and `provider.set` as they come from a client: without `key` the one stored is kept; an empty key means that none is needed.
#[derive(Deserialize)]
pub(crate) struct ModelParams {
    /// Which one is meant; the first, if none is named.
    pub id: Option<ProviderId>,
    pub kind: ModelKind,
    pub base_url: String,
    #[serde(default)]
    pub key: Option<SecretString>,
    pub model: String,
    /// Absent: as it was, if it is the same model. Null: not known any more.
    #[serde(default, deserialize_with = "given")]
    pub price: Option<Option<Price>>,
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Price>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ModelParams {
    /// As [`Self::complete`], with the one of these that has its address, and, if there is such a one, its model. Where there is none, it brings
    /// its key.
    pub(crate) fn find_by_address<'a>(
        self,
        known: impl Iterator<Item = &'a ModelSettings> + Clone,
    ) -> Result<ModelSettings, ChannelError> {
        let mut there = known.filter(|settings| settings.base_url == self.base_url);
        let first = there.clone().next();
        let found = there.find(|settings| settings.model == self.model).or(first).cloned();
        if found.is_none() && self.key.is_none() {
            return Err(
                VaultError::Model("no key is stored for this address: enter the key that belongs to it").into(),
            );
        }
        self.complete(found)
    }

    /// As [`Self::complete`], with the one of these that is meant.
    pub(crate) fn find_and_complete(self, stored: Vec<ModelSettings>) -> Result<ModelSettings, ChannelError> {
        let meant = match self.id {
            Some(id) => stored.into_iter().find(|settings| settings.id == id),
            None => stored.into_iter().next(),
        };
        self.complete(meant)
    }

    /// Completes them with what is stored. A stored key is kept for the address that it was entered for, and goes nowhere else.
    pub(crate) fn complete(self, stored: Option<ModelSettings>) -> Result<ModelSettings, ChannelError> {
        let same_address = stored.as_ref().is_some_and(|stored| stored.base_url == self.base_url);
        let same_model = same_address && stored.as_ref().is_some_and(|stored| stored.model == self.model);
        let price = match self.price {
            Some(price) => price,
            None => stored.as_ref().filter(|_| same_model).and_then(|stored| stored.price),
        };
        let id = stored.as_ref().map(|stored| stored.id).filter(|id| !id.uuid().is_nil());
        let key = match (self.key, stored) {
            (Some(key), _) => key,
            (None, Some(stored)) if same_address => stored.key,
            (None, Some(_)) => {
                return Err(VaultError::Model("the address is another one: enter the key that belongs to it").into());
            }
            (None, None) => SecretString::from(String::new()),
        };
        Ok(ModelSettings {
            id: id.unwrap_or_else(ProviderId::new),
            kind: self.kind,
            base_url: self.base_url,
            model: self.model,
            key,
            price,
        })
    }
}
