//! What lies on a disk that somebody else may write: the vault and everything sealed.

use uuid::Uuid;
use vault::opaque::{ClientRegistration, Names, Registration, ServerSetup};
use vault::{
    Body, DataKey, Kek, NewSlot, SealKey, SlotChange, SlotKeys, SlotKind, VaultFile, password_secret, unwrap_data_key,
    wrap_data_key,
};

use crate::Target;

const CELL: Uuid = Uuid::from_u128(10);
const SLOT: Uuid = Uuid::from_u128(11);

fn data_key() -> DataKey {
    DataKey::copy_from(&[7; 32]).expect("32 bytes")
}

fn kek() -> Kek {
    Kek::copy_from(&[8; 32]).expect("32 bytes")
}

/// A vault whose keys are known: so that a seed opens, and what is bent from it is refused behind the header, too.
fn a_vault() -> VaultFile {
    let names = Names { cell: CELL, slot: SLOT };
    let setup = ServerSetup::random();
    let secret = password_secret("password").expect("a password");
    let (registration, request) = ClientRegistration::start(&secret).expect("a short secret");
    let response = setup.registration_response(&request, &names).expect("a request");
    let registered = registration
        .finish_at_cost(&response, &names, 8, 1, 1)
        .expect("an answer");
    let mut body = Body::default();
    body.epoch = 1;
    body.put("chat/one", b"a word").expect("it is small");
    let slot = NewSlot {
        id: SLOT,
        kind: SlotKind::Password,
        name: "Password".to_owned(),
        created: 0,
        passkey: None,
        registration: Registration::from_record(&registered.record).expect("a record"),
        kek: kek(),
    };
    let change = SlotChange {
        add: Some(slot),
        ..SlotChange::default()
    };
    VaultFile::new(&setup)
        .bound_to(CELL)
        .written(&data_key(), &body, change)
        .expect("it is small")
}

pub const VAULT_FILE: Target = Target {
    name: "vault_file",
    run: |bytes| {
        let Ok(file) = VaultFile::decode(bytes) else { return };
        let again = VaultFile::decode(&file.encode()).expect("what was read is written as it can be read");
        assert_eq!(again.epoch(), file.epoch());
        assert_eq!(again.cell(), file.cell());
        let _refused = file.open(SLOT, &kek());
        let _refused = file.open_body(&data_key());
    },
    seeds: || {
        let bound = VaultFile::new(&ServerSetup::random()).bound_to(CELL);
        vec![a_vault().encode(), bound.encode()]
    },
};

pub const VAULT_BODY: Target = Target {
    name: "vault_body",
    run: |bytes| {
        if let Ok(body) = Body::decode(bytes) {
            assert_eq!(*body.encode(), bytes, "a body has one encoding");
        }
    },
    seeds: || {
        let mut body = Body::default();
        body.epoch = 3;
        let empty = body.encode().to_vec();
        body.put("chat/one", b"a word").expect("it is small");
        body.put("secrets/two", &[0; 300]).expect("it is small");
        vec![empty, body.encode().to_vec()]
    },
};

pub const SEALED_RECORD: Target = Target {
    name: "sealed_record",
    run: |bytes| {
        let key = SealKey::new(&data_key(), "fuzz");
        if let Ok(plain) = key.open("name", 7, bytes) {
            assert_eq!(plain.len() + vault::SEAL_OVERHEAD, bytes.len());
            assert!(key.open("name", 8, bytes).is_err(), "it is version 7");
        }
    },
    seeds: || {
        let key = SealKey::new(&data_key(), "fuzz");
        [b"".as_slice(), b"plaintext"]
            .iter()
            .map(|plain| key.seal("name", 7, plain).expect("it is small"))
            .collect()
    },
};

pub const WRAPPED_KEY: Target = Target {
    name: "wrapped_key",
    run: |bytes| {
        if unwrap_data_key(bytes, &kek(), SLOT, SlotKind::Password, CELL).is_ok() {
            let elsewhere = unwrap_data_key(bytes, &kek(), SLOT, SlotKind::Password, SLOT);
            assert!(elsewhere.is_err(), "it belongs to one cell");
        }
    },
    seeds: || {
        vec![
            wrap_data_key(&data_key(), &kek(), SLOT, SlotKind::Password, CELL),
            SlotKeys::of(&kek()).wrap(&data_key(), SLOT, SlotKind::Password, CELL),
        ]
    },
};

pub const SLOT_KEYS: Target = Target {
    name: "slot_keys",
    run: |bytes| {
        if let Some(keys) = SlotKeys::decode(bytes) {
            assert_eq!(&**keys.encode(), bytes, "they have one form");
            keys.wrap(&data_key(), SLOT, SlotKind::Passkey, CELL);
        }
    },
    seeds: || vec![SlotKeys::of(&kek()).encode().to_vec()],
};
