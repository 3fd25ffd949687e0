//! The channel's handshake, in clear, and the envelope of what travels inside it (`docs/protocol.md`, sections 1 and 2).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CellId, Millis, SlotId, b64};

/// The version of the channel spoken here.
pub const VERSION: u32 = 1;
/// WebSocket subprotocol of the channel.
pub const SUBPROTOCOL: &str = "holdfast.channel.v1";
/// Prefix of the subprotocol that carries the gateway token.
pub const TOKEN_SUBPROTOCOL: &str = "holdfast.token.";

/// Where the secret that goes into OPAQUE comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotKind {
    Password,
    RecoveryPhrase,
    Passkey,
    BackupKey,
    Social,
    /// Kept by the platform, for cells made through the tenant API alone.
    Platform,
}

/// Whether the vault can be read by its keeper now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultState {
    New,
    Locked,
    Unlocked,
}

/// One keyslot as anyone may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotInfo {
    pub id: SlotId,
    pub kind: SlotKind,
    pub name: String,
    /// Not known of the oldest slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Millis>,
    /// Of a passkey alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<PasskeyRequest>,
}

/// What an authenticator is asked for a passkey slot's secret with. Public, and a hint as all of `hello` is: with anything in it
/// changed, what the authenticator gives opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyRequest {
    #[serde(with = "b64")]
    pub credential_id: Vec<u8>,
    /// What WebAuthn's PRF is evaluated at, 32 bytes.
    #[serde(with = "b64")]
    pub prf_salt: Vec<u8>,
    /// The site that the passkey belongs to.
    pub rp_id: String,
}

/// Handshake, client to keeper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientHandshake {
    Hello {
        version: u32,
    },
    RegisterStart {
        #[serde(with = "b64")]
        claim: Vec<u8>,
        kind: SlotKind,
        #[serde(with = "b64")]
        request: Vec<u8>,
    },
    RegisterFinish {
        slot: SlotId,
        #[serde(with = "b64")]
        record: Vec<u8>,
    },
    LoginStart {
        slot: SlotId,
        #[serde(with = "b64")]
        request: Vec<u8>,
    },
    LoginFinish {
        slot: SlotId,
        #[serde(with = "b64")]
        finish: Vec<u8>,
    },
    Resume {
        #[serde(with = "b64")]
        ticket: Vec<u8>,
        #[serde(with = "b64")]
        nonce: Vec<u8>,
    },
}

/// Handshake, keeper to client; and the platform's own untrusted hints before the keeper is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum KeeperHandshake {
    Hello {
        version: u32,
        cell: CellId,
        vault: VaultState,
        slots: Vec<SlotInfo>,
    },
    RegisterResponse {
        slot: SlotId,
        #[serde(with = "b64")]
        response: Vec<u8>,
    },
    Registered {
        slot: SlotId,
    },
    LoginResponse {
        #[serde(with = "b64")]
        response: Vec<u8>,
        /// How long the next attempt has to wait should this one fail.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    Resumed {
        #[serde(with = "b64")]
        nonce: Vec<u8>,
    },
    Error(ChannelError),
    Platform {
        phase: PlatformPhase,
        at: Millis,
    },
    PlatformError {
        code: String,
        message: String,
    },
}

/// What the platform says while the keeper is being reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlatformPhase {
    StartingKeeper,
    Connected,
}

/// An error as the other end reads it: a stable code, a sentence for a person, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ChannelError {
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ChannelError {
    /// An error with no advice on when to try again.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            retry_after_ms: None,
        }
    }
}

/// Inside the channel, client to keeper.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClientMessage {
    Request {
        id: u64,
        method: String,
        #[serde(default)]
        params: Value,
    },
    Cancel {
        cancel: u64,
    },
}

/// Inside the channel, keeper to client.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KeeperMessage {
    Result { id: u64, result: Value },
    Error { id: u64, error: ChannelError },
    Event { event: String, data: Value },
}
