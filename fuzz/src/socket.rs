//! What crosses the sockets between the platform, a keeper and a bridge.

use ed25519_dalek::SigningKey;
use protocol::bridge::{FromBridge, Opening, ToBridge};
use protocol::control::{FromKeeper, FromPlatform};
use protocol::{CellId, GatewayToken, SessionId, TenantId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::Target;

/// Reads a message; one that is read is written and read again as the same.
fn round_trip<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(bytes) {
        let text = serde_json::to_string(&message).expect("what was read can be written");
        let again: T = serde_json::from_str(&text).expect("what was written can be read");
        assert_eq!(serde_json::to_string(&again).expect("it was written before"), text);
    }
}

fn token() -> GatewayToken {
    GatewayToken {
        cell: CellId::from(Uuid::from_u128(1)),
        tenant: TenantId::from(Uuid::from_u128(2)),
        user: UserId::from(Uuid::from_u128(3)),
        session: SessionId::from(Uuid::from_u128(4)),
        exp: 1000,
    }
}

pub const GATEWAY_TOKEN: Target = Target {
    name: "gateway_token",
    run: |bytes| {
        let key = SigningKey::from_bytes(&[7; 32]);
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        if let Ok(read) = GatewayToken::verify_at(text, &key.verifying_key(), 999) {
            assert_eq!(read, token(), "only one was ever signed");
        }
        // What a signer would sign is read back.
        round_trip::<GatewayToken>(bytes);
        if let Ok(other) = serde_json::from_slice::<GatewayToken>(bytes) {
            let read = GatewayToken::verify_at(&other.sign(&key), &key.verifying_key(), 0);
            assert_eq!(read.is_ok(), other.exp > 0);
        }
    },
    seeds: || {
        let key = SigningKey::from_bytes(&[7; 32]);
        let json = serde_json::to_vec(&token()).expect("it serialises");
        vec![token().sign(&key).into_bytes(), json]
    },
};

pub const CONTROL: Target = Target {
    name: "control",
    run: |bytes| {
        round_trip::<FromKeeper>(bytes);
        round_trip::<FromPlatform>(bytes);
    },
    seeds: || {
        [
            r#"{"type":"hello","version":1,"status":{"vault":"locked","agent":"absent","turns":0}}"#,
            r#"{"type":"welcome","version":1,"cell":"0198a2c4-1b7e-7c3a-9d11-000000000001","tenant":"0198a2c4-1b7e-7c3a-9d11-000000000002","config":{}}"#,
            r#"{"type":"request","id":1,"op":"freeze"}"#,
            r#"{"type":"reply","id":1,"outcome":{"error":{"code":"c","message":"m"}}}"#,
            r#"{"type":"open_channel","channel":"0198a2c4-1b7e-7c3a-9d11-000000000003"}"#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    },
};

pub const BRIDGE_LINE: Target = Target {
    name: "bridge_line",
    run: |bytes| {
        for line in bytes.split(|byte| *byte == b'\n') {
            round_trip::<Opening>(line);
            round_trip::<ToBridge>(line);
            round_trip::<FromBridge>(line);
        }
    },
    seeds: || {
        let lines = [
            serde_json::to_string(&Opening::Dial(7)),
            serde_json::to_string(&ToBridge::Stop { grace_ms: 5000 }),
            serde_json::to_string(&FromBridge::Exited {
                code: None,
                signal: Some(9),
                last_output: "so it ends".to_owned(),
            }),
        ]
        .map(|line| line.expect("it serialises"));
        vec![lines.join("\n").into_bytes(), b"\"control\"\n\"start\"".to_vec()]
    },
};

pub const BLOB_NAME: Target = Target {
    name: "blob_name",
    run: |bytes| {
        if let Ok(name) = std::str::from_utf8(bytes) {
            cells::fuzz_blob_name(name);
        }
    },
    seeds: || {
        vec![
            b"home/c/0011aabb".to_vec(),
            b"home/m/00000000000000000001-0011".to_vec(),
            b"a/../b".to_vec(),
        ]
    },
};
