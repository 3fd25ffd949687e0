//! The HTTP client for one server: to its host only, to addresses that were checked, never through a redirect or a proxy.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};

use crate::egress::{NamedAddresses, ResolveError, resolve};
use crate::limits;

/// Why a server cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("The base URL is not one: {0}.")]
    BadUrl(String),
    #[error("The base URL must start with https://: over http:// anyone on the way could read the key.")]
    NoTls,
    #[error(
        "The address is refused: {0}. Only the operator can allow it, by naming {1} in the setting `private_model_addresses`."
    )]
    AddressRefused(String, String),
    #[error("The server cannot be reached: {0}.")]
    Unreachable(String),
    #[error("The keeper cannot make TLS connections: {0}.")]
    Tls(String),
}

impl UpstreamError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadUrl(_) | Self::NoTls => "url_refused",
            Self::AddressRefused(..) => "address_refused",
            Self::Unreachable(_) | Self::Tls(_) => "unreachable",
        }
    }
}

/// A server, by its base URL.
pub(super) struct Upstream {
    /// Whether the operator named its address.
    named: bool,
    base: Url,
    client: Client,
}

impl Upstream {
    /// A client for this base URL; connects to nothing yet.
    pub fn new(base_url: &str, named: &NamedAddresses) -> Result<Self, UpstreamError> {
        let base = base_url
            .parse::<Url>()
            .map_err(|error| UpstreamError::BadUrl(error.to_string()))?;
        let (host, port) = host_and_port(&base)?;
        let is_named = named.contains(&host, port);
        // A literal address never passes through the resolver: it is checked here. Before the scheme, because a private address
        // is the likelier mistake, and the one that the operator can put right.
        if let Ok(address) = host.trim_matches(['[', ']']).parse()
            && !is_named
            && let Some(why) = crate::egress::refusal(address)
        {
            return Err(UpstreamError::AddressRefused(
                format!("{host}:{port} is {why}"),
                format!("{host}:{port}"),
            ));
        }
        if base.scheme() != "https" && !is_named {
            return Err(UpstreamError::NoTls);
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
            .map_err(|error| UpstreamError::Tls(error.to_string()))?;
        Ok(Self {
            named: is_named,
            base,
            client,
        })
    }

    /// Whether the operator's word on its address is still the one it was made with.
    pub fn is_current(&self, named: &NamedAddresses) -> bool {
        host_and_port(&self.base).is_ok_and(|(host, port)| named.contains(&host, port) == self.named)
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What a failed call says to a person. Never the URL: a secret may be in its query.
    pub fn failed(&self, error: &reqwest::Error) -> UpstreamError {
        let mut cause = error.source();
        let mut last = "the request could not be sent".to_owned();
        while let Some(inner) = cause {
            if let Some(refused @ ResolveError::Refused { host, port, .. }) = inner.downcast_ref::<ResolveError>() {
                return UpstreamError::AddressRefused(refused.to_string(), format!("{host}:{port}"));
            }
            last = inner.to_string();
            cause = inner.source();
        }
        if error.is_timeout() {
            last = "no answer in time".to_owned();
        }
        UpstreamError::Unreachable(format!("{}: {last}", self.host()))
    }
}

fn host_and_port(base: &Url) -> Result<(String, u16), UpstreamError> {
    match (base.scheme(), base.host_str(), base.port_or_known_default()) {
        ("https" | "http", Some(host), Some(port)) => Ok((host.to_owned(), port)),
        _ => Err(UpstreamError::BadUrl("it names no host".to_owned())),
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
fn tls() -> Result<rustls::ClientConfig, UpstreamError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| UpstreamError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
