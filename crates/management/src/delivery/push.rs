//! Web Push (RFC 8030): a device's push service is asked to wake it. The message has no content, so there is nothing to encrypt: that it
//! comes says that something waits. Browsers name the push service, so its address is judged as any that people name.

use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use protocol::TenantId;
use time::OffsetDateTime;

use super::NotTaken;
use super::destination::{Kind, Wrong, address};
use super::push_key::PushKey;
use super::sending::post;
use crate::clock::Entropy;
use crate::config::Config;
use crate::ids::PushDeviceId;
use crate::limits;
use crate::outside::{OutsideClient, Unreachable};

/// Of messages that wait at a push service for the same device, the last one is enough.
const TOPIC: &str = "waits";

/// Web Push, turned on.
pub(crate) struct Push {
    key: PushKey,
    outside: OutsideClient,
    /// Whom push services may ask about us.
    contact: String,
}

impl Push {
    pub(super) fn new(config: &Config, key: PushKey) -> Self {
        Self {
            key,
            outside: OutsideClient::new(&config.private_push_addresses, "`private_addresses` of `[push]`"),
            contact: config.public_url.origin().to_owned(),
        }
    }

    /// What a browser subscribes with.
    pub(crate) fn public_key(&self) -> String {
        self.key.public()
    }

    /// Checks where a browser's push service takes messages for it, and seals it for this device.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        tenant: TenantId,
        device: PushDeviceId,
        endpoint: &str,
    ) -> Result<Vec<u8>, Wrong> {
        let (endpoint, _) = address(&self.outside, Kind::Webhook, endpoint)?;
        Ok(self.key.seal(entropy, tenant, device, &endpoint)?)
    }

    /// Has a device woken.
    pub(super) async fn wake(
        &self,
        tenant: TenantId,
        device: PushDeviceId,
        sealed: &[u8],
        now: OffsetDateTime,
    ) -> Result<(), NotTaken> {
        let endpoint = self.key.open(tenant, device, sealed).ok_or(NotTaken::OtherPushKey)?;
        let url: reqwest::Url = endpoint.parse().map_err(|_| Unreachable::BadUrl)?;
        let origin = url.origin().ascii_serialization();
        let request = Request::post(endpoint.as_str())
            .header(AUTHORIZATION, self.key.authorization(&origin, &self.contact, now))
            .header("ttl", limits::PUSH_LIFE.as_secs())
            .header("urgency", "high")
            .header("topic", TOPIC)
            .body(Vec::new());
        post(&self.outside, request.map_err(|_| Unreachable::BadUrl)?).await
    }
}
