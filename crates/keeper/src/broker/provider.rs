//! The HTTP client for one provider: to its host only, to addresses that were checked, never through a redirect or a proxy.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::same;
use crate::egress::{NamedAddresses, ResolveError, resolve};
use crate::limits;
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
    #[error("The base URL is not one: {0}.")]
    BadUrl(String),
    #[error("The base URL must start with https://: over http:// anyone on the way could read the key.")]
    NoTls,
    #[error(
        "The address is refused: {0}. Only the operator can allow it, by naming {1} in the setting `private_model_addresses`."
    )]
    AddressRefused(String, String),
    #[error("The provider cannot be reached: {0}.")]
    Unreachable(String),
    #[error("The keeper cannot make TLS connections: {0}.")]
    Tls(String),
}

impl From<VaultError> for ProviderError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Locked | VaultError::New => Self::Locked,
            other => Self::Vault(other.to_string()),
        }
    }
}

/// One provider, as the settings name it.
pub(super) struct Provider {
    settings: ModelSettings,
    /// Whether the operator named its address.
    named: bool,
    base: Url,
    client: Client,
}

impl Provider {
    /// A client for these settings; connects to nothing yet.
    pub fn new(settings: ModelSettings, named: &NamedAddresses) -> Result<Self, ProviderError> {
        let base = settings
            .base_url
            .parse::<Url>()
            .map_err(|error| ProviderError::BadUrl(error.to_string()))?;
        let (host, port) = host_and_port(&base)?;
        let is_named = named.contains(&host, port);
        if base.scheme() != "https" && !is_named {
            // A private address is the likelier mistake, and the one that the operator can put right.
            if let Ok(address) = host.trim_matches(['[', ']']).parse()
                && let Some(why) = crate::egress::refusal(address)
            {
                return Err(ProviderError::AddressRefused(
                    format!("{host}:{port} is {why}"),
                    format!("{host}:{port}"),
                ));
            }
            return Err(ProviderError::NoTls);
        }
        // A literal address never passes through the resolver: it is checked here.
        if let Ok(address) = host.trim_matches(['[', ']']).parse()
            && !is_named
            && let Some(why) = crate::egress::refusal(address)
        {
            return Err(ProviderError::AddressRefused(
                format!("{host}:{port} is {why}"),
                format!("{host}:{port}"),
            ));
        }
        let resolver = CheckedResolver {
            port,
            named: named.clone(),
        };
        let client = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .https_only(base.scheme() == "https")
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .dns_resolver(Arc::new(resolver))
            .connect_timeout(limits::CONNECT_TIMEOUT)
            .read_timeout(limits::MODEL_SILENCE)
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(2)
            .build()
            .map_err(|error| ProviderError::Tls(error.to_string()))?;
        Ok(Self {
            settings,
            named: is_named,
            base,
            client,
        })
    }

    pub fn is_for(&self, settings: &ModelSettings, named: &NamedAddresses) -> bool {
        same(&self.settings, settings)
            && host_and_port(&self.base).is_ok_and(|(host, port)| named.contains(&host, port) == self.named)
    }

    pub fn kind(&self) -> ModelKind {
        self.settings.kind
    }

    pub fn model(&self) -> &str {
        &self.settings.model
    }

    pub fn key(&self) -> &str {
        self.settings.key.expose_secret()
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn client(&self) -> &Client {
        &self.client
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
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| ProviderError::BadUrl("the key has characters in it that no key has".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    }

    /// What a failed call says to a person.
    pub fn failed(&self, error: &reqwest::Error) -> ProviderError {
        let mut cause = error.source();
        let mut last = error.to_string();
        while let Some(inner) = cause {
            if let Some(refused @ ResolveError::Refused { host, port, .. }) = inner.downcast_ref::<ResolveError>() {
                return ProviderError::AddressRefused(refused.to_string(), format!("{host}:{port}"));
            }
            last = inner.to_string();
            cause = inner.source();
        }
        if error.is_timeout() {
            last = "no answer in time".to_owned();
        }
        let host = self.base.host_str().unwrap_or_default();
        ProviderError::Unreachable(format!("{host}: {last}"))
    }
}

fn host_and_port(base: &Url) -> Result<(String, u16), ProviderError> {
    match (base.scheme(), base.host_str(), base.port_or_known_default()) {
        ("https" | "http", Some(host), Some(port)) => Ok((host.to_owned(), port)),
        _ => Err(ProviderError::BadUrl("it names no host".to_owned())),
    }
}

/// Resolves names to addresses that passed the policy: what is connected to is what was checked.
struct CheckedResolver {
    port: u16,
    named: NamedAddresses,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (port, named) = (self.port, self.named.clone());
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = resolve(name.as_str(), port, &named).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// TLS 1.2 and 1.3 with ring, to the public certificate authorities.
fn tls() -> Result<rustls::ClientConfig, ProviderError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ProviderError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
