//! A person's vault, as far as the platform sees one: keys, and what they sign.

use ed25519_dalek::{Signer as _, SigningKey};
use protocol::recovery::{CONTACTS_PURPOSE, ContactList};
use protocol::relay::for_purpose;
use protocol::{CellId, SlotId, UserId, b64};
use serde_json::{Value, json};

use super::{Browser, World};

#[derive(Clone)]
pub struct TestVault {
    key: SigningKey,
    pub cell: CellId,
    slot: SlotId,
}

impl TestVault {
    /// The vault of whoever is signed in.
    pub async fn of(world: &World, browser: &mut Browser, seed: u8) -> Self {
        Self {
            key: SigningKey::from_bytes(&[seed; 32]),
            cell: world.cell_of(browser).await.cell,
            slot: SlotId::new(),
        }
    }

    /// Another's keys in its place.
    pub fn slip_in(&mut self, seed: u8) {
        self.key = SigningKey::from_bytes(&[seed; 32]);
    }

    /// Its public keys, as they are handed in.
    pub fn identity(&self) -> Value {
        let bundle = [&[1][..], self.key.verifying_key().as_bytes(), &[7; 96]].concat();
        json!({"bundle": b64::encode(bundle)})
    }

    /// A list of contacts that it has signed.
    pub fn contacts(&self, made: i64, contacts: &[UserId], threshold: u8, wait_ms: u64) -> Value {
        let list = ContactList {
            cell: self.cell,
            slot: self.slot,
            made,
            threshold,
            wait_ms,
            contacts: contacts.to_vec(),
        };
        let signature = self.key.sign(&for_purpose(CONTACTS_PURPOSE, &list.to_sign()));
        json!({"slot": self.slot, "made": made, "contacts": contacts, "threshold": threshold, "wait_ms": wait_ms,
            "signature": b64::encode(signature.to_bytes())})
    }
}

/// The ids of people as typed ones.
pub fn user_id(id: &Value) -> UserId {
    id.as_str().unwrap().parse().unwrap()
}
