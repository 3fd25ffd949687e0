//! Where in a request the secret goes.

use base64::Engine as _;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::error::RouteError;
use crate::limits;
use crate::secrets::Secret;

use super::super::redact::SHORTEST;

/// A place in a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Inject {
    /// A header: `name: prefix` and the secret.
    Header {
        name: String,
        #[serde(default)]
        prefix: String,
    },
    /// A parameter of the query.
    Query { name: String },
    /// HTTP basic authentication, with the secret's user name.
    Basic,
}

/// Headers that say where a message ends, where it goes, or what carries it.
const NOT_THESE: [&str; 14] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "accept-encoding",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "range",
];

impl Inject {
    pub fn check(&self) -> Result<(), RouteError> {
        match self {
            Self::Header { name, prefix } => {
                let parsed: HeaderName = name.parse().map_err(|_| RouteError::Header)?;
                if NOT_THESE.contains(&parsed.as_str()) || name.len() > 100 {
                    return Err(RouteError::Header);
                }
                if prefix.len() > 40 || !prefix.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                    return Err(RouteError::Prefix);
                }
                Ok(())
            }
            Self::Query { name } => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                if name.is_empty() || name.len() > 100 || !name.bytes().all(fits) {
                    return Err(RouteError::Parameter);
                }
                Ok(())
            }
            Self::Basic => Ok(()),
        }
    }

    /// Whether a header of the agent stands where the secret goes. Many servers do not tell `_` from `-`.
    pub(super) fn is_header(&self, name: &HeaderName) -> bool {
        match self {
            Self::Header { name: own, .. } => own
                .replace('_', "-")
                .eq_ignore_ascii_case(&name.as_str().replace('_', "-")),
            Self::Query { .. } | Self::Basic => false,
        }
    }

    /// The parameter of the query that the secret goes into.
    pub(super) fn parameter(&self) -> Option<&str> {
        match self {
            Self::Query { name } => Some(name),
            Self::Header { .. } | Self::Basic => None,
        }
    }

    /// Puts the secret in. Returns what must not come back, in any form.
    pub(super) fn put(
        &self,
        secret: &Secret,
        url: &mut Url,
        headers: &mut HeaderMap,
    ) -> Result<Vec<Zeroizing<String>>, RouteError> {
        let value = secret.value.expose_secret();
        if value.len() < SHORTEST {
            return Err(RouteError::TooShort);
        }
        if value.len() > limits::ROUTE_SECRET_BYTES {
            return Err(RouteError::TooLong);
        }
        let mut told = vec![Zeroizing::new(value.to_owned())];
        match self {
            Self::Header { name, prefix } => {
                let name: HeaderName = name.parse().map_err(|_| RouteError::Header)?;
                headers.insert(name, sensitive(&Zeroizing::new(format!("{prefix}{value}")))?);
            }
            Self::Query { name } => {
                url.query_pairs_mut().append_pair(name, value);
            }
            Self::Basic => {
                let both = Zeroizing::new(format!("{}:{value}", secret.username));
                let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(both.as_bytes()));
                headers.insert(
                    AUTHORIZATION,
                    sensitive(&Zeroizing::new(format!("Basic {}", *encoded)))?,
                );
                told.push(encoded);
            }
        }
        Ok(told)
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, RouteError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| RouteError::Unsendable)?;
    value.set_sensitive(true);
    Ok(value)
}
