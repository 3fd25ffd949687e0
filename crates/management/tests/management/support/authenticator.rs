//! An authenticator with one passkey, as a phone or a laptop has it: a real key, and every part of what it signs can be bent.

use ciborium::Value as Cbor;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use protocol::b64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const ATTESTED: u8 = 1 << 6;

#[derive(Clone)]
pub struct Authenticator {
    key: SigningKey,
    pub id: Vec<u8>,
    pub handle: String,
    pub counter: u32,
    pub flags: u8,
    pub origin: String,
    pub site: String,
    /// What it says that it does, in place of what it does.
    pub act: Option<&'static str>,
}

impl Authenticator {
    pub fn new(seed: u8) -> Self {
        Self {
            key: SigningKey::from_slice(&[seed; 32]).unwrap(),
            id: vec![seed; 32],
            handle: String::new(),
            counter: 0,
            flags: PRESENT | VERIFIED,
            origin: "http://localhost:8080".into(),
            site: "localhost".into(),
            act: None,
        }
    }

    pub fn without_presence(mut self) -> Self {
        self.flags &= !PRESENT;
        self
    }

    pub fn without_verification(mut self) -> Self {
        self.flags &= !VERIFIED;
        self
    }

    fn client_data(&self, act: &str, challenge: &Value) -> Vec<u8> {
        let act = self.act.unwrap_or(act);
        json!({"type": act, "challenge": challenge, "origin": self.origin, "crossOrigin": false})
            .to_string()
            .into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let site: [u8; 32] = Sha256::digest(&self.site).into();
        [&site[..], &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// The public key as a COSE_Key (RFC 9053, section 7.1).
    pub fn cose_key(&self) -> Vec<u8> {
        let point = self.key.verifying_key().to_encoded_point(false);
        let bytes = |part: Option<&p256::FieldBytes>| Cbor::Bytes(part.unwrap().to_vec());
        cbor(vec![
            (1.into(), 2.into()),
            (3.into(), Cbor::Integer((-7).into())),
            (Cbor::Integer((-1).into()), 1.into()),
            (Cbor::Integer((-2).into()), bytes(point.x())),
            (Cbor::Integer((-3).into()), bytes(point.y())),
        ])
    }

    /// Makes the passkey: what the browser sends, but for its name.
    pub fn create(&mut self, begun: &Value) -> Value {
        self.handle = begun["user"]["id"].as_str().unwrap().to_owned();
        let mut data = self.data(self.flags | ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose_key());
        let attestation = cbor(vec![
            ("fmt".into(), "none".into()),
            ("attStmt".into(), Cbor::Map(Vec::new())),
            ("authData".into(), Cbor::Bytes(data)),
        ]);
        let client_data = self.client_data("webauthn.create", &begun["challenge"]);
        json!({
            "name": "My phone",
            "id": b64::encode(&self.id),
            "client_data": b64::encode(client_data),
            "attestation": b64::encode(attestation),
        })
    }

    /// Shows the passkey: what the browser sends.
    pub fn show(&mut self, asked: &Value) -> Value {
        self.counter += 1;
        let client_data = self.client_data("webauthn.get", &asked["challenge"]);
        let data = self.data(self.flags);
        let hash: [u8; 32] = Sha256::digest(&client_data).into();
        let signature: Signature = self.key.sign(&[&data[..], &hash].concat());
        json!({
            "id": b64::encode(&self.id),
            "authenticator_data": b64::encode(data),
            "client_data": b64::encode(client_data),
            "signature": b64::encode(signature.to_der()),
            "user_handle": self.handle,
        })
    }
}

fn cbor(map: Vec<(Cbor, Cbor)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&Cbor::Map(map), &mut bytes).unwrap();
    bytes
}
