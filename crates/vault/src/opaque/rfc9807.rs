//! The RFC's own vectors through this crate's own steps. Theirs differ from a channel's by what is agreed on (identities, a
//! context, the credential's name) and by no stretching; randomness is what they say it was.

use std::collections::VecDeque;

use rand::{CryptoRng, Error, RngCore};
use serde_json::Value;

use super::client::{ClientLogin, ClientRegistration};
use super::server::{Registration, ServerSetup, session_key};
use super::suite::Stretch;
use super::{Agreed, OpaqueError};
use crate::secret::ClientSecret;

/// Gives out bytes in their order.
struct Script(VecDeque<u8>);

impl Script {
    fn of<const N: usize>(parts: [&[u8]; N]) -> Self {
        Self(parts.concat().into())
    }

    fn end(&self) {
        assert!(self.0.is_empty(), "as much randomness was used as the RFC says");
    }
}

impl CryptoRng for Script {}

impl RngCore for Script {
    fn next_u32(&mut self) -> u32 {
        unreachable!("bytes are asked for")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("bytes are asked for")
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.pop_front().expect("the script is long enough");
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

fn bytes(vector: &Value, name: &str) -> Option<Vec<u8>> {
    let text = vector.get(name)?.as_str()?;
    let digits = (0..text.len()).step_by(2);
    Some(
        digits
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect(),
    )
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../tests/vectors/rfc9807.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

#[test]
fn the_vectors_of_rfc_9807_for_this_suite_pass() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 2);
    for vector in &vectors {
        let get = |name: &str| bytes(vector, name).unwrap();
        let (client, server, context) = (
            bytes(vector, "client_identity"),
            bytes(vector, "server_identity"),
            get("context"),
        );
        let agreed = Agreed {
            client: client.as_deref(),
            server: server.as_deref(),
            context: Some(&context),
        };
        let secret = ClientSecret::new(get("password"));
        let credential = get("credential_identifier");
        // The third part is for clients that are not registered; any public key will do.
        let setup = [get("oprf_seed"), get("server_private_key"), get("server_public_key")].concat();
        let setup = ServerSetup::deserialize(&setup).unwrap();
        assert_eq!(setup.public_key(), get("server_public_key"));
        // A scalar is made of 64 bytes; those of a scalar that is reduced already, and zeros, are that scalar.
        let zeros = [0; 32];

        let mut script = Script::of([&get("blind_registration"), &zeros, &get("envelope_nonce")]);
        let (registration, request) = ClientRegistration::start_with(&mut script, &secret).unwrap();
        assert_eq!(request, get("registration_request"));
        let response = setup.registration_response_for(&request, &credential).unwrap();
        assert_eq!(response, get("registration_response"));
        let registered = registration
            .finish_with(&mut script, &response, agreed, Some(&Stretch::Identity))
            .unwrap();
        script.end();
        assert_eq!(registered.record, get("registration_upload"));
        assert_eq!(registered.keeper_public_key, get("server_public_key"));
        assert_eq!(registered.export_key.expose().as_slice(), get("export_key"));

        let mut script = Script::of([
            &get("blind_login"),
            &zeros,
            &get("client_keyshare_seed"),
            &get("client_nonce"),
        ]);
        let (login, request) = ClientLogin::start_with(&mut script, &secret).unwrap();
        script.end();
        assert_eq!(request, get("KE1"));
        let record = Registration::from_record(&registered.record).unwrap();
        // The first 64 bytes stand in for a record, were there none.
        let mut script = Script::of([
            &[0; 64],
            &get("masking_nonce"),
            &get("server_keyshare_seed"),
            &get("server_nonce"),
        ]);
        let (state, response) = setup
            .login_response_for(&mut script, &record, &request, &credential, agreed)
            .unwrap();
        script.end();
        assert_eq!(response, get("KE2"));
        let logged_in = login.finish_with(&response, agreed, Some(&Stretch::Identity)).unwrap();
        assert_eq!(logged_in.finish, get("KE3"));
        assert_eq!(logged_in.session_key.expose().as_slice(), get("session_key"));
        assert_eq!(logged_in.export_key.expose().as_slice(), get("export_key"));
        let key = session_key(state.clone(), &logged_in.finish, agreed).unwrap();
        assert_eq!(key.expose().as_slice(), get("session_key"));
        let mut changed = logged_in.finish;
        changed[0] ^= 1;
        assert_eq!(
            session_key(state, &changed, agreed).err(),
            Some(OpaqueError::WrongProof)
        );
    }
}
