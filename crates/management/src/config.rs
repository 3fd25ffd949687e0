//! What the operator decides about this part.

use std::path::PathBuf;

use axum::http::Uri;

use crate::chosen::{RequestLimits, SessionTimes};
use crate::cors::Origin;
use crate::ids::IdentityProviderId;
use crate::proxies::Network;

/// Settings of management.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where people reach this installation.
    pub public_url: PublicUrl,
    /// Proxies that are believed when they say for whom they ask, in `X-Forwarded-For`.
    pub trusted_proxies: Vec<Network>,
    /// Other sites whose pages may call the API with a key.
    pub cors_origins: Vec<Origin>,
    /// Sign-in providers on addresses that are not public which organisations may name, as `host:port`.
    pub private_provider_addresses: Vec<String>,
    /// Destinations of alerts and audit events on addresses that are not public which organisations may name, as `host:port`.
    pub private_alert_addresses: Vec<String>,
    /// Whether people's devices are told by Web Push that something waits.
    pub push: bool,
    /// Push services on addresses that are not public which browsers may name, as `host:port`.
    pub private_push_addresses: Vec<String>,
    /// How long people stay signed in.
    pub sessions: SessionTimes,
    /// How many requests people and programs may make.
    pub requests: RequestLimits,
    /// Where `setup-url` is written.
    pub data_dir: PathBuf,
    /// What this installation is called, shown before signing in.
    pub name: String,
    /// The program's version, as `GET /api/v1/instance` tells it.
    pub version: String,
    /// Set by `up --demo`: how the scripted model is reached, for the form to start with. It is public and holds no secret.
    pub demo_model: Option<serde_json::Value>,
}

/// The address of this installation: scheme, host and port, nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    tls: bool,
}

/// The public URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the public URL `{0}` is not like https://holdfast.example.org: it needs http or https, a host, and no path")]
pub struct PublicUrlError(String);

impl std::str::FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let wrong = || PublicUrlError(text.to_owned());
        let uri: Uri = text.trim().parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let (scheme, default_port) = match uri.scheme_str() {
            Some("http") => ("http", 80),
            Some("https") => ("https", 443),
            _ => return Err(wrong()),
        };
        // As browsers write an origin: lower case, without the scheme's own port.
        let host = authority.host().to_ascii_lowercase();
        let origin = match authority.port_u16() {
            Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        Ok(Self {
            origin,
            tls: scheme == "https",
        })
    }
}

impl PublicUrl {
    /// As browsers write it in `Origin`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host, without its port.
    pub(crate) fn host(&self) -> &str {
        let (_, authority) = self.origin.split_once("://").unwrap_or(("", &self.origin));
        match authority.rsplit_once(':') {
            // Not a colon inside an IPv6 address.
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// The site that passkeys belong to: the host, where it has a name. An address has none, so it has no passkeys.
    pub(crate) fn passkey_site(&self) -> Option<&str> {
        let host = self.host();
        let named = host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[');
        // Browsers offer passkeys over TLS and to the machine itself.
        (named && (self.tls || host == "localhost" || host.ends_with(".localhost"))).then_some(host)
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    /// Where a sign-in provider sends people back to: an address of its own for each.
    pub(crate) fn way_back(&self, provider: IdentityProviderId) -> String {
        format!("{}/api/v1/sign-in/return/{provider}", self.origin)
    }

    /// The address of a page.
    pub(crate) fn page(&self, page: &str) -> String {
        format!("{}/{page}", self.origin)
    }

    /// A link that carries a token in its fragment, which no server and no log sees.
    pub(crate) fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}#{token}", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_belong_to_a_host_with_a_name() {
        let site = |text: &str| text.parse::<PublicUrl>().unwrap().passkey_site().map(str::to_owned);
        assert_eq!(
            site("https://agents.example.org:8443").as_deref(),
            Some("agents.example.org")
        );
        assert_eq!(site("http://localhost:8080").as_deref(), Some("localhost"));
        for none in [
            "http://agents.example.org",
            "https://192.0.2.1",
            "http://127.0.0.1:8080",
            "https://[::1]:8080",
        ] {
            assert_eq!(site(none), None, "{none}");
        }
    }

    #[test]
    fn a_public_url_is_kept_as_browsers_write_an_origin() {
        let origin = |text: &str| text.parse::<PublicUrl>().map(|url| url.origin().to_owned());
        assert_eq!(
            origin("HTTPS://Holdfast.Example.org:443/").unwrap(),
            "https://holdfast.example.org"
        );
        assert_eq!(origin("http://localhost:8080").unwrap(), "http://localhost:8080");
        assert_eq!(origin("http://[::1]:8080").unwrap(), "http://[::1]:8080");
        for bad in [
            "",
            "localhost:8080",
            "ftp://x",
            "http://x/y",
            "http://u@x",
            "http://x?y",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
