//! Typed ids and the messages that cross a process boundary.
//!
//! What is written down in `docs/protocol.md` has its types here, and nothing else does, but for the one rule about addresses
//! ([`address`]) that every process keeps to that calls servers which a person named.

pub mod address;
pub mod bridge;
pub mod channel;
pub mod chat;
pub mod control;
pub mod functions;
mod gateway_token;
mod ids;
pub mod limits;
pub mod recovery;
pub mod relay;
pub mod template;
mod wiped_json;

pub use gateway_token::{GatewayToken, TokenError};
pub use ids::{
    ApiKeyId, ApprovalId, CapabilityId, CarrierId, CellId, ChannelId, EnvelopeId, GroupId, GroupResourceId,
    InstallationId, ProviderId, SecretId, SessionId, SlotId, TenantId, UserId,
};
pub use wiped_json::wiped_json;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// Binary values in JSON: base64url without padding (RFC 4648, section 5).
pub mod b64 {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Encodes bytes.
    pub fn encode(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes text; padding and other alphabets are refused.
    pub fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
        URL_SAFE_NO_PAD.decode(text)
    }

    /// For `#[serde(with = "b64")]` on `Vec<u8>`.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(bytes))
    }

    /// For `#[serde(with = "b64")]` on `Vec<u8>`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        decode(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
