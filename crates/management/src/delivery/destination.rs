//! A place that alerts and audit events go to. How it is reached is secret as a whole: who has the address of a chat's webhook may
//! write there.

use axum::http::Uri;
use protocol::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::webhook::Secret;
use crate::clock::{Entropy, NoEntropy};
use crate::ids::DestinationId;
use crate::limits;
use crate::outside::{OutsideClient, Unreachable};
use crate::storage::StorageError;

/// Where events of PagerDuty go, if not to the servers in Europe.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DestinationKind)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// JSON, signed in the manner of Standard Webhooks.
    Webhook,
    /// An incoming webhook of Slack, or of what takes the same.
    Slack,
    Discord,
    /// The Events API, version 2.
    Pagerduty,
    /// RFC 5424 over TLS (RFC 5425) or, where the operator allowed the address, TCP (RFC 6587).
    Syslog,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Pagerduty => "pagerduty",
            Self::Syslog => "syslog",
        }
    }

    pub(crate) fn stored(text: &str) -> Result<Self, StorageError> {
        Ok(match text {
            "webhook" => Self::Webhook,
            "slack" => Self::Slack,
            "discord" => Self::Discord,
            "pagerduty" => Self::Pagerduty,
            "syslog" => Self::Syslog,
            _ => return Err(StorageError::Unreadable("kind of a destination")),
        })
    }

    /// Whether it takes audit events as they happen. Chats and pagers are for people.
    pub(crate) fn takes_streams(self) -> bool {
        matches!(self, Self::Webhook | Self::Syslog)
    }
}

/// How a destination is reached. No `Debug`; wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Reach {
    pub(super) url: String,
    /// The secret of a webhook's signatures, or the key of a PagerDuty service; empty for the others.
    pub(super) key: String,
}

/// A destination that is about to be kept.
pub(crate) struct NewDestination {
    pub id: DestinationId,
    pub kind: Kind,
    pub host: String,
    pub sealed: Vec<u8>,
    /// What a webhook's receiver checks signatures with. Shown once.
    pub secret: Option<String>,
}

/// Why what was entered cannot be one.
pub(crate) enum Wrong {
    Field { field: &'static str, reason: String },
    Entropy(NoEntropy),
}

impl From<NoEntropy> for Wrong {
    fn from(error: NoEntropy) -> Self {
        Self::Entropy(error)
    }
}

impl From<Unreachable> for Wrong {
    fn from(error: Unreachable) -> Self {
        let reason = format!("{error}.");
        Self::Field { field: "url", reason }
    }
}

impl NewDestination {
    /// Checks what was entered, and seals it.
    pub(crate) fn new(
        delivery: &super::Delivery,
        entropy: &dyn Entropy,
        tenant: TenantId,
        kind: Kind,
        url: &str,
        key: &str,
    ) -> Result<Self, Wrong> {
        let url = match (kind, url.trim()) {
            (Kind::Pagerduty, "") => PAGERDUTY,
            (_, url) => url,
        };
        let (url, host) = address(&delivery.outside, kind, url)?;
        let key = key.trim();
        let secret = match kind {
            Kind::Webhook => Some(Secret::generate(entropy)?.text()),
            _ => None,
        };
        let reach = Reach {
            url,
            key: match (kind, &secret) {
                (Kind::Pagerduty, _) => routing_key(key)?,
                (_, Some(secret)) => secret.clone(),
                _ if key.is_empty() => String::new(),
                _ => return Err(wrong("key", "Only PagerDuty has a key.")),
            },
        };
        let id = DestinationId::new();
        let sealed = delivery.key.seal(entropy, tenant, id, &reach)?;
        Ok(Self {
            id,
            kind,
            host,
            sealed,
            secret,
        })
    }
}

fn wrong(field: &'static str, reason: &str) -> Wrong {
    let reason = reason.to_owned();
    Wrong::Field { field, reason }
}

/// The address as it is called, and its host as it is shown.
pub(super) fn address(outside: &OutsideClient, kind: Kind, url: &str) -> Result<(String, String), Wrong> {
    let url: reqwest::Url = url.parse().map_err(|_| Unreachable::BadUrl)?;
    // As it is called, which may be longer than as it was typed.
    if url.as_str().len() > limits::DESTINATION_URL_BYTES {
        let reason = format!("An address has at most {} characters.", limits::DESTINATION_URL_BYTES);
        return Err(Wrong::Field { field: "url", reason });
    }
    let (schemes, example) = match kind {
        Kind::Syslog => (["tls", "tcp"], "tls://logs.example.org:6514"),
        _ => (["https", "http"], "https://example.org/hook"),
    };
    if !schemes.contains(&url.scheme()) || (kind == Kind::Syslog && !matches!(url.path(), "" | "/")) {
        return Err(wrong("url", &format!("Enter an address such as {example}.")));
    }
    url.as_str().parse::<Uri>().map_err(|_| Unreachable::BadUrl)?;
    let host = outside.allowed(url.as_str())?.shown();
    if host.len() > limits::DESTINATION_HOST_BYTES {
        return Err(Unreachable::BadUrl.into());
    }
    Ok((url.into(), host))
}

/// The key of an integration at PagerDuty: 32 letters and digits today.
fn routing_key(key: &str) -> Result<String, Wrong> {
    let fits =
        (8..=limits::DESTINATION_KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric());
    match fits {
        true => Ok(key.to_owned()),
        false => Err(wrong(
            "key",
            "Enter the integration key (Events API v2) as PagerDuty shows it: letters and digits.",
        )),
    }
}
