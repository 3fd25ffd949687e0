//! What a provider publishes about itself (OpenID Connect Discovery 1.0), and its keys.

use axum::http::{Request, header};
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::{ProviderError, Providers};
use crate::clock::after;
use crate::limits;

/// Where a provider is reached.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Discovery {
    issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Discovery {
    /// Whether the secret goes into a header, as is the rule, and not into the body.
    pub(super) fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }
}

impl Providers {
    /// What this issuer publishes, read at most a few minutes ago.
    pub(super) async fn discover(&self, issuer: &str, now: OffsetDateTime) -> Result<Discovery, ProviderError> {
        if let Some(known) = self.known(issuer, now) {
            return Ok(known);
        }
        self.discover_anew(issuer, now).await
    }

    /// What this issuer publishes now.
    pub(super) async fn discover_anew(&self, issuer: &str, now: OffsetDateTime) -> Result<Discovery, ProviderError> {
        let at = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let found: Discovery = self.read(&at, None).await?;
        self.is_of(issuer, &at, &found)?;
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        read.retain(|_, (at, _)| after(*at, limits::DISCOVERY_KEPT) > now);
        if read.len() < limits::DISCOVERIES_KEPT {
            read.insert(issuer.to_owned(), (now, found.clone()));
        }
        Ok(found)
    }

    /// What was read there is about this issuer, and names only addresses that may be called.
    pub(super) fn is_of(&self, issuer: &str, at: &str, found: &Discovery) -> Result<(), ProviderError> {
        // Whoever answers in another's name would have their tokens taken for the other's.
        if found.issuer != issuer {
            return Err(ProviderError::Answer(format!(
                "{at} is about the issuer {}, not {issuer}. Write the issuer exactly as the provider does",
                found.issuer
            )));
        }
        for address in [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri] {
            self.client.allowed(address)?;
        }
        Ok(())
    }

    fn known(&self, issuer: &str, now: OffsetDateTime) -> Option<Discovery> {
        let read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (at, known) = read.get(issuer)?;
        (after(*at, limits::DISCOVERY_KEPT) > now).then(|| known.clone())
    }

    /// The keys that its tokens are signed with, now.
    pub(super) async fn keys(&self, discovery: &Discovery) -> Result<JwkSet, ProviderError> {
        self.read(&discovery.jwks_uri, None).await
    }

    /// A document of a provider.
    pub(super) async fn read<T: DeserializeOwned>(&self, url: &str, bearer: Option<&str>) -> Result<T, ProviderError> {
        let mut request = Request::get(url).header(header::ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Vec::new())
            .map_err(|_| ProviderError::Answer(format!("{url} is not an address of the web")))?;
        let answer = self.client.ask(request).await?;
        if !answer.status().is_success() {
            return Err(ProviderError::Answer(format!("{url} answered {}", answer.status())));
        }
        serde_json::from_slice(answer.body())
            .map_err(|_| ProviderError::Answer(format!("what {url} answered is not what was asked for")))
    }
}
