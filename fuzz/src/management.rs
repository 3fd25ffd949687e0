//! What management reads: exports that somebody hands in, what sign-in providers and browsers say, keys, and what proxies add.

use std::net::IpAddr;

use ciborium::Value as Cbor;
use ed25519_dalek::{Signer as _, SigningKey};
use management::audit::{self, AuditKey};
use management::fuzzing::passkey::{HANDLE, ORIGIN, SITE};
use management::fuzzing::provider::{CLIENT, ISSUER, NONCE, NOW};
use management::fuzzing::{self, passkey, provider};
use management::{Network, SecretToken};
use protocol::{TenantId, b64};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::Target;

/// Both parts of what is cut at its first line's end.
fn cut(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&bytes[..at]).ok()?, &bytes[at + 1..]))
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public() -> String {
    b64::encode(key().verifying_key().as_bytes())
}

pub const AUDIT_EXPORT: Target = Target {
    name: "audit_export",
    run: |bytes| {
        if let Ok(found) = audit::verify(bytes, Some(&public())) {
            let signed = (audit::fuzzing::EVENTS, audit::fuzzing::EXPORTED_AT);
            assert_eq!(
                (found.events, found.exported_at),
                signed,
                "nothing else was ever signed"
            );
        }
        // Signed by the key that it names itself.
        if let Ok(found) = audit::verify(bytes, None) {
            let again = audit::verify(bytes, Some(&found.key));
            assert_eq!(again.ok(), Some(found), "it is the same for whoever knows that key");
        }
    },
    seeds: || {
        let key = AuditKey::from_bytes(&key().to_bytes());
        [Some(TenantId::from(Uuid::from_u128(2))), None]
            .map(|tenant| audit::fuzzing::an_export(&key, tenant).expect("it is small"))
            .to_vec()
    },
};

pub const DISCOVERY: Target = Target {
    name: "discovery",
    run: |bytes| {
        if let Some((entered, document)) = cut(bytes) {
            provider::discovery(entered, document);
        }
    },
    seeds: || {
        let at = |path: &str| format!("{ISSUER}{path}");
        let published = json!({
            "issuer": ISSUER,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        vec![format!("{ISSUER}\n{published}").into_bytes()]
    },
};

const SUBJECT: &str = "248289761001";

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": [CLIENT],
        "azp": CLIENT,
        "sub": SUBJECT,
        "exp": NOW + 60,
        "iat": NOW,
        "nonce": NONCE,
        "email": "jane@example.org",
        "email_verified": "true",
        "name": "Jane",
    })
}

/// A token (JSON Web Signature, compact), signed with a key that is published under this id.
fn token(algorithm: &str, id: &str) -> String {
    let header = json!({"alg": algorithm, "typ": "JWT", "kid": id});
    let signed = [header, claims()].map(|part| b64::encode(part.to_string())).join(".");
    let signature = key().sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", b64::encode(signature))
}

fn published() -> Value {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "x": public()}]})
}

pub const ID_TOKEN: Target = Target {
    name: "id_token",
    run: |bytes| {
        let Some((token, keys)) = cut(bytes) else { return };
        // A provider publishes whatever it likes, and is believed about its own people.
        provider::subject(token, keys);
        if let Some(subject) = provider::subject(token, published().to_string().as_bytes()) {
            assert_eq!(subject, SUBJECT, "nothing else was ever signed");
        }
    },
    seeds: || {
        let rsa = json!({"keys": [{"kty": "RSA", "kid": "2", "n": b64::encode([0xc1; 256]), "e": "AQAB"}]});
        let point = b64::encode([9; 32]);
        let curve = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "3", "x": point, "y": point}]});
        [("EdDSA", "1", published()), ("RS256", "2", rsa), ("ES256", "3", curve)]
            .map(|(algorithm, id, keys)| format!("{}\n{keys}", token(algorithm, id)).into_bytes())
            .to_vec()
    },
};

const CREDENTIAL: [u8; 32] = [5; 32];
/// Flags of an authenticator (WebAuthn, section 6.1).
const PRESENT_AND_VERIFIED: u8 = 0b101;
const ATTESTED: u8 = 1 << 6;

fn cbor(map: Vec<(Cbor, Cbor)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&Cbor::Map(map), &mut bytes).expect("a vector takes everything");
    bytes
}

/// The public key of a passkey, as a COSE_Key (RFC 9053, section 7.2).
fn cose_key() -> Vec<u8> {
    let public = key().verifying_key().to_bytes().to_vec();
    let number = |number: i64| Cbor::Integer(number.into());
    cbor(vec![
        (number(1), number(1)),
        (number(3), number(-8)),
        (number(-1), number(6)),
        (number(-2), Cbor::Bytes(public)),
    ])
}

fn client_data(act: &str) -> Vec<u8> {
    let challenge = b64::encode([6; 32]);
    json!({"type": act, "challenge": challenge, "origin": ORIGIN, "crossOrigin": false})
        .to_string()
        .into_bytes()
}

/// What an authenticator says of itself (WebAuthn, section 6.1).
fn authenticator_data(flags: u8, counter: u32) -> Vec<u8> {
    let site = Sha256::digest(SITE);
    [&site[..], &[flags], &counter.to_be_bytes()].concat()
}

fn sign(data: &[u8], client_data: &[u8]) -> Vec<u8> {
    let signed = [data, &Sha256::digest(client_data)[..]].concat();
    key().sign(&signed).to_bytes().to_vec()
}

/// Two parts, the first behind its length.
fn pair(first: &[u8], second: &[u8]) -> Vec<u8> {
    let length = u16::try_from(first.len()).expect("it is small");
    [&length.to_be_bytes()[..], first, second].concat()
}

/// The parts of a [`pair`], whatever it is.
fn parted(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.split_first_chunk::<2>() {
        Some((length, rest)) => rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len())),
        None => (bytes, &[]),
    }
}

fn made(client_data: &[u8], attestation: &[u8]) -> Vec<u8> {
    let (id, client_data, attestation) = (CREDENTIAL, b64::encode(client_data), b64::encode(attestation));
    json!({"id": b64::encode(id), "client_data": client_data, "attestation": attestation})
        .to_string()
        .into_bytes()
}

/// What is signed of a passkey that is made, and the whole of it in this format (WebAuthn, section 6.5).
fn attestation(format: &str) -> Vec<u8> {
    let length = u16::try_from(CREDENTIAL.len()).expect("it is small");
    let mut data = authenticator_data(PRESENT_AND_VERIFIED | ATTESTED, 0);
    data.extend([0; 16]);
    data.extend(length.to_be_bytes());
    data.extend(CREDENTIAL);
    data.extend(cose_key());
    let statement = match format {
        "packed" => vec![
            ("alg".into(), Cbor::Integer((-8).into())),
            ("sig".into(), Cbor::Bytes(sign(&data, &client_data("webauthn.create")))),
        ],
        _ => Vec::new(),
    };
    cbor(vec![
        ("fmt".into(), format.into()),
        ("attStmt".into(), Cbor::Map(statement)),
        ("authData".into(), Cbor::Bytes(data)),
    ])
}

pub const PASSKEY_MADE: Target = Target {
    name: "passkey_made",
    run: |bytes| {
        passkey::made(bytes);
        let (client_data, attestation) = parted(bytes);
        passkey::made(&made(client_data, attestation));
    },
    seeds: || {
        let client_data = client_data("webauthn.create");
        let (bare, signed) = (attestation("none"), attestation("packed"));
        vec![
            pair(&client_data, &bare),
            pair(&client_data, &signed),
            made(&client_data, &bare),
        ]
    },
};

fn shown(client_data: &[u8], data: &[u8], signature: &[u8]) -> Vec<u8> {
    json!({
        "id": b64::encode(CREDENTIAL),
        "client_data": b64::encode(client_data),
        "authenticator_data": b64::encode(data),
        "signature": b64::encode(signature),
        "user_handle": b64::encode(HANDLE),
    })
    .to_string()
    .into_bytes()
}

const COUNTER: u32 = 4;

/// As a browser sends it, and in parts: what the browser says behind its length, the signature, and what the authenticator says.
pub const PASSKEY_SHOWN: Target = Target {
    name: "passkey_shown",
    run: |bytes| {
        let (said, rest) = parted(bytes);
        let (signature, data) = rest.split_at(rest.len().min(64));
        for answer in [bytes, &shown(said, data, signature)] {
            if let Some(counter) = passkey::shown(answer, &CREDENTIAL, &cose_key()) {
                assert_eq!(counter, COUNTER, "nothing else was ever signed");
            }
        }
    },
    seeds: || {
        let said = client_data("webauthn.get");
        let data = authenticator_data(PRESENT_AND_VERIFIED, COUNTER);
        let signature = sign(&data, &said);
        vec![
            pair(&said, &[&signature[..], &data].concat()),
            shown(&said, &data, &signature),
        ]
    },
};

pub const API_KEY: Target = Target {
    name: "api_key",
    run: |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            fuzzing::key(text);
            SecretToken::parse(text);
        }
    },
    seeds: || {
        [
            "hf_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc9waE",
            "ocpk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwckDq2",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    },
};

/// A peer, the networks that are believed, and lines of `X-Forwarded-For`.
pub const FORWARDED: Target = Target {
    name: "forwarded",
    run: |bytes| {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let mut text = || std::str::from_utf8(lines.next()?).ok();
        let (Some(peer), Some(trusted)) = (text(), text()) else {
            return;
        };
        let Ok(peer) = peer.parse::<IpAddr>() else { return };
        let trusted: Vec<Network> = trusted.split(',').filter_map(|network| network.parse().ok()).collect();
        let lines: Vec<&[u8]> = lines.collect();
        assert_eq!(
            fuzzing::client(peer, &lines, &[]),
            peer.to_canonical(),
            "nobody is believed"
        );
        let client = fuzzing::client(peer, &lines, &trusted);
        let named = lines.iter().filter_map(|line| std::str::from_utf8(line).ok());
        let mut named = named
            .flat_map(|line| line.split(','))
            .filter_map(|name| name.trim().parse().ok());
        assert!(
            client == peer.to_canonical() || named.any(|name: IpAddr| name.to_canonical() == client),
            "{client} was named by nobody"
        );
        // What stands before somebody who is not believed is talk.
        let talk: &[u8] = b"192.0.2.1";
        if fuzzing::client(client, &[talk], &trusted) == client {
            let more: Vec<&[u8]> = [&[talk][..], &lines].concat();
            assert_eq!(fuzzing::client(peer, &more, &trusted), client);
        }
    },
    seeds: || {
        [
            "127.0.0.1\n10.0.0.0/8,127.0.0.1\n1.2.3.4, 203.0.113.9, 10.0.0.5",
            "::ffff:127.0.0.1\n127.0.0.1,fd00::/8\n2001:db8::7\nfd00::5",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A target whose examples are refused at its door tries nothing behind it.
    #[test]
    fn what_targets_begin_with_is_taken() {
        for export in (AUDIT_EXPORT.seeds)() {
            assert_eq!(audit::verify(&export[..], Some(&public())).unwrap().signatures, 3);
        }
        for seed in (DISCOVERY.seeds)() {
            let (entered, document) = cut(&seed).unwrap();
            assert!(provider::discovery(entered, document));
        }
        let seed = (ID_TOKEN.seeds)().remove(0);
        let (token, keys) = cut(&seed).unwrap();
        assert_eq!(provider::subject(token, keys).as_deref(), Some(SUBJECT));
        for format in ["none", "packed"] {
            let answer = made(&client_data("webauthn.create"), &attestation(format));
            assert_eq!(passkey::made(&answer), Some(cose_key()), "{format}");
        }
        let answer = (PASSKEY_SHOWN.seeds)().remove(1);
        assert_eq!(passkey::shown(&answer, &CREDENTIAL, &cose_key()), Some(COUNTER));
        for seed in (API_KEY.seeds)() {
            assert!(fuzzing::key(std::str::from_utf8(&seed).unwrap()));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let client = fuzzing::client("10.0.0.1".parse().unwrap(), &[b"203.0.113.9"], &trusted);
        assert_eq!(client.to_string(), "203.0.113.9");
    }
}
