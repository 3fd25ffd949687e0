use protocol::channel::ChannelError;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::VaultError;
use super::service::VaultService;
use super::writer::Change;

const ENTRY: &str = "vault/model";
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
    pub kind: ModelKind,
    pub base_url: String,
    pub key: SecretString,
    pub model: String,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    kind: ModelKind,
    base_url: String,
    model: String,
    key: std::borrow::Cow<'a, str>,
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
    /// The model's settings, if any were made.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn model(&self) -> Result<Option<ModelSettings>, VaultError> {
        let Some(json) = self.entry(ENTRY)? else {
            return Ok(None);
        };
        let stored: Stored<'_> =
            serde_json::from_slice(&json).map_err(|_| VaultError::Model("they were written by a newer version"))?;
        Ok(Some(ModelSettings {
            kind: stored.kind,
            base_url: stored.base_url,
            model: stored.model,
            key: SecretString::from(stored.key.into_owned()),
        }))
    }

    /// Stores the model's settings, durably.
    ///
    /// # Errors
    /// [`VaultError::Model`] names what is not usable; [`VaultError::Locked`]; the disk's errors.
    pub async fn set_model(&self, settings: &ModelSettings) -> Result<(), VaultError> {
        settings.check()?;
        let stored = Stored {
            kind: settings.kind,
            base_url: settings.base_url.clone(),
            model: settings.model.clone(),
            key: settings.key.expose_secret().into(),
        };
        let mut json = Zeroizing::new(Vec::with_capacity(4 * FIELD_BYTES));
        serde_json::to_writer(&mut *json, &stored).expect("a struct of text serialises");
        self.change(Change::Entries(vec![(ENTRY.to_owned(), Some(json))]))
            .await?;
        self.model_changed();
        Ok(())
    }
}

/// `model.set` as it comes from a client: without `key` the one stored is kept; an empty key means that none is needed.
#[derive(Deserialize)]
pub(crate) struct ModelParams {
    pub kind: ModelKind,
    pub base_url: String,
    #[serde(default)]
    pub key: Option<SecretString>,
    pub model: String,
}

impl ModelParams {
    /// Completes them with the stored key. A stored key is kept for the address that it was entered for, and goes nowhere else.
    pub(crate) fn complete(
        self,
        stored: Result<Option<ModelSettings>, VaultError>,
    ) -> Result<ModelSettings, ChannelError> {
        let key = match self.key {
            Some(key) => key,
            None => match stored? {
                Some(stored) if stored.base_url == self.base_url => stored.key,
                Some(_) => {
                    return Err(
                        VaultError::Model("the address is another one: enter the key that belongs to it").into(),
                    );
                }
                None => SecretString::from(String::new()),
            },
        };
        Ok(ModelSettings {
            kind: self.kind,
            base_url: self.base_url,
            model: self.model,
            key,
        })
    }
}
