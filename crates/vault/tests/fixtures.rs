//! Vault files as they were written before, kept for ever: each opens with the reader of today. A new form gets a new fixture
//! (`HOLDFAST_WRITE_VECTORS=1` writes those that are missing, and never one that is there).

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;
use vault::opaque::{ClientRegistration, Names, Registration, ServerSetup};
use vault::{
    Body, DataKey, Kek, NewSlot, PasskeyHeader, SealKey, SlotChange, SlotKeys, SlotKind, VaultFile, password_secret,
    wrap_data_key,
};

const CELL: Uuid = Uuid::from_u128(0x0198_a2c4_1b7e_7c3a_9d11_2f6c_5b0a_7e41);
const SLOT: Uuid = Uuid::from_u128(0x0198_a2c4_1b7e_7c3a_9d11_2f6c_5b0a_7e42);

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn kek() -> Kek {
    Kek::copy_from(&[0x6b; 32]).unwrap()
}

fn body(epoch: u64) -> Body {
    let mut body = Body::default();
    body.epoch = epoch;
    body.put("chat/one", b"a word").unwrap();
    body
}

fn registration(setup: &ServerSetup) -> Vec<u8> {
    let names = Names { cell: CELL, slot: SLOT };
    let (started, request) = ClientRegistration::start(&password_secret("p").unwrap()).unwrap();
    let response = setup.registration_response(&request, &names).unwrap();
    let registered = started.finish_at_cost(&response, &names, 8, 1, 1).unwrap();
    Registration::from_record(&registered.record).unwrap().serialize()
}

/// As it was written before slots had a date and passkeys.
fn first_form() -> Vec<u8> {
    let (setup, data_key) = (ServerSetup::random(), DataKey::random());
    let header = json!({
        "cell": CELL,
        "server_setup": text(&*setup.serialize()),
        "key_check": text(vault::keys::check(&data_key, CELL)),
        "epoch": 3,
        "slots": [{
            "id": SLOT,
            "kind": "password",
            "name": "Password",
            "registration": text(registration(&setup)),
            "wrapped_key": text(wrap_data_key(&data_key, &kek(), SLOT, SlotKind::Password, CELL)),
        }],
    });
    let header = serde_json::to_vec(&header).unwrap();
    let length = u32::try_from(header.len()).unwrap();
    let prefix = [b"holdfast-vault\x01".as_slice(), &length.to_be_bytes(), &header].concat();
    let name = {
        use sha2::Digest as _;
        use std::fmt::Write as _;
        sha2::Sha512::digest(&prefix)
            .iter()
            .fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            })
    };
    let sealed = SealKey::new(&data_key, "vault")
        .seal(&name, 3, &body(3).encode())
        .unwrap();
    [prefix, sealed].concat()
}

/// A new slot, with a date, and what a passkey is asked with.
fn adding(id: Uuid, kind: SlotKind, name: &str, setup: &ServerSetup) -> SlotChange {
    let add = NewSlot {
        id,
        kind,
        name: name.to_owned(),
        created: 1_790_000_000_000,
        passkey: (kind == SlotKind::Passkey).then(|| PasskeyHeader {
            credential_id: vec![7; 20],
            prf_salt: vec![9; 32],
            rp_id: "agents.example.org".to_owned(),
        }),
        registration: Registration::deserialize(&registration(setup)).unwrap(),
        kek: kek(),
    };
    SlotChange {
        add: Some(add),
        ..SlotChange::default()
    }
}

/// With a date, and what a passkey is asked with.
fn with_a_passkey(data_key: &DataKey) -> VaultFile {
    let setup = ServerSetup::random();
    let change = adding(SLOT, SlotKind::Passkey, "Phone", &setup);
    VaultFile::new(&setup)
        .bound_to(CELL)
        .written(data_key, &body(3), change)
        .unwrap()
}

/// Its key was changed: the wrapped key is of format 2.
fn rotated() -> Vec<u8> {
    let file = with_a_passkey(&DataKey::random());
    let keys_of = |_| Some(SlotKeys::of(&kek()));
    file.rotated(&DataKey::random(), &body(3), keys_of).unwrap().encode()
}

/// Every kind of way in, in an order that stays. A new one does not compile before it has a place here, and then a fixture of its own.
const KINDS: [SlotKind; 6] = [
    SlotKind::Password,
    SlotKind::RecoveryPhrase,
    SlotKind::Passkey,
    SlotKind::BackupKey,
    SlotKind::Social,
    SlotKind::Platform,
];

fn place(kind: SlotKind) -> usize {
    match kind {
        SlotKind::Password => 0,
        SlotKind::RecoveryPhrase => 1,
        SlotKind::Passkey => 2,
        SlotKind::BackupKey => 3,
        SlotKind::Social => 4,
        SlotKind::Platform => 5,
    }
}

/// The ids of the slots follow each other.
fn slot_of(kind: SlotKind) -> Uuid {
    Uuid::from_u128(SLOT.as_u128() + u128::try_from(place(kind)).unwrap())
}

/// One slot of each kind, all with the same key.
fn with_every_kind() -> Vec<u8> {
    let (setup, data_key) = (ServerSetup::random(), DataKey::random());
    let mut file = VaultFile::new(&setup).bound_to(CELL);
    for (epoch, kind) in (1..).zip(KINDS) {
        let change = adding(slot_of(kind), kind, "", &setup);
        file = file.written(&data_key, &body(epoch), change).unwrap();
    }
    file.encode()
}

#[test]
fn every_form_of_a_vault_that_was_ever_written_opens() {
    type Make = fn() -> Vec<u8>;
    let forms: [(&str, Make); 4] = [
        ("vault-1-every-kind", with_every_kind),
        ("vault-1-first", first_form),
        ("vault-1-passkey", || with_a_passkey(&DataKey::random()).encode()),
        ("vault-1-rotated", rotated),
    ];
    for (name, make) in forms {
        let path = folder().join(format!("{name}.json"));
        if std::env::var_os("HOLDFAST_WRITE_VECTORS").is_some() && !path.exists() {
            let fixture = json!({"slot": SLOT, "kek": text(kek().expose()), "file": text(make())});
            std::fs::create_dir_all(folder()).unwrap();
            std::fs::write(&path, format!("{fixture:#}\n")).unwrap();
        }
        let fixture: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let bytes = |field: &str| URL_SAFE_NO_PAD.decode(fixture[field].as_str().unwrap()).unwrap();
        let file = VaultFile::decode(&bytes("file")).unwrap();
        let slot: Uuid = fixture["slot"].as_str().unwrap().parse().unwrap();
        let (_, opened) = file.open(slot, &Kek::copy_from(&bytes("kek")).unwrap()).unwrap();
        assert_eq!(opened.get("chat/one"), Some(b"a word".as_slice()), "{name}");
        file.slot(slot).unwrap().registration().unwrap();
        file.server_setup().unwrap();
        for slot in file.slots() {
            let (_, opened) = file.open(slot.id, &Kek::copy_from(&bytes("kek")).unwrap()).unwrap();
            assert!(opened.get("chat/one").is_some(), "{name}: {:?}", slot.kind);
        }
        // What is read is written again as it was.
        assert_eq!(file.encode(), bytes("file"), "{name}");
    }
}

#[test]
fn a_way_in_of_every_kind_is_in_a_fixture() {
    let fixture: Value =
        serde_json::from_slice(&std::fs::read(folder().join("vault-1-every-kind.json")).unwrap()).unwrap();
    let file = URL_SAFE_NO_PAD.decode(fixture["file"].as_str().unwrap()).unwrap();
    let file = VaultFile::decode(&file).unwrap();
    for (at, kind) in KINDS.into_iter().enumerate() {
        assert_eq!(place(kind), at);
        assert_eq!(file.slot(slot_of(kind)).unwrap().kind, kind);
    }
}
