//! One model provider, as the settings name it.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::same;
use super::upstream::{Upstream, UpstreamError};
use crate::egress::NamedAddresses;
use crate::spending::Price;
use crate::vault_service::{ModelKind, ModelSettings, VaultError};

/// Why the provider cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProviderError {
    #[error("The vault is locked: unlock it first.")]
    Locked,
    #[error("The vault cannot be read: {0}")]
    Vault(String),
    #[error("No model is connected yet: set its address, key and name.")]
    NoModel,
    #[error("The key has characters in it that no key has.")]
    Key,
    #[error("{0}")]
    Upstream(#[from] UpstreamError),
}

impl ProviderError {
    /// The stable code of this error, for the agent and in the channel.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "vault_locked",
            Self::Vault(_) => "vault",
            Self::NoModel => "no_model",
            Self::Key | Self::Upstream(UpstreamError::BadUrl(_) | UpstreamError::NoTls) => "model_invalid",
            Self::Upstream(UpstreamError::AddressRefused(..)) => "address_refused",
            Self::Upstream(UpstreamError::Unreachable(_) | UpstreamError::Tls(_)) => "provider_unreachable",
        }
    }
}

impl From<VaultError> for ProviderError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Locked | VaultError::New => Self::Locked,
            other => Self::Vault(other.to_string()),
        }
    }
}

pub(super) struct Provider {
    settings: ModelSettings,
    upstream: Upstream,
}

impl Provider {
    /// A client for these settings; connects to nothing yet.
    pub fn new(settings: ModelSettings, named: &NamedAddresses) -> Result<Self, ProviderError> {
        let upstream = Upstream::new(&settings.base_url, named)?;
        Ok(Self { settings, upstream })
    }

    pub fn is_for(&self, settings: &ModelSettings, named: &NamedAddresses) -> bool {
        same(&self.settings, settings) && self.upstream.is_current(named)
    }

    pub fn kind(&self) -> ModelKind {
        self.settings.kind
    }

    pub fn price(&self) -> Option<Price> {
        self.settings.price
    }

    pub fn host(&self) -> &str {
        self.upstream.host()
    }

    pub fn model(&self) -> &str {
        &self.settings.model
    }

    pub fn key(&self) -> &str {
        self.settings.key.expose_secret()
    }

    pub fn base(&self) -> &Url {
        self.upstream.base()
    }

    pub fn client(&self) -> &Client {
        self.upstream.client()
    }

    /// Adds the credential. A provider without one (a local model server) gets none.
    pub fn authorise(&self, headers: &mut HeaderMap) -> Result<(), ProviderError> {
        if self.key().is_empty() {
            return Ok(());
        }
        let (name, text) = match self.kind() {
            ModelKind::OpenAi => (AUTHORIZATION, Zeroizing::new(format!("Bearer {}", self.key()))),
            ModelKind::Anthropic => (
                HeaderName::from_static("x-api-key"),
                Zeroizing::new(self.key().to_owned()),
            ),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| ProviderError::Key)?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }

    /// What a failed call says to a person.
    pub fn failed(&self, error: &reqwest::Error) -> ProviderError {
        self.upstream.failed(error).into()
    }
}
